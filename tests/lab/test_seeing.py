"""What the lab says of runs is what is on disk, however many there are."""

import json
import os
import sqlite3
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")

from asking import ask

import descend
from descend.descent.record import Record
from descend.errors import UsageError
from descend.lab.seeing import Runs
from descend.lab.server import lab
from descend.lab.training import Fits
from descend.runs.lock import being_written
from descend.runs.run import Run

TOKEN = "t"
KNOWN = {"cookie": "descend-lab-1=t", "origin": "http://127.0.0.1:1"}


def run_with(folder: Path, name: str, values: list[float]) -> Path:
    """Leave a run with a loss at each step."""
    run = Run.create(folder / name, {"name": name})
    record = Record(run.folder / "record.db")
    record.extend("loss", range(1, len(values) + 1), values)
    record.close()
    run.unlock()
    return run.folder


def test_the_newest_come_first_and_words_are_searched(tmp_path: Path) -> None:
    for k, name in enumerate(["b", "a one", "c one two"]):
        place = run_with(tmp_path, name, [1.0])
        os.utime(place / "run.json", (k, k))
    (tmp_path / "no run").mkdir()
    (tmp_path / ".hidden").mkdir()
    runs = Runs(tmp_path)
    assert runs.names() == ["c one two", "a one", "b"]
    assert runs.names("ONE") == ["c one two", "a one"] and runs.names("two one") == ["c one two"]
    page = runs.page(first=1, count=1)
    assert page["all"] == 3 and [row["run"] for row in page["runs"]] == ["a one"]
    assert Runs(tmp_path / "nowhere").page()["all"] == 0


def test_what_is_written_again_is_read_again(tmp_path: Path) -> None:
    place = run_with(tmp_path, "a", [1.0])
    runs = Runs(tmp_path)
    assert runs.facts("a")["loss"] is None
    facts = json.loads((place / "run.json").read_text()) | {"loss": 0.25}
    (place / "run.json").write_text(json.dumps(facts))
    assert runs.facts("a")["loss"] == 0.25


