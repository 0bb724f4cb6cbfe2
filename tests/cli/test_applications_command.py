"""``descend applications``: every page is listed, with what it was measured to reach."""

import json
from pathlib import Path

import pytest

from descend.applications import names, reached

PAGES = {"__init__", "names", "reached", "targets"}
"""Files beside the pages that are none."""
PARTS = ("**The function**", "**Its parameters**", "**The loss**", "**The data**", "Change first")
"""What every page says."""


def test_every_page_is_listed(descend):
    answer = json.loads(descend("applications", "--json").out)
    listed = {row["name"]: row for row in answer["applications"]}
    folder = Path(names.__file__).parent
    assert set(listed) == {p.stem for p in folder.glob("*.py")} - PAGES
    for name, row in listed.items():
        page = (folder / f"{name}.py").read_text()
        assert page.count("\n") < 250
        for part in (
            "**The function**",
            "**Its parameters**",
            "**The loss**",
            "**The data**",
            "Change first",
        ):
            assert part in page, (name, part)
        assert row["train"].startswith("descend fit") and row["use"].startswith("descend ")
    lines = descend("applications").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["name", *listed]


def test_on_a_terminal(descend, monkeypatch):
    monkeypatch.setattr("descend.cli.applications.is_terminal", lambda: True)
    said = descend("applications").out
    assert all(one.use in said for one in names.APPLICATIONS.values())


def test_figures_are_said_with_their_range_and_peers(tmp_path, monkeypatch):
    own = {"what": "bits a character", "seconds": 1200, "peers": {"another": [2.0]}, "command": "c"}
    saved = {"language": [{**own, "values": [1.52, 1.5, 1.51], "machine": "m", "date": "d"}]}
    monkeypatch.setattr(reached, "FILE", tmp_path / "reached.json")
    assert reached.figures("language") == []
    reached.FILE.write_text(json.dumps(saved))
    (figure,) = reached.figures("language")
    assert str(figure) == "1.51 (1.5–1.52) bits a character, 20 min of training (beside it: another 2)"
    assert reached.figures("chess") == []


@pytest.mark.parametrize("name", names.BUILT_IN)
def test_built_in_names_make_problems(name):
    from descend.applications.targets import built_in_names

    assert names.application_name(name.upper().replace("-", "_")) == name
    assert name in built_in_names()
