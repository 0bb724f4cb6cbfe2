"""The lab answers the person who started it, and nobody else."""

from pathlib import Path

import pytest

pytest.importorskip("starlette")

from asking import ask

from descend.lab.security import POLICY
from descend.lab.server import lab

TOKEN = "a-token-that-nobody-knows"
KNOWN = {"cookie": f"descend-lab-1={TOKEN}"}
HERE = {**KNOWN, "origin": "http://127.0.0.1:1"}


@pytest.fixture
def app(tmp_path: Path):
    """Return a lab with one run, and things beside it that are none."""
    runs = tmp_path / "runs"
    (runs / "one").mkdir(parents=True)
    (runs / "one" / "run.json").write_text('{"name": "one"}')
    (runs / "one" / "report.html").write_text("<script>1</script>")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "run.json").write_text('{"name": "secret"}')
    (runs / "link").symlink_to(tmp_path / "secret")
    return lab(runs, TOKEN, 1, {"127.0.0.1:1", "localhost:1"})


def test_the_address_with_the_token_opens_the_page(app) -> None:
    found = ask(app, f"/?token={TOKEN}")
    assert found.status == 200 and b"descend lab" in found.body
    cookie = found.headers["set-cookie"]
    assert (
        cookie.startswith(f"descend-lab-1={TOKEN};") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    )
    assert found.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/api/runs", "/assets/app.js", "/runs/one/report"])
def test_without_the_token_nothing_is_told(app, path: str) -> None:
    found = ask(app, path)
    assert found.status == 401 and b"descend lab" in found.body and b"one" not in found.body.split(b"`")[-1]


@pytest.mark.parametrize("path", ["/api/runs", f"/api/runs?token={TOKEN}"])
def test_the_token_in_the_address_opens_the_page_alone(app, path: str) -> None:
    assert ask(app, path).status == 401


def test_programs_may_show_the_token_as_bearers(app) -> None:
    assert ask(app, "/api/runs", headers={"authorization": f"Bearer {TOKEN}"}).status == 200
    assert ask(app, "/api/runs", headers={"authorization": "Bearer no"}).status == 401
    assert ask(app, "/api/runs", headers={"cookie": "descend-lab-1=no; x"}).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example:1", "127.0.0.1:2", "", "127.0.0.1.evil.example:1", "0.0.0.0:1"]
)
def test_other_hosts_are_refused(app, host: str) -> None:
    """A name that an attacker lets point at this machine (DNS rebinding)."""
    assert ask(app, "/api/runs", headers={**KNOWN, "host": host}).status == 421


@pytest.mark.parametrize(
    "more",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:1"},
        {"origin": "http://127.0.0.1:2"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_pages_are_refused(app, more: dict, method: str) -> None:
    body = None if method == "GET" else {}
    path = "/api/runs" if method == "GET" else "/api/fit"
    assert ask(app, path, method, {**KNOWN, **more}, body).status == 403


def test_a_change_must_say_where_it_comes_from(app) -> None:
    assert ask(app, "/api/fit", "POST", KNOWN, {"subject": "digits"}).status == 403
    assert ask(app, "/api/fit", "POST", HERE, {"subject": ""}).status == 400


@pytest.mark.parametrize(
    "name", ["..", "../secret", "%2e%2e", "link", ".", "one/..", "one\0", "nothing", "..\\secret"]
)
@pytest.mark.parametrize("what", ["", "/curve", "/live"])
def test_names_stay_inside_the_runs_folder(app, name: str, what: str) -> None:
    found = ask(app, f"/api/runs/{name}{what}", headers=KNOWN)
    assert found.status in (400, 404) and b'"name":"secret"' not in found.body


def test_reports_have_no_origin(app) -> None:
    found = ask(app, "/runs/one/report", headers=KNOWN)
    assert found.status == 200
    policy = found.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;") and "allow-same-origin" not in policy
    assert ask(app, "/runs/one/landscape", headers=KNOWN).status == 404
    assert ask(app, "/runs/one/run.json", headers=KNOWN).status == 404


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/nothing.js", "/assets/"]
)
def test_only_assets_are_served(app, path: str) -> None:
    assert ask(app, path, headers=KNOWN).status == 404


@pytest.mark.parametrize("body", [b"[]", b"{", b"1", b"\xff"])
def test_bodies_that_are_no_objects_are_refused(app, body: bytes) -> None:
    assert ask(app, "/api/broken", "POST", HERE, body).status == 400


def test_large_bodies_are_refused(app) -> None:
    assert ask(app, "/api/fit", "POST", {**HERE, "content-length": str(1 << 30)}, b"{}").status == 413


def test_damaged_runs_are_listed_as_such(app, tmp_path: Path) -> None:
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "run.json").write_text("{")
    found = ask(app, "/api/runs", headers=KNOWN).json()
    assert {row["run"]: row["broken"] for row in found["runs"]}["bad"] is True
