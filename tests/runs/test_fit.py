"""From a problem to a finished run, and back to it after whatever happened."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

import descend
from descend import DataError, Outcome, Problem, Run, RunError, Until
from descend.descent.record import read_events


def line(**options: object) -> Problem:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 96)[:, None]
    y = 3 * x + 1
    return Problem(
        nn.Linear(1, 1), "mse", train=(x[::2], y[::2]), validation=(x[1::2], y[1::2]), metric="r2", **options
    )


def test_a_run_says_all_that_the_contract_names(tmp_path: Path) -> None:
    run = descend.fit(
        line(name="line"), "adamw", lr=0.05, until=Until(steps=200), out=tmp_path / "a", batch_size=16
    )
    assert run.outcome is Outcome.OUT_OF_STEPS
    assert run.loss < 0.1
    assert run.facts["metrics"]["r2"] > 0.9
    assert run.facts["metrics"]["r2"] == run.facts["metrics"]["r2/validation"]
    steps, losses = run.metrics("loss")
    assert steps == list(range(1, 201))
    assert all(math.isfinite(x) for x in losses)
    assert {"loss/validation", "r2/validation", "learning-rate", "gradient/norm", "update/ratio"} <= set(
        run.series()
    )
    assert run.model(torch.zeros(1, 1)).item() == pytest.approx(1, abs=0.3)
    assert set(run.parameters) == {"weight", "bias"}
    assert run.report().read_text().startswith("<!doctype html>") or run.report().exists()
    again = Run.open(tmp_path / "a")
    assert again.facts == run.facts
    assert {row["name"]: row["count"] for row in again.facts["parameters"]} == {"weight": 1, "bias": 1}
    assert json.loads((tmp_path / "a" / "run.json").read_text())["format"] == 1


def test_no_pickle_is_written(tmp_path: Path) -> None:
    run = descend.fit(line(), until=Until(steps=5), out=tmp_path / "a")
    for file in run.folder.iterdir():
        assert file.read_bytes()[:2] not in (b"\x80\x04", b"\x80\x02", b"PK"), file.name


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    runs = [
        descend.fit(line(), until=Until(steps=50), out=tmp_path / name, seed=3, threads=1) for name in "ab"
    ]
    other = descend.fit(line(), until=Until(steps=50), out=tmp_path / "c", seed=4, batch_size=8, threads=1)
    a, b = (r.parameters for r in runs)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], other.parameters[k]) for k in a)


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    descend.fit(line(), until=Until(steps=5), out=tmp_path / "a")
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir() if p.is_file()}
    with pytest.raises(RunError, match="--resume"):
        descend.fit(line(), until=Until(steps=5), out=tmp_path / "a")
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 0.2}, "lr"),
        ({"method": "sgd"}, "method"),
        ({"batch_size": 7}, "batch_size"),
        ({"seed": 9}, "seed"),
    ],
)
def test_resuming_with_other_settings_says_which_differ(tmp_path: Path, change: dict, named: str) -> None:
    descend.fit(line(), until=Until(steps=5), out=tmp_path / "a")
    with pytest.raises(RunError, match=named):
        descend.fit(line(), until=Until(steps=5), out=tmp_path / "a", resume=True, **change)


def test_resuming_a_finished_run_gives_it_back(tmp_path: Path) -> None:
    first = descend.fit(line(), until=Until(steps=5), out=tmp_path / "a")
    again = descend.fit(line(), until=Until(steps=5), out=tmp_path / "a", resume=True)
    assert again.outcome is first.outcome
    assert again.metrics("loss") == first.metrics("loss")


def test_resuming_where_nothing_is_starts(tmp_path: Path) -> None:
    assert descend.fit(line(), until=Until(steps=5), out=tmp_path / "a", resume=True).facts["steps"] == 5


def test_what_never_took_a_step_leaves_no_folder(tmp_path: Path) -> None:
    problem = Problem(nn.Linear(1, 2), "mse", train=(torch.ones(9, 1), torch.ones(9, 3)))
    with pytest.raises(DataError, match="one shape"):
        descend.fit(problem, until=Until(steps=5), out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_an_interrupt_saves_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole = descend.fit(line(), until=Until(steps=2500), out=tmp_path / "whole", threads=1)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    run = descend.fit(line(), until=Until(steps=2500), out=tmp_path / "cut", threads=1)
    timer.join()
    if run.outcome is Outcome.INTERRUPTED:
        assert not run.finished
        run = descend.fit(line(), until=Until(steps=2500), out=tmp_path / "cut", threads=1, resume=True)
    assert run.outcome is Outcome.OUT_OF_STEPS
    assert all(torch.equal(v, run.parameters[k]) for k, v in whole.parameters.items())
    assert run.metrics("loss") == whole.metrics("loss")


def test_a_diverged_run_keeps_what_it_has(tmp_path: Path) -> None:
    run = descend.fit(line(), "sgd", lr=50.0, until=Until(steps=500), out=tmp_path / "a")
    assert run.outcome.failed
    assert (run.folder / "report.html").exists()
    assert all(p.isfinite().all() for p in run.parameters.values())


# A run is killed again and again in a fork of one process that has imported torch once: each start costs
# a tenth of a second instead of three.
KILLED = """
import os, random, signal, sys, time, hashlib
import torch
from torch import nn
import descend

torch.manual_seed(0)
x = torch.randn(400, 6)
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
problem = descend.Problem(model, "cross_entropy", train=(x[100:], x[100:, :3].argmax(1)),
                          validation=(x[:100], x[:100, :3].argmax(1)), metric="accuracy")

def child(folder):
    pid = os.fork()
    if pid:
        return pid
    try:
        until = descend.Until(steps=2500)
        descend.fit(problem, until=until, out=folder, threads=1, resume=True, save_every=0.02)
        os._exit(0)
    except BaseException as error:
        print("FAILED", repr(error), flush=True)
        os._exit(1)

# What is imported and compiled late is so once, before the forks: else most kills would fall into that.
descend.fit(problem, until=descend.Until(steps=20), out=sys.argv[1] + "-first", threads=1)

folder, kills, chance = sys.argv[1], int(sys.argv[2]), random.Random(int(sys.argv[3]))
killed = 0
while killed < kills:
    pid = child(folder)
    time.sleep(chance.uniform(0.0, 0.35))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    killed += 1
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(1)
pid = child(folder)
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("seed", [1])
def test_killed_thirty_times_it_ends_with_the_same_bits(tmp_path: Path, seed: int) -> None:
    for name, kills in (("whole", 0), ("killed", 30)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / name), str(kills), str(seed)],
            capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    whole, killed = Run.open(tmp_path / "whole"), Run.open(tmp_path / "killed")
    assert killed.outcome is Outcome.OUT_OF_STEPS
    for name, value in whole.parameters.items():
        assert torch.equal(value, killed.parameters[name]), name
    for series in set(whole.series()) - {"time/elapsed(s)"}:
        assert killed.metrics(series) == whole.metrics(series), series
    with sqlite3.connect(tmp_path / "killed" / "record.db") as db:
        (count,) = db.execute("select count(*) from metrics where name = 'loss'").fetchone()
    assert count == 2500
    resumed = {step for step, _, kind, _ in read_events(killed.folder / "record.db") if kind == "resumed"}
    assert len(resumed) > 3, "it was never killed in the middle: the test showed nothing"
