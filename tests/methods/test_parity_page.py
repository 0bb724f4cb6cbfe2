"""docs/parity.md: every method, every column, and no figure better than what is found."""

import tomllib
from functools import cache

import pytest
import torch
from cases import CASES, methods
from parity import COLUMNS, PAGE, cells, read, used, why_not

from descend.methods import TABLE

WIDE = [column for column in COLUMNS if column not in ("float32", "bfloat16", "resume")]
EPS = torch.finfo(torch.float64).eps


@cache
def table() -> dict[str, dict[str, str]]:
    """The page's rows: method → column → text."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    header = next(line for line in lines if line[0] == "method")
    return {line[0]: dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)}


def test_every_method_and_every_column():
    assert list(table()) == ["method", *(TABLE[name].__name__ for name in TABLE)]
    assert list(table()["method"]) == ["method", "reference", *COLUMNS]


def test_the_versions_stand_on_the_page():
    text = PAGE.read_text()
    assert all(f"{package} " in text for package in ["torch", *used()])


def test_the_packages_are_in_the_test_extra():
    project = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text())["project"]
    extra = {line.partition(">")[0] for line in project["optional-dependencies"]["test"]}
    assert set(used()) <= extra


@methods
def test_figures(name):
    """The tolerances are the row's: its bound in float64, its factor in narrow formats; resuming is exact."""
    case, row, found = CASES[name], table()[TABLE[name].__name__], cells(name)
    assert row["reference"] == case.source
    for column, value in found.items():
        figures = read(row[column])
        if value is None:
            assert why_not(name, column) is not None
            assert not figures, f"{column}: a dash was expected"
            continue
        values = [x for x in value if x is not None] if isinstance(value, tuple) else [value]
        assert len(figures) == len(values), column
        for x, figure in zip(values, figures, strict=True):
            assert x <= max(10 * figure, 8 * EPS), f"{column}: the page says {figure}, found {x:.1g}"
    assert {c: x for c, x in found.items() if c in WIDE and x is not None and not x <= case.double} == {}
    assert found["resume"] == 0
    for column in ("float32", "bfloat16"):
        if isinstance(found[column], tuple) and found[column][1] is not None:
            mine, theirs = found[column]
            eps = torch.finfo(getattr(torch, column)).eps
            assert mine <= case.rounding * theirs + 8 * eps, (
                f"{column}: {mine:.1g}, the reference {theirs:.1g}"
            )


def test_a_cell_is_read_back():
    assert read("3e-07 (2e-2)") == [3e-7, 2e-2]
    assert read("—[^1]") == []
    with pytest.raises(ValueError):
        read("about 3")
