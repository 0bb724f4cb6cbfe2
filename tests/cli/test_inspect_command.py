"""``descend inspect``: one page for a person, one object for a program, one sentence where it cannot."""

import json

import pytest

FILE = """
import descend, torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(128, 6)
y = x[:, :3].argmax(1)
print("noise")
class Loud(nn.Linear):
    def forward(self, x):
        print("more noise")
        return super().forward(x)
problem = descend.Problem(nn.Sequential(Loud(6, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1)),
                          "cross_entropy", train=(x, y))
bad = descend.Problem(nn.Linear(6, 2), "cross_entropy", train=(x, y))
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FILE)
    return "mine.py:problem"


def test_a_page_for_a_person(descend, file):
    said = descend("inspect", file, "--seconds", 3)
    assert said.code == 0 and "noise" not in said.out and "more noise" in said.err
    for words in ("parameters", "One step", "FLOP", "Before training", "ln 3 = 1.099", "What to change"):
        assert words in said.out
    assert "Leave out the softmax" in said.out and "Measured:" in said.out
    assert max(map(len, said.out.splitlines())) <= 100


def test_one_object_for_a_program(descend, file):
    said = descend("inspect", file, "--seconds", 3, "--json")
    answer = json.loads(said.out)
    assert said.code == 0 and answer["parameters"] == 6 * 16 + 16 + 16 * 3 + 3
    assert [row["kind"] for row in answer["layers"]] == ["Loud", "ReLU", "Linear", "Softmax"]
    assert answer["cost"]["flops/forward"] == 2 * 64 * (6 * 16 + 16 * 3)
    assert answer["advice"][0].keys() == {"change", "evidence", "where"}
    assert {"chance", "depth", "one_batch", "widths", "seconds"} <= answer.keys()


def test_a_surface(descend):
    said = descend("inspect", "rosenbrock", "--seconds", 2)
    assert said.code == 0 and said.out.count("Not measured") >= 4
    json.loads(descend("inspect", "rosenbrock", "--json", "--seconds", 2).out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inspect"], ["TARGET"]),
        (["inspect", "digitz"], ["digits"]),
        (["inspect", "mine.py:bad", "--seconds", "2"], ["classes 0 to 1", "class 2", "3 outputs"]),
        (["inspect", "digits", "--seconds", "0"], ["--seconds"]),
        (["inspect", "digits", "--target", "x"], ["--target"]),
        (["inspect", "digits", "--device", "tpux"], ["--device cpu"]),
    ],
)
def test_one_sentence_where_it_cannot(descend, file, words, says):
    said = descend(*words)
    assert said.code == 2 and not said.out and said.err.count("\n") - said.err.count("noise") == 1
    assert all(word in said.err for word in says)
