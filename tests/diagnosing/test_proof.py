"""The experiment: its statistics, its fairness, and that each remedy undoes what it is for."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from descend import Descent, Problem, Settings
from descend.diagnosing import proof
from descend.diagnosing.causes import CAUSES
from descend.diagnosing.changes import NotApplicable
from descend.diagnosing.proof import Effect, Laboratory, OutOfTime, Verdict, advance, as_dict, interval
from descend.diagnosing.remedies import NO_REMEDY, REMEDIES, Remedy, differences, remedies

SETTINGS = Settings("adam", lr=0.01, batch_size=32, steps=200, schedule="cosine", warmup=0.0)


def made(
    *layers, loss="cross_entropy", settings=SETTINGS, shift=0.0, scale=1.0, targets=None, validation=True
):
    """A problem of three classes (or whatever ``targets`` makes of the inputs) in ten features."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(480, 10, generator=g)
    y = (x[:, :3] + 0.2 * torch.randn(480, 3, generator=g)).argmax(1) if targets is None else targets(x)
    x = x * scale + shift
    held_out = (x[360:], y[360:]) if validation else None
    network = nn.Sequential(*(layers or layered()))
    return Problem(network, loss, train=(x[:360], y[:360]), validation=held_out, settings=settings)


def layered(outputs=3, std=None, activation=nn.ReLU):
    torch.manual_seed(0)
    layers = [nn.Linear(10, 32), activation(), nn.Linear(32, outputs)]
    for layer in (layers[0], layers[2]):
        if std is not None:
            nn.init.constant_(layer.weight, 0.1) if std == 0 else nn.init.normal_(layer.weight, std=std)
    return layers


def laboratory(problem, steps=60, **options):
    return Laboratory(problem, problem.settings, steps, device=torch.device("cpu"), **options)


def verdict(cause, problem, place=0, **options):
    return laboratory(problem, **options).compare(REMEDIES[cause][place])


# Statistics ------------------------------------------------------------------------------------------------
def quantile(freedom):
    """The 97.5% point of Student's t, from its density alone: Simpson's rule, and bisection."""
    c = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)

    def within(t, n=2000):
        # x = √ν·tan θ makes the whole density a power of a cosine
        end = math.atan(t / math.sqrt(freedom))
        at = [math.cos(end * i / n) ** (freedom - 1) for i in range(n + 1)]
        whole = sum(v * (1 if i in (0, n) else 4 if i % 2 else 2) for i, v in enumerate(at))
        return 2 * c * math.sqrt(freedom) * whole * end / n / 3

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 0.95 else (low, middle)
    return low


@pytest.mark.parametrize("freedom", range(1, 11))
def test_the_table_of_students_t(freedom):
    assert proof._T[freedom - 1] == pytest.approx(quantile(freedom), abs=1e-4)


def test_students_t_where_it_has_a_closed_form():
    assert proof._T[0] == pytest.approx(math.tan(math.pi * 0.475), abs=1e-4)
    assert proof._T[1] == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), abs=1e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    g = torch.Generator().manual_seed(1)
    drawn = 0.3 + torch.randn(4000, 3, generator=g, dtype=torch.float64)
    hits = sum(low <= 0.3 <= high for _, low, high in map(interval, drawn.tolist()))
    assert hits / 4000 == pytest.approx(0.95, abs=0.012)


def test_verdicts():
    def effect(*remedied):
        return Effect("x", "loss", (1.0, 1.1, 0.9), remedied, 10)

    assert effect(0.5, 0.6, 0.4).verdict is Verdict.HELPS
    assert effect(0.98, 1.08, 0.88).verdict is Verdict.LITTLE  # sure, and small
    assert effect(0.1, 1.4, 0.9).verdict is Verdict.NOT  # large, and by chance
    assert effect(1.5, 1.6, 1.4).verdict is Verdict.NOT
    assert effect(1.0, 1.1, 0.9).verdict is Verdict.NOT
    assert effect(0.5, 0.55, 0.45).sentence == (
        "With x: loss 0.997 → 0.498 after 10 steps "
        "(3 seeds; difference −0.498, 95% interval −0.498 to −0.498): it helps."
    )


