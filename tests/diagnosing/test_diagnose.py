"""A diagnosis is proved, or it is said that it is not; and it keeps to its time."""

import json
import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import descend
from descend.applications.targets import problem_from_target
from descend.cli.main import run
from descend.diagnosing import diagnose as module
from descend.diagnosing.causes import CAUSES
from descend.diagnosing.diagnose import examine, judged
from descend.diagnosing.finding import Finding
from descend.diagnosing.proof import Effect
from descend.diagnosing.ranking import WARNING, ranked
from descend.diagnosing.suspicion import Suspicion

SETTINGS = descend.Settings("adamw", lr=2e-2, batch_size=64, steps=300, schedule="cosine", warmup=0.05)
EFFECTS = ("lr", "before", "after", "difference", "low", "high", "verdict")


def digits(factor=1.0):
    """The digits with a small network: a step takes a fraction of a millisecond."""
    known = problem_from_target("digits")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    train, held_out = ((x / 8 - 1, y) for x, y in (d.tensors for d in (known.train, known.validation)))
    settings = replace(SETTINGS, lr=SETTINGS.lr * factor)
    return descend.Problem(
        network, "cross_entropy", train=train, validation=held_out, metric="accuracy", settings=settings
    )


@pytest.fixture
def suspect(monkeypatch):
    """Have the detectors say what a test wants."""

    def say(*suspicions):
        made = [
            Suspicion(cause, confidence, "seen by hand", **more) for cause, confidence, more in suspicions
        ]
        monkeypatch.setattr(module, "findings", lambda seen: ranked(made))

    return say


def test_too_high_a_learning_rate_is_proved(suspect):
    suspect(("learning-rate-too-high", 0.6, {}))
    problem = digits(100)
    before = {k: v.clone() for k, v in problem.function.state_dict().items()}
    random = torch.get_rng_state()
    (found,) = descend.diagnose(problem, seconds=8)
    assert found.cause == "learning-rate-too-high" and found.severity == "warning"
    assert 0.6 < found.confidence <= 0.98
    assert "validation loss" in found.effect and found.effect.split(" A loss")[0].endswith("it helps.")
    assert "interval −" in found.effect and "to −" in found.effect
    assert all(torch.equal(v, before[k]) for k, v in problem.function.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_what_does_not_help_is_said_not_to(suspect):
    suspect(("learning-rate-too-low", 0.7, {}), ("decay-too-strong", 0.3, {}))
    said = examine(digits(), seconds=10)
    assert {f.cause for f in said.findings} == {"learning-rate-too-low", "decay-too-strong"}
    for found in said.findings:
        assert found.severity == "info" and found.confidence < WARNING
        assert "help" in found.effect and "it helps." not in found.effect
    assert len(said.tried) >= 2 and said.seconds < 12


def test_a_proved_cause_comes_first_and_improbable_ones_are_left_alone(suspect):
    suspect(
        ("class-imbalance", 0.8, {}),
        ("learning-rate-too-high", 0.55, {}),
        ("label-noise", 0.4, {}),
        ("inputs-not-scaled", 0.3, {}),
    )
    said = examine(digits(100), seconds=10)
    assert said.findings[0].cause == "learning-rate-too-high"
    effects = {f.cause: f.effect for f in said.findings}
    assert effects["label-noise"] == "not tried: which labels are wrong is for a person to say"
    assert effects["inputs-not-scaled"] == "not tried: the remedy for learning-rate-too-high is proved"
    assert any("label-noise" in line for line in said.left_out)


def test_what_helps_names_what_is_wrong(suspect):
    suspect(("dead-units", 0.4, {}), ("learning-rate-too-high", 0.2, {}))
    said = examine(digits(100), seconds=10)
    assert [f.cause for f in said.findings] == ["learning-rate-too-high"]
    assert said.findings[0].explains == ("dead-units",) and said.findings[0].severity == "warning"


def test_a_slow_problem_keeps_to_its_time(suspect):
    class Slow(nn.Linear):
        def forward(self, x):
            time.sleep(0.02)
            return super().forward(x)

    suspect(*[(cause, 0.5, {}) for cause in ("learning-rate-too-high", "decay-too-strong", "dead-units")])
    x = torch.randn(256, 4)
    problem = descend.Problem(Slow(4, 1), "mse", train=(x, x[:, :1]), settings=SETTINGS)
    said = examine(problem, seconds=4)
    assert said.seconds < 6
    assert any("no time was left" in line for line in said.left_out)
    assert all(f.effect for f in said.findings)


def test_a_seed_decides_everything_but_the_time(suspect, monkeypatch):
    suspect(("learning-rate-too-high", 0.6, {}))
    monkeypatch.setattr(module, "_affordable", lambda *given: 40)

    def effects(seed):
        tried = examine(digits(100), seconds=20, seed=seed).tried
        return [{name: one[name] for name in EFFECTS if name in one} for one in tried]

    monkeypatch.setattr(module, "WATCHING", 0.1)
    assert effects(0) == effects(0) != effects(7)


def test_a_descent_that_breaks_at_once_is_proved_from_its_start(suspect):
    suspect(("learning-rate-too-high", 0.6, {}))
    problem = digits()
    problem.settings = replace(SETTINGS, method="sgd", lr=1e9)
    (found,) = descend.diagnose(problem, seconds=6)
    assert "not tried" not in found.effect


def effect(*remedied):
    return Effect("x", "loss", (1.0, 1.1, 0.9), remedied, 10)


def test_how_sure_a_proof_makes():
    def finding(cause, confidence):
        return Finding(cause, CAUSES[cause].severity, confidence, "seen", "do")

    helps, fails = [effect(0.5, 0.6, 0.4)], [effect(1.5, 1.6, 1.4)]
    raised = [
        judged(finding("dead-units", c), helps, [], True).confidence for c in (0.2, 0.5, 0.9, 0.97, 1.0)
    ]
    assert raised == sorted(raised) and raised[0] > 0.2 and raised[1] > 0.7 and raised[-1] == 0.98
    for confidence in (0.2, 0.5, 0.9, 1.0):
        lowered = judged(finding("dead-units", confidence), fails, [], True)
        assert lowered.confidence < min(WARNING, confidence) and lowered.severity == "info"
        assert "does not help" in lowered.effect
    # An invariant that was seen broken is broken, and what was not tried to the end is not refuted.
    assert judged(finding("symmetric-initial-values", 0.95), fails, [], True).severity == "error"
    assert judged(finding("dead-units", 0.6), fails, ["no time"], False).confidence == 0.6
    assert judged(finding("dead-units", 0.6), [], ["why"], True).effect == "not tried: why"


def test_a_healthy_problem_is_not_accused():
    for problem in (digits(), digits(0.5)):
        assert [f.cause for f in descend.diagnose(problem, seconds=6) if f.severity != "info"] == []


# Runs and the command line ---------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path):
    problem = problem_from_target("diabetes")
    until = descend.Until(steps=40)
    decayed = partial(descend.fit, problem, hyperparameters={"betas": (0.8, 0.99)}, lr=0.5, batch_size=16)
    return decayed(until=until, out=tmp_path / "run", target="diabetes", seed=3).folder


def test_a_run_is_made_anew_with_the_settings_that_it_had(folder, suspect):
    suspect()
    problem, settings = module._of_run(descend.Run.open(folder))
    assert problem.name == "diabetes" and settings.steps == 40
    assert (settings.method, settings.lr, settings.batch_size) == ("adamw", 0.5, 16)
    assert (
        settings.hyperparameters["betas"] == (0.8, 0.99) and settings.hyperparameters["weight_decay"] == 0.5
    )
    content = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert descend.diagnose(descend.Run.open(folder), seconds=3) == []
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.name in content} == content


