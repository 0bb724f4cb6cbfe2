"""The corpus is what its headers say: read without running any of it (``corpus/check.py`` runs it)."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from descend.diagnosing.causes import CAUSES

sys.path.insert(0, str(Path(__file__).parents[2] / "corpus"))

import programs as corpus

PROGRAMS = corpus.programs()
PRACTICE = corpus.practice()


def test_there_are_enough_and_every_cause_has_two_disguises():
    counts = Counter(p.kind for p in PROGRAMS)
    assert counts["faulty"] >= 80 and counts["healthy"] >= 80
    causes = Counter(p.cause for p in PROGRAMS if p.kind == "faulty")
    assert causes.keys() == CAUSES.keys() and min(causes.values()) >= 2
    assert len({p.family for p in PROGRAMS}) >= 12


def test_half_of_each_is_set_aside():
    for kind in ("faulty", "healthy"):
        aside = [corpus.set_aside(p.name) for p in PROGRAMS if p.kind == kind]
        assert abs(sum(aside) / len(aside) - 0.5) < 0.05
    for cause in CAUSES:
        sides = {corpus.set_aside(p.name) for p in PROGRAMS if p.cause == cause}
        assert sides == {True, False}, cause
    names = {p.name for p in PROGRAMS}
    assert corpus._set_aside() <= names


def test_what_is_practised_on_is_not_measured():
    assert not {p.name for p in PRACTICE} & {p.name for p in PROGRAMS}


@pytest.mark.parametrize("program", [*PROGRAMS, *PRACTICE], ids=lambda p: p.name)
def test_a_program_is_python_and_so_is_its_repair(program):
    text = program.path.read_text(encoding="utf-8")
    compile(text, program.name, "exec")
    assert "descend.watch" not in text and "diagnos" not in text.partition('"""')[2].partition('"""')[2]
    if program.kind == "faulty":
        mended = corpus.repaired(program)
        compile(mended, program.name, "exec")
        assert mended != text
