"""``descend watch --prove`` and ``descend corpus score --prove``: promises, and whether they are kept."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copy

import pytest

from descend.diagnosing.scoring_proofs import better

PROGRAMS = Path(__file__).parents[2] / "corpus" / "programs.py"
SCRIPT = '''"""A line through noisy points.

family: linear
metric: mean squared error, lower
{header}
"""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x = torch.randn(256, 4)
y = x[:, :1] - 2 * x[:, 1:2] + 0.1 * torch.randn(256, 1)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr={lr})
for k in range(60):
    at = torch.randint(256, (32,))
    optimizer.zero_grad()
    F.mse_loss(model(x[at]), y[at]).backward()
    optimizer.step()
print("metric:", F.mse_loss(model(x), y).item())
'''
FAULT = """cause: learning-rate-too-high
repair:
    - optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
    + optimizer = torch.optim.SGD(model.parameters(), lr=0.05)"""


@pytest.fixture
def script(tmp_path):
    def written(lr, header=""):
        file = tmp_path / "line.py"
        file.write_text(SCRIPT.format(lr=lr, header=header))
        return str(file)

    return written


def test_a_remedy_is_tried_on_captured_steps(descend, script):
    said = descend("watch", "--json", "--prove", "20", script(5.0))
    assert said.code == 0
    told = json.loads(said.out)
    assert told["proof"]["replayed"] == 8 and told["proof"]["tried"] and not told["proof"]["reason"]
    first = told["findings"][0]
    assert first["cause"] == "learning-rate-too-high" and first["effect"].count("it helps")


def test_the_effect_is_told_to_a_person(descend, script):
    said = descend("watch", "--prove", "20", script(5.0))
    assert said.code == 0 and "Tried: With the learning rate divided by" in said.out


def test_time_for_proving_is_above_zero(descend, script):
    said = descend("watch", "--prove", "0", script(0.1))
    assert said.code == 2 and "--prove above 0" in said.err


@pytest.mark.parametrize("remedy", ["rate:0.01", "clip", "cleared", "initialised:", "standardised"])
def test_a_remedy_is_applied_from_the_start(tmp_path, script, remedy):
    command = [sys.executable, "-m", "descend", "watch", "--apply", remedy, script(5.0)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    metric = float(done.stdout.split("metric:")[1])
    assert remedy != "rate:0.01" or metric < 1.5


def test_what_hooks_cannot_apply_is_said(descend, script):
    said = descend("watch", "--apply", "magic", script(0.1))
    assert said.code == 2 and "a remedy that hooks can apply" in said.err


def test_promises_are_counted(descend, script, tmp_path):
    folder = tmp_path / "corpus"
    for kind in ("faulty", "healthy"):
        (folder / kind).mkdir(parents=True)
    copy(PROGRAMS, folder / "programs.py")
    (folder / "set_aside.txt").write_text("")
    copy(script(5.0, FAULT), folder / "faulty" / "line.py")
    options = ["--prove", "--seconds", "20", "--half", "all", "--folder", str(folder)]
    said = descend("corpus", "score", *options, "--json")
    told = json.loads(said.out)
    assert told["programs"] == told["replayed"] == told["proved"] == 1 and told["improve"] == 1.0
    kept = told["results"][0]["proved"][0]
    assert kept["by"] == "repair" and kept["improved"]


def test_better_is_strictly_better():
    assert better(0.5, 0.4, higher=False) and better(0.5, 0.6, higher=True)
    assert not better(0.5, 0.5, higher=True) and not better(0.5, float("nan"), higher=False)
    assert better(float("inf"), 3.0, higher=False)
