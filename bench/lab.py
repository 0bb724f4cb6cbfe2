"""The lab in headless Chromium: frames a second, the first picture, bytes, following a run, many runs.

    python bench/lab.py [--only playground|following|many] [--json FILE]

- Frames: four methods on Rosenbrock's valley, at 1280 × 800, while they play; the mean over four seconds of
  what ``requestAnimationFrame`` came to.
- First picture: from asking for the page until the ways are drawn, the best of five, the server being warm.
- Bytes: of everything that the page asks for before it plays.
- Following: one ``descend fit digits``, with a page that follows it and with one that does not, in turns of
  two seconds; updates a second on the page, and by how much fewer steps a second are taken meanwhile (mean
  over the turns, with twice its standard error).
- Many runs: a folder of 10,000, of which one has a million recorded steps: until the list, and the curve, are
  on the screen.
"""

import argparse
import json
import math
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from descend.descent.record import Record, read_series
from descend.runs.run import Run

FOUR = "#/play?scene=rosenbrock&balls=sgd:0.001:0;momentum:0.0005:0.9;adam:0.03:;rmsprop:0.01:&steps=1000"
SECONDS, TURN, MANY = 240, 2, 10_000
ELAPSED = "time/elapsed(s)"


@contextmanager
def lab(runs: Path) -> Iterator[str]:
    """Open the lab; its address."""
    command = [
        sys.executable,
        "-m",
        "descend",
        "lab",
        "--no-browser",
        "--json",
        "--port",
        "0",
        "--runs",
        str(runs),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(2)
        process.wait(20)


def opened(browser: Browser, address: str) -> Page:
    """Open a page of the lab."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(address)
    return page


def until(page: Page, expression: str) -> None:
    """Wait until an expression holds; the page's policy lets nothing inside it evaluate texts."""
    while not page.evaluate(expression):
        page.wait_for_timeout(5)


def walked(page: Page) -> None:
    """Wait for the ways."""
    until(page, "Number(document.documentElement.dataset.walked ?? 0) > 0")


def playground(browser: Browser, address: str) -> dict[str, float]:
    """Measure the playground."""
    page = opened(browser, address)
    walked(page)  # the server makes its scenes
    page.context.close()
    times, size = [], 0
    for _ in range(5):
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        began = time.perf_counter()
        page.goto(address)
        walked(page)
        times.append(time.perf_counter() - began)
        page.wait_for_timeout(300)
        size = page.evaluate(
            "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
            ".reduce((sum, entry) => sum + entry.decodedBodySize, 0)"
        )
        page.context.close()
    page = opened(browser, address + FOUR)
    walked(page)
    page.click("#play")
    page.wait_for_timeout(4000)
    frames = float(page.evaluate("document.documentElement.dataset.fps"))
    page.context.close()
    return {"frames/s": frames, "first picture(s)": min(times), "bytes": size}


def following(browser: Browser, address: str, runs: Path) -> dict[str, float]:
    """Measure what following costs: one run, looked at and left alone in turns."""
    words = ["fit", "digits", "--seconds", str(SECONDS), "--threads", "1", "--no-watch", "-q"]
    process = subprocess.Popen([sys.executable, "-m", "descend", *words, "--out", str(runs / "followed")])
    record = runs / "followed" / "record.db"
    page = opened(browser, address)
    began = time.perf_counter() + 4
    late = math.inf  # how far the record's clock, which is the process's, is behind ours
    while time.perf_counter() < began:
        if record.exists() and (times := read_series(record, ELAPSED)[1]):
            late = min(late, time.perf_counter() - times[-1])
        time.sleep(0.01)
    turns, updates = [], []
    while time.perf_counter() - late + 2 * TURN + 1 < SECONDS:
        for followed in (True, False):
            page.evaluate("location.hash = '#/runs/followed'" if followed else "location.hash = '#/explain'")
            page.wait_for_timeout(1000)  # opening it is not following it
            first = time.perf_counter() - late
            page.wait_for_timeout(1000 * TURN)
            turns.append((first, time.perf_counter() - late))
            if followed:
                updates.append(float(page.evaluate("document.documentElement.dataset.updates ?? '0'")))
    process.wait()
    page.context.close()
    steps, times = read_series(record, ELAPSED)
    paces = [float(np.interp(b, times, steps) - np.interp(a, times, steps)) / (b - a) for a, b in turns]
    # Each turn alone beside the mean of the followed ones around it: a drift of the machine falls out.
    followed, alone = paces[::2], paces[1::2]
    ratios = [1 - (f + g) / 2 / a for f, a, g in zip(followed, alone, followed[1:], strict=False)]
    half = 2 * statistics.stdev(ratios) / len(ratios) ** 0.5
    return {"updates/s": statistics.median(updates), "cost": statistics.mean(ratios), "cost/±": half}


def many(browser: Browser, folder: Path) -> dict[str, float]:
    """Measure the list of many runs, and the curve of a long one."""
    first = Run.create(folder / "run-0", {"name": "run-0"})
    facts = first.facts | {
        "parameters": [{"name": f"layers.{k}.weight", "shape": [64, 64]} for k in range(20)]
    }
    first.unlock()
    text = json.dumps(facts)
    for k in range(1, MANY):
        place = folder / f"run-{k}"
        place.mkdir()
        (place / "run.json").write_text(text.replace("run-0", place.name))
    long = Run.create(folder / "long", {"name": "long"})
    record = Record(long.folder / "record.db")
    values = (
        np.exp(-np.linspace(0, 6, 1_000_000)) + 0.01 * np.random.default_rng(0).normal(size=1_000_000) ** 2
    )
    for k in range(0, 1_000_000, 50_000):
        record.extend("loss", range(k + 1, k + 50_001), values[k : k + 50_000].tolist())
        record.flush()
    record.close()
    long.unlock()
    with lab(folder) as address:
        page = opened(browser, address)
        page.wait_for_selector("html[data-ready]")
        began = time.perf_counter()
        page.evaluate("location.hash = '#/runs'")
        until(page, f"document.documentElement.dataset.listed === '{MANY + 1}'")
        listed = time.perf_counter() - began
        began = time.perf_counter()
        page.evaluate("location.hash = '#/runs/long'")
        until(page, "document.querySelector('.keys') !== null")  # Playwright's own waiting looks seldom
        curve = time.perf_counter() - began
        page.context.close()
    return {"list(s)": listed, "curve(s)": curve}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=("playground", "following", "many"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        runs = Path(place, "runs")
        runs.mkdir()
        with lab(runs) as address:
            if given.only in (None, "playground"):
                found |= playground(browser, address)
            if given.only in (None, "following"):
                found |= following(browser, address, runs)
        if given.only in (None, "many"):
            folder = Path(place, "many")
            folder.mkdir()
            found |= many(browser, folder)
        version = browser.version
        browser.close()
    print(f"Chromium {version}, headless, without a GPU; {platform.processor() or 'CPU'}")
    for name, value in found.items():
        print(f"{name:>18}  {value:.4g}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
