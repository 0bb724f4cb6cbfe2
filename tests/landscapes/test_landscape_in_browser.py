"""Landscapes in a real browser: drawn, switched and walked, on a desk and on a phone."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import descend

playwright = pytest.importorskip("playwright.sync_api")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a landscape, a line and a report that has one."""
    folder = tmp_path_factory.mktemp("pages")
    torch.manual_seed(0)
    x = torch.randn(300, 4)
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    problem = descend.Problem(network, "mse", train=(x, x.sum(1, keepdim=True).sin()), name="<b>sine</b>")
    run = descend.fit(problem, until=descend.Until(steps=200), out=folder / "run", threads=1)
    seen = descend.landscape(run, problem=problem, points=21)
    from descend.landscapes.saving import keep

    keep(seen, run)
    line = descend.landscape(run, "random", problem=problem, points=21, dimensions=1)
    return {
        "plane": seen.save(folder / "plane.html"),
        "line": line.save(folder / "line.html"),
        "report": run.folder / "report.html",
    }


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["plane", "line", "report"])
def test_pages_are_drawn(pages: dict[str, Path], kind: str, width: int) -> None:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        wrong: list[str] = []
        # Without a GPU plotly's surface is drawn by software, of which Chromium warns.
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(pages[kind].as_uri())
        page.wait_for_function("document.documentElement.dataset.landscape === 'contours'")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.locator("#landscape-plot svg.main-svg").first.bounding_box()["width"] > 250
        if kind == "plane":
            assert page.locator("h1").count() == 1 and page.locator("b b").count() == 0
            page.get_by_role("button", name="surface").click()
            page.wait_for_function("document.documentElement.dataset.landscape === 'surface'")
        assert not wrong
        assert page.evaluate("document.documentElement.dataset.error ?? ''") == ""
        browser.close()