def test_positive_losses_are_compared_by_ratios_and_others_by_differences():
    # One control in six ends in four times the loss: by differences that would be noise.
    wild = Effect("x", "loss", (0.3, 0.31, 0.3, 0.29, 0.3, 1.2), (0.15, 0.16, 0.15, 0.14, 0.15, 0.15), 10)
    assert wild.verdict is Verdict.HELPS
    assert interval([b - a for a, b in zip(wild.control, wild.remedied, strict=True)])[2] > 0
    ratios = [b / a for a, b in zip(wild.control, wild.remedied, strict=True)]
    mean, low, high = interval([math.log(r) for r in ratios])
    assert wild.interval == pytest.approx([wild.before * (math.exp(x) - 1) for x in (mean, low, high)])
    assert wild.after - wild.before == pytest.approx(wild.interval[0])
    below = Effect("x", "loss", (-1.0, -1.1, -0.9), (-2.0, -2.2, -1.8), 10)
    assert below.interval == pytest.approx(interval([-1.0, -1.1, -0.9])) and below.before == pytest.approx(-1)


# The experiment --------------------------------------------------------------------------------------------
NOTHING = Remedy("nothing", lambda problem, settings, where: (problem, settings))


@pytest.mark.parametrize("anew", [True, False])
def test_a_remedy_that_does_nothing_makes_no_difference_at_all(anew):
    problem = made(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
    descent = Descent(problem, **as_dict(problem.settings))
    advance(descent, 200, lambda step, now: step >= 20)
    assert descent.steps == 20
    room = laboratory(problem, 30, later=descent.snapshot(), share=0.1)
    effect = room.compare(replace(NOTHING, anew=anew))
    assert effect.control == effect.remedied  # the same batches, the same dropout
    assert len(set(effect.control)) == 3  # and others for each seed
    assert effect.verdict is Verdict.NOT


def test_it_goes_on_from_the_middle_of_the_run():
    problem = made()
    descent = Descent(problem, **as_dict(problem.settings))
    advance(descent, 200, lambda step, now: step >= 100)
    room = laboratory(problem, 10, later=descent.snapshot(), share=0.5)
    begin = problem.evaluate(descent.function, problem.validation)["loss"]
    assert room.compare(replace(NOTHING, anew=False)).before == pytest.approx(begin, rel=0.5)
    assert room.compare(NOTHING).before > 2 * begin


def test_the_same_seeds_give_the_same_figures_and_nothing_is_changed():
    problem = made(*layered(), settings=replace(SETTINGS, lr=1.0))
    before = {k: v.clone() for k, v in problem.function.state_dict().items()}
    random, mode = torch.get_rng_state(), problem.function.training
    settings = replace(problem.settings)
    effects = [
        [laboratory(problem, 20).compare(remedy) for remedy in REMEDIES[cause]]
        for cause in ("learning-rate-too-high", "poor-initial-values", "inputs-not-scaled")
        for _ in range(2)
    ]
    assert effects[0::2] == effects[1::2]
    assert all(torch.equal(v, before[k]) for k, v in problem.function.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert problem.settings == settings and problem.function.training == mode


def test_a_descent_that_breaks_counts_as_one_that_got_nowhere():
    problem = made(settings=replace(SETTINGS, method="sgd", lr=1e6))
    effect = laboratory(problem, 30).compare(Remedy("lr", lambda p, s, w: (p, replace(s, lr=0.1))))
    assert effect.broken == (3, 0) and effect.verdict is Verdict.HELPS
    assert effect.before == pytest.approx(
        problem.evaluate(problem.fresh_function(), problem.validation)["loss"]
    )
    assert "(control 3, remedy 0 of 3)" in effect.sentence


def test_what_has_no_time_is_not_begun_and_what_has_too_little_is_given_up():
    with pytest.raises(OutOfTime):
        laboratory(made(), 10, pace=100.0, deadline=0.0).compare(NOTHING)
    with pytest.raises(OutOfTime):
        laboratory(made(), 10, deadline=0.0).compare(NOTHING)
    room = laboratory(made(), 10, seeds=range(6))
    assert len(room.compare(NOTHING, "", until=0.0).control) == 3
    assert len(room.compare(NOTHING).control) == 6


def test_training_examples_where_none_are_held_out_and_a_bare_function():
    assert laboratory(made(validation=False), 10).compare(NOTHING).measured == "training loss"
    settings = Settings("sgd", lr=2.2, batch_size=None, schedule="constant", warmup=0.0)
    bowl = Problem(
        lambda p: (p["x"] ** 2).sum() / 2, parameters={"x": torch.ones(3)}, name="bowl", settings=settings
    )
    effect = verdict("learning-rate-too-high", bowl)
    assert effect.measured == "loss" and effect.verdict is Verdict.HELPS


# Each remedy -----------------------------------------------------------------------------------------------
def sigmoid_of(x):
    return (x[:, :1] > 1.2).long().squeeze(1)


FAULTS = {
    "learning-rate-too-high": lambda: made(settings=replace(SETTINGS, lr=1.0)),
    "momentum-too-high": lambda: made(
        settings=replace(SETTINGS, method="momentum", lr=0.3, hyperparameters={"momentum": 0.999})
    ),
    "decay-too-strong": lambda: made(
        settings=replace(SETTINGS, method="sgd", lr=0.1, hyperparameters={"weight_decay": 2.0})
    ),
    "inputs-not-scaled": lambda: made(
        shift=torch.arange(10) * 30.0, scale=torch.logspace(-2, 2, 10), settings=replace(SETTINGS, lr=0.003)
    ),
    "targets-not-scaled": lambda: made(
        *layered(1), loss="mse", targets=lambda x: 1000 + 50 * x[:, :1], settings=SETTINGS
    ),
    "softmax-before-cross-entropy": lambda: made(
        *layered(), nn.Softmax(1), settings=replace(SETTINGS, method="sgd", lr=0.1)
    ),
    "wrong-loss-sign": lambda: made(loss=lambda o, y: -nn.functional.cross_entropy(o, y)),
    "class-imbalance": lambda: made(*layered(2), targets=sigmoid_of),
    "poor-initial-values": lambda: made(*layered(std=3.0, activation=nn.Tanh)),
    "symmetric-initial-values": lambda: made(*layered(std=0)),
    "saturated-units": lambda: made(*layered(std=5.0, activation=nn.Sigmoid)),
}


@pytest.mark.parametrize("cause", FAULTS)
def test_a_remedy_undoes_what_it_is_for(cause):
    problem = FAULTS[cause]()
    for remedy in REMEDIES[cause]:
        try:
            effect = laboratory(problem).compare(remedy)
        except NotApplicable:
            continue
        if effect.verdict is Verdict.HELPS:
            return
    pytest.fail(f"{cause}: {effect.sentence}")


LATE = {
    "learning-rate-too-low": replace(SETTINGS, lr=1e-4),
    "gradient-clipped-away": replace(SETTINGS, method="sgd", lr=0.1, clip=1e-3),
    "batch-too-small": replace(SETTINGS, method="sgd", lr=1.0, batch_size=1, schedule="constant"),
}


@pytest.mark.parametrize("cause", LATE)
def test_a_remedy_helps_from_the_middle_on(cause):
    problem = made(settings=LATE[cause])
    descent = Descent(problem, **as_dict(problem.settings))
    advance(descent, 200, lambda step, now: step >= 40)
    room = laboratory(problem, later=descent.snapshot(), share=0.2)
    assert room.compare(REMEDIES[cause][0]).verdict is Verdict.HELPS


def test_overfitting_is_helped_by_an_end_and_needs_held_out_examples():
    noise = torch.Generator().manual_seed(3)
    problem = made(
        *layered(1),
        loss="mse",
        targets=lambda x: torch.randn(len(x), 1, generator=noise),
        settings=replace(SETTINGS, lr=0.05, schedule="constant"),
    )
    descent = Descent(problem, **as_dict(problem.settings))
    advance(descent, 200, lambda step, now: step >= 20)
    room = laboratory(problem, 120, later=descent.snapshot(), share=0.1)
    assert room.compare(REMEDIES["overfitting"][1]).verdict is Verdict.HELPS
    with pytest.raises(NotApplicable, match="no validation"):
        laboratory(made(validation=False)).compare(REMEDIES["overfitting"][1])


def test_a_rescaled_function_answers_in_the_targets_units():
    effect = verdict("targets-not-scaled", FAULTS["targets-not-scaled"](), steps=150)
    assert effect.before > 1e5 and effect.after < 500


def test_what_cannot_be_applied_says_why():
    room = laboratory(made(), 10)
    for cause, reason in {
        "momentum-too-high": "not above 0.9",
        "gradient-clipped-away": "clip nothing",
        "softmax-before-cross-entropy": "no probabilities",
        "targets-not-scaled": "no numbers",
        "data-not-shuffled": "shuffled already",
        "missing-activation": "no two linear layers",
    }.items():
        with pytest.raises(NotApplicable, match=reason):
            room.compare(REMEDIES[cause][0])
    with pytest.raises(NotApplicable, match="training loop"):
        remedies("missing-zero-grad")


def test_the_tables_name_known_causes():
    assert set(REMEDIES) | set(NO_REMEDY) <= set(CAUSES)
    assert not set(REMEDIES) & set(NO_REMEDY)


def test_differences_of_settings_are_said():
    assert differences(SETTINGS, replace(SETTINGS, lr=0.001, clip=1.0)) == "lr 0.01 → 0.001, clip none → 1"
    slower = replace(SETTINGS, hyperparameters={"betas": (0.8, 0.999)})
    assert differences(SETTINGS, slower) == "betas (0.9, 0.999) → (0.8, 0.999)"
    assert differences(SETTINGS, SETTINGS) == ""
