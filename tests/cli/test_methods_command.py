import json

import pytest

import descend.methods as known
from descend.methods.families import FAMILIES


def test_every_method_is_listed_family_by_family(descend, monkeypatch):
    answer = json.loads(descend("methods", "--json").out)
    listed = [row["name"] for row in answer["methods"]]
    assert sorted(listed) == sorted(known.names())
    families = [row["family"] for row in answer["methods"]]
    assert list(dict.fromkeys(families)) == [f for f in FAMILIES if f in families]
    assert families == sorted(families, key=list(FAMILIES).index)
    for row in answer["methods"]:
        assert row["equation"] and row["summary"] and "\n" not in row["equation"]
        assert "lr" in row["hyperparameters"] and row["bytes_per_parameter"] >= 0

    lines = descend("methods").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", *listed]
    assert all(line.count("\t") == 5 for line in lines)
    assert "maximize" not in "".join(lines)

    monkeypatch.setattr("descend.cli.methods.is_terminal", lambda: True)
    said = descend("methods").out
    assert all(name in said for name in known.names())
    assert all(family in said for family in families)


@pytest.mark.parametrize("name", known.names())
def test_a_method_by_name_prints_its_page(descend, name):
    said = descend("methods", name).out
    assert said.startswith(f"# {known.method(name).__name__}\n") and "## Hyperparameters" in said
    answer = json.loads(descend("methods", name.upper(), "--json").out)
    assert answer["name"] == name and answer["summary"] in said
    assert answer["hyperparameters"].keys() == known.method(name).defaults.keys()


def test_a_page_on_a_terminal(descend, monkeypatch):
    monkeypatch.setattr("descend.cli.methods.is_terminal", lambda: True)
    said = descend("methods", "adamw").out
    assert "AdamW" in said and "##" not in said


def test_a_name_that_is_none_is_offered_the_nearest(descend):
    said = descend("methods", "adamx")
    assert said.code == 2 and "adam" in said.err
