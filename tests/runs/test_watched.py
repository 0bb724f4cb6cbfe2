"""A fit is watched: nothing is touched, what is wrong is found and proved, and bounds hold."""

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import descend
from descend import Outcome, Problem, Run, RunError, Settings, Until, UsageError
from descend.applications.targets import problem_from_target
from descend.cli.main import run as command
from descend.cli.summary import as_json, summarise
from descend.descent.descent import Descent
from descend.descent.record_file import read_findings, write_findings
from descend.diagnosing import detectors
from descend.diagnosing.finding import Finding
from descend.runs import watched
from descend.watching.losses import Losses
from descend.watching.of_descent import DescentWatcher

SETTINGS = Settings("adamw", lr=2e-2, batch_size=64, steps=300, schedule="cosine", warmup=0.05)


def digits(factor: float = 1.0, layers: tuple[nn.Module, ...] = (), **changes: object) -> Problem:
    """The digits with a small network: a step takes a fraction of a millisecond."""
    known = problem_from_target("digits")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), *layers, nn.Linear(32, 10))
    train, held_out = ((x / 8 - 1, y) for x, y in (d.tensors for d in (known.train, known.validation)))
    settings = replace(SETTINGS, **{"lr": 2e-2 * factor, **changes})
    return Problem(
        network, "cross_entropy", train=train, validation=held_out, metric="accuracy", settings=settings
    )


class Interrupting:
    """Stops the descent after a step."""

    def __init__(self, step: int):
        self.every_seconds, self.step = 0.0, step

    def look(self, descent: Descent, now: object) -> None:
        descent.stop_requested = descent.stop_requested or descent.steps >= self.step


def same(a: Run, b: Run) -> bool:
    return all(torch.equal(x, b.parameters[k]) for k, x in a.parameters.items())


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": (nn.Dropout(0.3), nn.BatchNorm1d(32))},
        {"accumulate": 3},
        {"method": "sophia", "lr": 1e-3},
        {"hyperparameters": {"sam": 0.05}},
    ],
    ids=["dropout", "accumulated", "curved", "twice"],
)
def test_parameters_are_the_same_bits_also_when_resumed(tmp_path: Path, changes: dict) -> None:
    problem, until = digits(**changes), Until(steps=400)
    options = {"until": until, "threads": 1, "prove": 0}
    plain = descend.fit(problem, out=tmp_path / "plain", watch=False, **options)
    seen = descend.fit(problem, out=tmp_path / "seen", watch=True, **options)
    assert same(plain, seen)
    assert plain.metrics("loss") == seen.metrics("loss")
    part = descend.fit(problem, out=tmp_path / "part", observers=[Interrupting(150)], **options)
    assert part.outcome is Outcome.INTERRUPTED
    again = descend.fit(problem, out=tmp_path / "part", resume=True, **options)
    assert again.outcome is Outcome.OUT_OF_STEPS and same(plain, again)
    assert "watching" not in plain.facts and seen.facts["watching"]["windows"] > 0


def test_a_sound_fit_is_quiet_and_a_resumed_one_is_too(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    problem, options = digits(), {"until": Until(steps=600), "threads": 1}
    part = descend.fit(problem, out=tmp_path / "a", observers=[Interrupting(500)], **options)
    run = descend.fit(problem, out=tmp_path / "a", resume=True, **options)
    for one in (part, run):
        assert [f.cause for f in one.findings if f.severity != "info"] == []
    assert run.facts["watching"]["proof"] is None
    capsys.readouterr()
    summarise(run)
    assert "warning" not in capsys.readouterr().out
    assert "Nothing wrong was seen." in run.report().read_text()


def test_what_is_wrong_is_proved_in_the_time_it_is_given(tmp_path: Path) -> None:
    run = descend.fit(digits(50), until=Until(steps=800), out=tmp_path / "a", threads=1, prove=20)
    first = run.findings[0]
    assert (first.cause, first.severity) == ("learning-rate-too-high", "warning")
    assert "95% interval" in (first.effect or "") and first.effect.rstrip(".").endswith("it helps")
    proof = run.facts["watching"]["proof"]
    assert 0 < proof["seconds"] <= 25 and proof["given"] == 20
    (kept,) = [f for f in read_findings(run.folder / "record.db") if f["cause"] == first.cause]
    helped = [t for t in kept["tried"] if t["verdict"] == "it helps"]
    assert helped and helped[0]["low"] <= helped[0]["difference"] <= helped[0]["high"] < 0
    assert Run.open(run.folder).findings == run.findings
    page = (run.folder / "report.html").read_text()
    assert "Something looks wrong" in page and "95% interval" in page
    said = as_json(run)
    assert said["findings"][0]["cause"] == first.cause and json.dumps(said)


@pytest.mark.parametrize(
    ("prove", "reason"), [(0, "no time was given"), (None, "too short for it; `descend diagnose")]
)
def test_what_is_not_tried_is_said_not_to_be(tmp_path: Path, prove: float | None, reason: str) -> None:
    run = descend.fit(digits(50), until=Until(steps=300), out=tmp_path / "a", threads=1, prove=prove)
    if run.facts["seconds"] * watched.TENTH < watched.LEAST:  # else the machine is very busy
        serious = [f for f in run.findings if f.severity != "info"]
        assert serious and all(reason in (f.effect or "") for f in serious)


def test_an_interrupted_run_is_not_delayed_by_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched.Watched, "_proved", lambda *_: pytest.fail("remedies were tried"))
    run = descend.fit(
        digits(50),
        until=Until(steps=1200),
        out=tmp_path / "a",
        threads=1,
        prove=60,
        observers=[Interrupting(800)],
    )
    assert run.outcome is Outcome.INTERRUPTED
    assert [f.effect for f in run.findings if f.severity != "info"] == ["not tried: the run was interrupted"]