@pytest.mark.parametrize("count", [10, 1499, 1500, 1501, 60_000])
def test_extremes_of_a_curve_survive(tmp_path: Path, count: int) -> None:
    values = np.random.default_rng(0).normal(size=count)
    values[count // 3] = 100.0
    values[count // 2] = -100.0
    run_with(tmp_path, "a", values.tolist())
    found = Runs(tmp_path).curve("a", "loss")
    assert found["count"] == count and found["last"] == count
    assert max(found["values"]) == 100.0 and min(found["values"]) == -100.0
    assert len(found["values"]) <= 1502 and found["steps"] == sorted(found["steps"])
    part = Runs(tmp_path).curve("a", "loss", low=2, high=5)
    assert part["steps"] == [s for s in (2, 3, 4, 5) if s <= count]


def test_gaps_survive(tmp_path: Path) -> None:
    values = [1.0] * 5000
    values[2500] = float("nan")
    run_with(tmp_path, "a", values)
    found = Runs(tmp_path).curve("a", "loss", points=100)
    assert found["values"].count(None) == 1
    assert Runs(tmp_path).curve("a", "nothing")["steps"] == []


def test_a_run_is_followed_while_it_is_written(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "a", {"name": "a"})
    app = lab(tmp_path, TOKEN, 1, {"127.0.0.1:1"})

    def write() -> None:
        record = Record(run.folder / "record.db")
        for step in range(1, 40):
            record.add("loss", step, 1 / step)
            if step % 5 == 0:
                record.flush()
                time.sleep(0.1)
        record.close()
        run.write(finished="now", outcome={"name": "out of steps", "sentence": "Done."})
        run.unlock()

    thread = threading.Thread(target=write)
    thread.start()
    text = ask(app, "/api/runs/a/live", headers=KNOWN).body.decode()
    thread.join()
    events = [block.splitlines() for block in text.strip().split("\n\n")]
    assert events[-1][0] == "event: ended"
    steps = [s for kind, data in events[:-1] for s in json.loads(data.removeprefix("data: "))["steps"]]
    assert steps == list(range(1, 40))
    assert len(events) > 3


def test_who_is_writing_is_known(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "a", {"name": "a"})
    assert being_written(run.folder)
    run.unlock()
    assert not being_written(run.folder)
    (run.folder / ".lock").write_text("999999999\n")
    assert not being_written(run.folder)


def test_a_fit_is_started_stopped_and_gone_on_with(tmp_path: Path) -> None:
    app = lab(tmp_path / "runs", TOKEN, 1, {"127.0.0.1:1"})
    began = ask(app, "/api/fit", "POST", KNOWN, {"subject": "digits", "seconds": "60", "lr": "0.01"})
    assert began.json() == {"run": "digits"}
    place = tmp_path / "runs" / "digits"
    _until(
        lambda: (
            (place / "record.db").exists() and Runs(tmp_path / "runs").curve("digits", "loss")["count"] > 50
        )
    )
    assert ask(app, "/api/runs", headers=KNOWN).json()["going"] == ["digits"]
    again = ask(app, "/api/runs/digits/resume", "POST", KNOWN, {})
    assert again.status == 400 and "going on" in again.json()["error"]
    assert ask(app, "/api/runs/digits/stop", "POST", KNOWN, {}).status == 200
    _until(lambda: Run.open(place).facts["outcome"] is not None and not being_written(place))
    _until(lambda: ask(app, "/api/runs", headers=KNOWN).json()["going"] == [])
    assert Run.open(place).outcome is descend.Outcome.INTERRUPTED
    steps = Run.open(place).facts["steps"]
    assert ask(app, "/api/runs/digits/resume", "POST", KNOWN, {}).status == 200
    _until(lambda: (Runs(tmp_path / "runs").curve("digits", "loss")["last"] or 0) > steps)
    assert ask(app, "/api/runs/digits/stop", "POST", KNOWN, {}).status == 200
    _until(lambda: ask(app, "/api/runs", headers=KNOWN).json()["going"] == [])
    assert ask(app, "/api/runs/digits/stop", "POST", KNOWN, {}).status == 400


def _until(holds, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("subject", "options", "match"),
    [
        ("", {}, "what to fit"),
        ("--help", {}, "what to fit"),
        ("digits", {"out": "/tmp/x"}, "one of"),
        ("digits", {"resume": True}, "one of"),
    ],
)
def test_what_cannot_be_started_is_said(tmp_path: Path, subject: str, options: dict, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Fits(tmp_path).start(subject, options)


@pytest.mark.parametrize(
    "command", ["", "rm -rf /", "descend watch evil.py", "descend 'fit", "python -m descend fit x"]
)
def test_only_fits_are_gone_on_with(tmp_path: Path, command: str) -> None:
    with pytest.raises(UsageError, match="descend fit"):
        Fits(tmp_path).resume("a", command)


def test_what_a_failed_fit_said_is_told(tmp_path: Path) -> None:
    fits = Fits(tmp_path)
    name = fits.start("nothing.csv", {"target": "y"})
    _until(lambda: not fits.state()["going"])
    assert "nothing.csv" in fits.state()["said"][name]


def test_the_playground_answers(tmp_path: Path) -> None:
    app = lab(tmp_path, TOKEN, 1, {"127.0.0.1:1"})
    catalogue = ask(app, "/api/playground", headers=KNOWN).json()
    assert {"sgd", "adamw", "lbfgs"} <= {m["name"] for m in catalogue["methods"]}
    ground = ask(app, "/api/playground/quadratic", headers=KNOWN).json()
    assert len(ground["heights"]) == 81 and ground["sharpness"] > 0
    walker = {"method": "sgd", "lr": 0.05, "start": [3, -1], "steps": 20}
    found = ask(app, "/api/playground/quadratic/walks", "POST", KNOWN, {"walkers": [walker] * 2}).json()
    assert [len(w["at"]) for w in found["walks"]] == [21, 21]
    far = ask(
        app, "/api/playground/quadratic/walks", "POST", KNOWN, {"walkers": [walker | {"lr": 50}]}
    ).json()
    assert far["walks"][0]["diverged"] is True
    for bad in (
        {"walkers": []},
        {"walkers": [{"start": "x"}]},
        {"walkers": [{"method": "no"}]},
        {"walkers": 3},
    ):
        assert ask(app, "/api/playground/quadratic/walks", "POST", KNOWN, bad).status == 400
    assert ask(app, "/api/playground/moon", headers=KNOWN).status == 400


def test_a_record_that_is_damaged_is_one_sentence(tmp_path: Path) -> None:
    place = run_with(tmp_path, "a", [1.0])
    (place / "record.db").write_bytes(b"nothing" * 1000)
    app = lab(tmp_path, TOKEN, 1, {"127.0.0.1:1"})
    found = ask(app, "/api/runs/a/curve", headers=KNOWN)
    assert found.status == 400 and "\n" not in found.json()["error"]
    assert sqlite3.sqlite_version
