"""``descend watch`` and ``descend corpus score``: what they print, and what they leave as it was."""

import json
from pathlib import Path

import pytest

SCRIPT = """
import argparse
import torch
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=30)
steps = parser.parse_args().steps
torch.manual_seed(0)
x = torch.randn(256, 4)
y = (x[:, :1] - x[:, 1:2]).sign()
model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for k in range(steps):
    at = torch.randint(256, (32,))
    {zero}
    loss = F.mse_loss(model(x[at]), y[at])
    loss.backward()
    optimizer.step()
print("the script's own words", steps)
"""


@pytest.fixture
def script(tmp_path):
    def written(zero="optimizer.zero_grad()"):
        file = tmp_path / "train.py"
        file.write_text(SCRIPT.format(zero=zero))
        return str(file)

    return written


def test_a_fault_is_named_and_the_rest_is_left_to_the_script(descend, script):
    said = descend("watch", script("pass"), "--steps", "40")
    assert said.code == 0
    assert "the script's own words 40" in said.out
    assert "1. missing-zero-grad" in said.out and "optimizer.zero_grad()" in said.out
    assert "40 steps" in said.out and "watching took" in said.out


def test_a_sound_run_is_let_alone(descend, script):
    said = descend("watch", script())
    assert said.code == 0 and "Nothing wrong was seen." in said.out


def test_json_is_all_that_is_on_standard_output(descend, script):
    said = descend("watch", "--json", "--steps", "20", script("pass"), "--steps", "500")
    assert said.code == 0 and "own words" not in said.out
    told = json.loads(said.out)
    assert told["steps"] == 20 and told["ended"] == "enough"
    assert told["findings"][0]["cause"] == "missing-zero-grad"
    keys = {"cause", "severity", "confidence", "evidence", "remedy", "effect"}
    assert keys <= told["findings"][0].keys() and told["findings"][0]["severity"] == "error"
    assert told["overhead"] >= 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere.py"], "a Python file"),
        (["--budget", "0", "x.py"], "--budget above 0"),
        (["--steps", "0", "x.py"], "--steps of at least 1"),
        ([], "SCRIPT"),
    ],
)
def test_wrong_use_is_one_line(descend, words, expected):
    said = descend("watch", *words)
    assert said.code == 2 and expected in said.err and len(said.err.strip().splitlines()) == 1


CORPUS = Path(__file__).parents[2] / "corpus"


def test_the_corpus_is_scored(descend, tmp_path):
    said = descend("corpus", "score", "--json", "--folder", str(CORPUS), "--name", "digits_trainer_class")
    assert said.code == 0
    told = json.loads(said.out)
    assert (told["faulty"], told["healthy"], told["first"]) == (1, 0, 1.0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["corpus", "mend"], "descend corpus score"),
        (["corpus", "score", "--half", "third"], "--half"),
        (["corpus", "score", "--name", "nobody"], "the name of a program"),
        (["corpus", "score", "--folder", "nowhere"], "the folder corpus/"),
    ],
)
def test_wrong_use_of_the_corpus(descend, words, expected):
    said = descend(*words)
    assert said.code == 2 and expected in said.err