def test_a_bound_on_the_time_holds_proof_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # How much is seen in eight seconds depends on the machine, so that what is found is given here.
    wrong = Finding("learning-rate-too-high", "warning", 0.9, "it leaps", "a tenth of it")
    monkeypatch.setattr(detectors, "findings", lambda _: [wrong])
    monkeypatch.setattr(watched, "LEAST", 0.3)
    began = time.perf_counter()
    run = descend.fit(digits(50), until=Until(seconds=8), out=tmp_path / "a", threads=1)
    assert run.outcome is Outcome.OUT_OF_TIME
    assert "to try remedies in the rest" in run.facts["outcome"]["sentence"]
    assert time.perf_counter() - began < 8 + 4  # a test's evaluation, and the report
    assert run.facts["watching"]["proof"]["given"] <= 0.8
    assert run.metrics("learning-rate")[1][-1] < 0.2  # its schedule, from 1 to 0, went to its end


def test_a_sound_run_has_all_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LEAST", 0.1)
    run = descend.fit(digits(), until=Until(seconds=3), out=tmp_path / "a", threads=1)
    assert run.facts["seconds"] >= 3


@pytest.mark.parametrize("prove", [0, 10])
def test_a_descent_that_breaks_is_explained(tmp_path: Path, prove: float) -> None:
    x = torch.linspace(0, 1, 64)[:, None]
    settings = Settings("sgd", lr=40.0, batch_size=16, steps=200)
    problem = Problem(nn.Linear(1, 1), "mse", train=(x, 3 * x + 1), settings=settings)
    run = descend.fit(problem, out=tmp_path / "a", threads=1, prove=prove)
    assert run.outcome.failed
    first = run.findings[0]
    assert first.cause in ("learning-rate-too-high", "not-finite")
    if prove:
        assert (first.cause, first.severity) == ("learning-rate-too-high", "warning")
    assert ("it helps" if prove else "not tried") in (first.effect or "")


