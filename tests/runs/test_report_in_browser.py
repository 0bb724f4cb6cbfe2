"""Reports in a real browser: on a phone and on a wide screen, light and dark, with the buttons pressed."""

import html
import json
import re
import shutil
import subprocess

import pytest
from sample_runs import RUNS, alarming, finished, hostile

from descend.runs.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--disable-dev-shm-usage"]

# Every run on a phone, the whole one and the one with the longest names on a wide screen too.
FRAMES = [(make, 390) for make in RUNS] + [
    (make, 1280) for make in RUNS if make in (finished, alarming, hostile)
]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")

# Runs inside each report, once it is drawn: looks, presses the buttons, and tells the page around it.
PROBE = """
addEventListener("load", async () => {
  const root = document.documentElement, all = (q, at = document) => [...at.querySelectorAll(q)];
  const press = (q) => { const b = document.querySelector(q); if (b) b.click(); return Boolean(b); };
  for (let i = 0; i < 200 && !root.dataset.ready; i++) await new Promise((done) => setTimeout(done, 20));
  const look = () => ({
    overflow: root.scrollWidth - root.clientWidth,
    wide: all("main *").filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1
      && !e.closest(".scroll, pre, svg, .unseen")).map((e) => e.className || e.tagName).slice(0, 5),
  });
  const plots = all(".plot"), state = { width: root.clientWidth, ...look() };
  state.lines = plots.map((p) => all(".scatterlayer path.js-line, .scatterlayer path.point", p).length);
  state.sizes = plots.map((p) => p.querySelector("svg.main-svg")?.getBoundingClientRect().width ?? 0);
  state.scales = plots.map((p) => p._fullLayout.yaxis.type);
  state.shapes = plots.length ? all(".shapelayer path", plots[0]).length : 0;
  state.ground = getComputedStyle(document.body).backgroundColor;
  state.ink = plots.length ? getComputedStyle(plots[0].querySelector(".xtick text")).fill : null;
  const figure = plots.length && plots[0]._fullLayout.yaxis.type;
  state.pressed = press(`[data-scale="loss"] [aria-pressed="false"]`);
  if (plots.length) state.scale_after = [figure, plots[0]._fullLayout.yaxis.type];
  if (press(`[data-axis] [data-choice="time"]`)) state.axis_after = plots[0]._fullLayout.xaxis.title.text;
  if (press("table.sortable th:nth-child(3) button"))
    state.sorted = all("table.sortable tbody tr").map((row) => Number(row.cells[2].dataset.value));
  if (plots.length > 1) {
    await Plotly.relayout(plots[0], { "xaxis.range[0]": 1, "xaxis.range[1]": 2 });
    await new Promise((done) => setTimeout(done, 60));
    state.followed = plots.slice(1).every((p) => Math.abs(p._fullLayout.xaxis.range[1] - 2) < 1e-9);
  }
  state.after = look();
  state.error = root.dataset.error ?? null;
  parent.postMessage({ name: NAME, state }, "*");
});
"""


def browse(folder, page, dark=False):
    scheme = "--blink-settings=preferredColorScheme=" + ("0" if dark else "1")
    command = [BROWSER, *FLAGS, scheme, f"--user-data-dir={folder / 'profile'}", "--window-size=1700,1000"]
    command += ["--virtual-time-budget=20000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=240)
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return done.stdout.decode()


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Every run's report, in frames of both widths, in one start of the browser."""
    folder = tmp_path_factory.mktemp("seen")
    frames = []
    for make, width in FRAMES:
        name = f"{make.__name__}-{width}"
        at = folder / name
        at.mkdir()
        content = write_report(make(at)).read_text(encoding="utf-8")
        probe = f"<script>{PROBE.replace('NAME', json.dumps(name))}</script></body>"
        (at / "probed.html").write_text(content.replace("</body>", probe), encoding="utf-8")
        frames.append(f'<iframe src="{name}/probed.html" style="width:{width}px;height:900px"></iframe>')
    around = folder / "around.html"
    around.write_text(
        "<!doctype html><body data-seen='{}'><script>const seen = {};"
        "addEventListener('message', (e) => { seen[e.data.name] = e.data.state;"
        f"document.body.dataset.seen = JSON.stringify(seen); }});</script>{''.join(frames)}"
    )
    found = re.search('data-seen="(.*?)"', browse(folder, around))
    assert found, "the browser showed nothing"
    return json.loads(html.unescape(found[1]))


@pytest.fixture(params=[f"{make.__name__}-{width}" for make, width in FRAMES])
def state(request, seen):
    assert request.param in seen, f"the page never finished; {sorted(seen)} did"
    return seen[request.param] | {"name": request.param}


def test_the_page_is_drawn_without_an_error(state):
    assert state["error"] is None
    assert state["width"] == int(state["name"].rpartition("-")[2])
    if not state["name"].startswith("nothing"):
        assert state["lines"], "no figure"
        assert all(state["lines"]), f"figures without a line: {state['lines']}"


def test_nothing_is_wider_than_the_screen(state):
    for look in (state, state["after"]):
        assert look["overflow"] <= 0
        assert look["wide"] == []
    assert all(200 < size <= state["width"] for size in state["sizes"])


def test_the_buttons_do_what_they_say(seen):
    state = seen["finished-1280"]
    assert state["pressed"]
    assert state["scale_after"] == ["log", "linear"]
    assert state["axis_after"] == "seconds"
    assert state["sorted"] == [3072, 2304, 480, 48, 48, 10]
    assert state["followed"]


def test_the_best_step_and_the_break_are_marked(seen):
    assert seen["finished-390"]["shapes"] == 1
    assert seen["not_finite-390"]["shapes"] == 2
    assert seen["cut_off-390"]["shapes"] == 0


def test_the_report_itself_is_dark_where_the_person_wants_it(tmp_path):
    path = write_report(RUNS[0](tmp_path))
    content = path.read_text(encoding="utf-8")
    tell = (
        "addEventListener('load', () => setTimeout(() => { const root = document.documentElement;"
        "root.dataset.ground = getComputedStyle(document.body).backgroundColor;"
        "root.dataset.tick = getComputedStyle(document.querySelector('.plot .xtick text')).fill; }, 200));"
    )
    path.write_text(content.replace("</body>", f"<script>{tell}</script></body>"), encoding="utf-8")
    grounds = {}
    for dark in (False, True):
        opening = browse(tmp_path, path, dark)[:2000]
        assert 'data-ready="true"' in opening
        assert "data-error" not in opening
        for what in ("ground", "tick"):
            values = re.search(rf'data-{what}="rgb\((\d+), (\d+), (\d+)\)"', opening)
            grounds[what, dark] = sum(map(int, values.groups())) / 3
    assert grounds["ground", False] > 200 > 60 > grounds["ground", True]
    assert grounds["tick", False] < 130 < grounds["tick", True]
