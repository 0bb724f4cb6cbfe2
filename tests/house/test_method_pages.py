"""Every method has a page, which says what its docstring says, and a picture, which shows what it does."""

import importlib.util
import re
from pathlib import Path

import pytest

from descend.methods import CURVATURE, LAYERED, TABLE
from descend.methods.families import FAMILIES
from descend.methods.page import linked, page

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "methods"
DRAWN = {**TABLE, **CURVATURE}
METHODS = {**DRAWN, **LAYERED}
ANEW = "run: python docs/write_methods.py"

methods = pytest.mark.parametrize("name", list(METHODS))


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("write_methods", ROOT / "docs" / "write_methods.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@methods
def test_a_page_is_complete(name: str) -> None:
    said = page(name)
    assert said.family in FAMILIES, f"{METHODS[name].__module__} is not in descend/methods/families.py"
    assert said.summary and said.equation and said.memory and "```" in said.equations
    missing = [h for h, (_, role) in said.hyperparameters.items() if not role]
    assert not missing, f"Args does not say what {missing} are for"
    assert said.use, "the docstring lacks: Use it when: ..."
    assert re.search(r"\d{4}", said.source), "the docstring lacks: Source: authors year, arXiv:NNNN.NNNNN."
    assert said.example.startswith(">>>"), "the docstring lacks: Example:"
    assert ("arXiv:" in said.source) == ("https://arxiv.org/abs/" in linked(said.source))


@methods
def test_a_page_is_what_the_docstring_says(name: str, writer) -> None:
    file = FOLDER / f"{name}.md"
    assert file.exists() and (name not in DRAWN or writer.picture_of(name).exists()), ANEW
    assert file.read_text(encoding="utf-8") == writer.page_text(name), ANEW


@pytest.mark.parametrize("name", list(DRAWN))
def test_a_picture_shows_what_the_method_does(name: str, writer) -> None:
    picture = writer.picture_of(name).read_text(encoding="utf-8")
    assert len(picture.encode()) <= 25_000
    caption, lr, loss = writer.pictures.told(picture)
    walked = writer.pictures.walk(METHODS[name], lr)
    # A walk that swings between the valley's walls multiplies the last place of other machines.
    assert walked.losses[-1] == pytest.approx(loss, rel=0.05), f"{ANEW} --pictures {name}"
    assert f"{loss:.3g}" in caption


def test_the_index_is_current_and_nothing_is_left_over(writer) -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == writer.index_text(), ANEW
    assert {p.stem for p in FOLDER.glob("*.md")} == {*METHODS, "README"}, ANEW
    assert {p.stem for p in FOLDER.glob("pictures/*")} == set(DRAWN), ANEW


def test_links_resolve() -> None:
    for file in FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (file.parent / target).exists(), f"{file.name} links to {target}"