def test_a_bare_function_that_breaks_says_where(tmp_path: Path) -> None:
    class Cliff(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x = nn.Parameter(torch.tensor([4.0]))

        def forward(self) -> torch.Tensor:
            return torch.log(self.x - 1).sum() + self.x.sum()

    problem = Problem(Cliff(), name="cliff")
    run = descend.fit(problem, "sgd", lr=0.02, until=Until(steps=500), out=tmp_path / "a", threads=1)
    assert run.outcome is Outcome.NOT_FINITE and run.facts["steps"] > 60
    (found,) = [f for f in run.findings if f.cause == "not-finite"]
    assert "log" in found.evidence


def test_a_failure_of_watching_is_not_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a hook")

    plain = descend.fit(digits(), until=Until(steps=60), out=tmp_path / "plain", threads=1, watch=False)
    for owner, name in (
        (DescentWatcher, "_before_step"),
        (Losses, "through"),
        (DescentWatcher, "open"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, broken)
            run = descend.fit(digits(), until=Until(steps=60), out=tmp_path / name, threads=1)
        assert same(plain, run)
        assert "ZeroDivisionError: a hook" in run.facts["watching"]["not_measured"][0]
    with monkeypatch.context() as patch:
        patch.setattr("descend.diagnosing.detectors.findings", broken)
        run = descend.fit(digits(), until=Until(steps=60), out=tmp_path / "b", threads=1)
    assert same(plain, run) and run.findings == []


def test_the_functions_own_failure_is_still_its_own(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.calls = nn.Parameter(torch.ones(1)), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 20:
                raise ValueError("mine")
            return x * self.w

    x = torch.ones(8, 1)
    problem = Problem(Broken(), "mse", train=(x, x))
    with pytest.raises(ValueError, match="mine"):
        descend.fit(problem, "sgd", lr=0.1, until=Until(steps=100), out=tmp_path / "a", threads=1)


def test_two_fits_at_once_see_only_their_own(tmp_path: Path) -> None:
    from threading import Thread

    runs: dict[int, Run] = {}
    problems = digits(), digits(50)

    def work(i: int) -> None:
        runs[i] = descend.fit(problems[i], until=Until(steps=500), out=tmp_path / str(i), threads=1, prove=0)

    backward, step = torch.autograd.backward, torch.optim.Optimizer.step
    threads = [Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.autograd.backward is backward and torch.optim.Optimizer.step is step
    assert [run.facts["watching"]["steps"] for run in runs.values()] == [500, 500]


def test_short_steps_are_mostly_left_alone() -> None:
    descent = Descent(digits(), seed=0)
    watcher = DescentWatcher(descent)
    watcher.start()
    descent.run(Until(steps=1500))
    hooked = bool(watcher.undo)
    seen = watcher.stop()
    if not watcher._staying:  # else the machine is very busy
        assert not hooked or seen.steps - watcher._hooked <= 4
        assert seen.overhead < 0.08
    assert seen.steps == 1500 and seen.optimizers[0].steps == 1500
    assert not descent.method._optimizer_step_pre_hooks and not descent.function._forward_pre_hooks
    assert descent.around_backward is None and descent.around_evaluation is None


# On disk -------------------------------------------------------------------------------------------------
def test_a_run_from_before_there_were_findings_opens(tmp_path: Path) -> None:
    run = descend.fit(digits(), until=Until(steps=20), out=tmp_path / "a", threads=1, watch=False)
    assert Run.open(run.folder).findings == []
    assert 'id="findings"' not in run.report().read_text()
    with sqlite3.connect(run.folder / "record.db") as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert set(names) == {"metrics", "events"}


def test_findings_go_with_what_was_cut_off(tmp_path: Path) -> None:
    problem, options = digits(), {"until": Until(steps=40), "threads": 1, "watch": False}
    run = descend.fit(problem, out=tmp_path / "a", observers=[Interrupting(20)], **options)
    record = run.folder / "record.db"
    for taken, left in ((run.facts["steps"], 1), (10**6, 0)):
        one = Finding("overfitting", "warning", 0.5, "seen", "stop earlier", explains=("label-noise",))
        write_findings(record, [one.as_json()], taken)
        assert run.findings == [one]
        (run.folder / "state.safetensors").touch()
        from descend.descent.record import Record

        Record(record, keep_to=run.facts["steps"]).close()
        assert len(run.findings) == left


def test_damaged_findings_are_one_sentence(tmp_path: Path) -> None:
    run = descend.fit(digits(), until=Until(steps=20), out=tmp_path / "a", threads=1)
    with sqlite3.connect(run.folder / "record.db") as connection:
        connection.execute("INSERT INTO findings(place, cause, effect) VALUES (99, 'x', '{')")
    with pytest.raises(RunError, match="a damaged file"):
        _ = run.findings


@pytest.mark.parametrize("options", [{"watch": 2.0}, {"watch": -0.1}, {"prove": -1}, {"prove": float("nan")}])
def test_other_values_are_refused(tmp_path: Path, options: dict) -> None:
    with pytest.raises(UsageError):
        descend.fit(digits(), until=Until(steps=1), out=tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


def test_the_command_says_what_is_wrong_in_two_lines(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_watched import digits\nproblem = digits(50)\n"
    )
    words = ["fit", f"{file}:problem", "--steps", "300", "--threads", "1", "--prove", "0"]
    assert command([*words, "--out", str(tmp_path / "a")]) in (0, 3)
    out = capfd.readouterr().out.splitlines()
    (at,) = [i for i, line in enumerate(out) if line.startswith(("warning\t", "error\t"))][:1]
    assert "% sure): " in out[at]
    assert out[at + 1].startswith("remedy\t") and "Not tried: no time was given" in out[at + 1]
    assert command([*words, "--no-watch", "--out", str(tmp_path / "b"), "--json"]) in (0, 3)
    assert json.loads(capfd.readouterr().out)["findings"] == []


def test_momentum_that_overshoots_is_no_climb(tmp_path):
    run = descend.fit(problem_from_target("three-hump-camel"), out=tmp_path / "run")
    assert run.loss < 1e-6
    assert [f.cause for f in run.findings if f.severity != "info"] == []
