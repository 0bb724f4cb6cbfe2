"""Public names are listed once, documented, and importable."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import descend

ROOT = Path(__file__).parents[2]
MODULES = [
    m.name for m in pkgutil.walk_packages(descend.__path__, "descend.") if not m.name.endswith("__main__")
]


def test_the_list_is_complete_and_sorted_by_place() -> None:
    assert set(descend.__all__) == set(descend._PLACES)
    for name in descend.__all__:
        assert getattr(descend, name) is not None


@pytest.mark.parametrize("name", descend.__all__)
def test_public_names_are_documented(name: str) -> None:
    thing = getattr(descend, name)
    assert inspect.getdoc(thing), name
    if inspect.isfunction(thing):
        doc = inspect.getdoc(thing) or ""
        for parameter in inspect.signature(thing).parameters:
            assert re.search(rf"^\s+\**{parameter}(,|:)|, {parameter}:", doc, re.M), f"{name}: {parameter}"


def test_every_method_is_public() -> None:
    for cls in descend.methods.TABLE.values():
        assert getattr(descend, cls.__name__) is cls


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name
)
def test_links_in_the_docs_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http", "mailto")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
