"""`descend drive`: a run that learned to steer drives on."""

import json

import pytest

pytest.importorskip("highway_env")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from descend.applications import driving
    from descend.cli.main import run

    folder = tmp_path_factory.mktemp("drive") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driving, "CHOOSING", 4)
        patch.setitem(driving.LONGER, "lane-keeping", 5)
        patch.setitem(driving.EXAMINED, "lane-keeping", 1)
        words = ["fit", "Lane_Keeping", "--steps", "3", "--batch-size", "4", "--out", str(folder)]
        assert run([*words, "--quiet", "--no-watch"]) == 0
    return folder


def test_it_drives(descend, trained):
    said = descend("drive", trained, "--seeds", 2)
    assert (said.code, said.err) == (0, "")
    told = dict(line.split("\t") for line in said.out.splitlines())
    assert told.keys() == {"left-the-road", "laps", "reward", "lateral-error-driven(m)"}


def test_as_json_and_filmed(descend, trained, tmp_path, monkeypatch):
    from descend.functions.environments import TASKS, Task

    task = TASKS["lane-keeping"]
    monkeypatch.setitem(TASKS, "lane-keeping", Task(task.environment, task.simulation, 5, task.config))
    film = tmp_path / "out.gif"
    answer = json.loads(descend("drive", trained, "--seed", 3, "--video", film, "--json").out)
    assert answer["road"] == "lane-keeping" and answer["video"] == str(film) and film.stat().st_size > 1000
    assert [one["seed"] for one in answer["drives"]] == [3]
    again = json.loads(descend("drive", trained, "--seed", 3, "--json").out)
    assert again["drives"] == answer["drives"]
    (row,) = json.loads(descend("predict", trained, "3", "--json").out)["predictions"]
    assert row == answer["drives"][0]


def test_to_a_person(descend, trained, monkeypatch):
    monkeypatch.setattr("descend.cli.drive.is_terminal", lambda: True)
    said = descend("drive", trained)
    assert "seed 0:" in said.out and "of 1" in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--video", "out.avi"], "a film's name, ending in .mp4 or .gif"),
        (["--video", "nowhere/out.mp4"], "whose folder does not exist"),
        (["--seeds", "0"], "--seeds"),
        (["--laps", "x"], "--laps"),
    ],
)
def test_wrong_words(descend, trained, words, said):
    answer = descend("drive", trained, *words)
    assert answer.code == 2 and said in answer.err and answer.err.count("\n") == 1


def test_a_run_of_something_else(descend, tmp_path):
    assert descend("fit", "rosenbrock", "--steps", 3, "--out", tmp_path / "r", "--quiet").code == 0
    said = descend("drive", tmp_path / "r")
    assert said.code == 2 and "learned to drive" in said.err


def test_without_the_extra(descend, trained, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highway_env", None)
    for words in (["fit", "driving"], ["drive", trained]):
        said = descend(*words)
        assert said.code == 2 and "pip install 'descend[driving]'" in said.err and said.err.count("\n") == 1