def test_a_run_without_a_target_is_refused(tmp_path):
    made = descend.fit(digits(), until=descend.Until(steps=2), out=tmp_path / "run")
    with pytest.raises(descend.RunError, match=r"descend\.diagnose\(problem\)"):
        descend.diagnose(made)


def test_shapes_that_do_not_fit_are_said():
    problem = descend.Problem(nn.Linear(3, 2), "mse", train=(torch.ones(8, 4), torch.ones(8, 2)))
    with pytest.raises(descend.DataError, match="check the shapes"):
        descend.diagnose(problem, seconds=2)
    with pytest.raises(descend.UsageError):
        descend.diagnose(problem, seconds=-1.0)


@pytest.mark.parametrize("what", ["target", "run"])
def test_the_command_prints_one_object(what, folder, suspect, capfd):
    suspect(("learning-rate-too-high", 0.6, {}))
    capfd.readouterr()
    assert run(["diagnose", "diabetes" if what == "target" else str(folder), "--seconds", "6", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert {"findings", "seconds", "tried"} <= set(said)
    assert said["findings"][0]["cause"] == "learning-rate-too-high"
    assert {"cause", "remedy", "before", "after", "difference", "low", "high"} <= set(said["tried"][0])


def test_the_command_speaks_to_a_person(suspect, capfd):
    suspect(("label-noise", 0.6, {}), ("learning-rate-too-low", 0.4, {}))
    assert run(["diagnose", "diabetes", "--seconds", "5"]) == 0
    out = capfd.readouterr().out
    assert (
        "Something is wrong" in out
        and "label-noise" in out
        and "for a person to say" in " ".join(out.split())
    )


def test_wrong_use_is_one_line(capfd, tmp_path):
    assert run(["diagnose", "diggits"]) == 2
    assert run(["diagnose", "digits", "--seconds", "0"]) == 2
    assert run(["diagnose", str(tmp_path / "run.json")]) == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 3
