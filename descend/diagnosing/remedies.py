"""What can be done about a cause without a person: changes of a problem or of its settings, by cause."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from descend.diagnosing.changes import (
    Change,
    NotApplicable,
    activations_added,
    activations_swapped,
    classes_balanced,
    initialised,
    inputs_standardised,
    loss_negated,
    loss_of_probabilities,
    shuffled,
    targets_standardised,
)
from descend.functions.data import Loaded
from descend.functions.problem import Problem, Settings
from descend.methods import method as method_class


@dataclass(frozen=True)
class Remedy:
    """One thing to try.

    Attributes:
        words: what is done, as it stands behind "with".
        change: does it. It may draw from torch's generator.
        anew: whether it is tried from the first step on. Else it is tried from the middle of the run: only
            what the descent can recover from, or what comes late.
        judges: whether its own loss is what both are measured by, because the problem's is what is wrong.
        cause: what is wrong if it helps, whatever it was tried for; by default what it was tried for.
    """

    words: str
    change: Change
    anew: bool = True
    judges: bool = False
    cause: str = ""


# Changes of settings -------------------------------------------------------------------------------------
def hyperparameter(settings: Settings, name: str) -> Any:
    """Return a hyperparameter as the method will have it; None where it has none of this name."""
    if name == "lr" and settings.lr is not None:
        return settings.lr
    return settings.hyperparameters.get(name, method_class(settings.method).defaults.get(name))


def _with(settings: Settings, **hyperparameters: Any) -> Settings:
    return replace(settings, hyperparameters={**settings.hyperparameters, **hyperparameters})


def _rate(factor: float) -> Change:
    def change(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
        rate = hyperparameter(settings, "lr")
        if not rate:
            raise NotApplicable(f"{settings.method} has no learning rate of its own to change")
        return problem, replace(settings, lr=rate * factor)

    return change


def _decay(factor: float, least: float = 0.0) -> Change:
    def change(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
        decay = hyperparameter(settings, "weight_decay")
        if decay is None:
            raise NotApplicable(f"{settings.method} has no weight decay")
        changed = max(decay * factor, least)
        if changed == decay:
            raise NotApplicable("there is no weight decay")
        return problem, _with(settings, weight_decay=changed)

    return change


def _momentum(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    momentum, betas = hyperparameter(settings, "momentum"), hyperparameter(settings, "betas")
    if momentum is not None and momentum > 0.9:
        return problem, _with(settings, momentum=0.9)
    if betas and betas[0] > 0.9:
        return problem, _with(settings, betas=(0.9, *betas[1:]))
    raise NotApplicable("momentum is not above 0.9")


def _setting(name: str, value: Any, already: str) -> Change:
    def change(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
        if getattr(settings, name) == value:
            raise NotApplicable(already)
        return problem, replace(settings, **{name: value})

    return change


def _clip(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    if settings.clip is not None and settings.clip <= 1.0:
        raise NotApplicable(f"gradients are clipped already, at {settings.clip:g}")
    return problem, replace(settings, clip=1.0)


def _larger_batch(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    if isinstance(problem.train, Loaded):  # a loader's batches are its own
        return problem, replace(settings, accumulate=8 * settings.accumulate)
    count, size = len(problem.train), settings.batch_size
    if size is None or size >= count:
        raise NotApplicable("every step sees all examples already")
    return problem, replace(settings, batch_size=min(8 * size, count))


def _climb_no_more(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    if not settings.hyperparameters.get("maximize"):
        raise NotApplicable("the method does not climb")
    return problem, _with(settings, maximize=False)


def _held_out(change: Change) -> Change:
    def only(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
        if problem.validation is None:
            raise NotApplicable("there are no validation data to measure it by")
        return change(problem, settings, where)

    return only


_LOWER = tuple(
    Remedy(f"the learning rate divided by {k}", _rate(1 / k), cause="learning-rate-too-high")
    for k in (10, 3, 100)
)
_HIGHER = tuple(Remedy(f"the learning rate times {k}", _rate(k), anew=False) for k in (10, 3, 100))
_INITIALISED = Remedy("torch's default initial values", initialised)
_CLIPPED = Remedy("gradients clipped at norm 1", _clip)
_RECTIFIED = Remedy(
    "rectifiers in the place of squashing activations", activations_swapped((nn.Sigmoid, nn.Tanh), nn.ReLU)
)
_LEAKY = Remedy("leaky rectifiers", activations_swapped((nn.ReLU,), lambda: nn.LeakyReLU(0.1)))
_NOT_CLIPPED = _setting("clip", None, "the settings clip nothing")
_CONSTANT = _setting("schedule", "constant", "the learning rate is constant already")
_STOP = _held_out(_setting("lr", 0.0, "the learning rate is zero"))

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "learning-rate-too-high": _LOWER,
    "learning-rate-too-low": _HIGHER,
    "momentum-too-high": (Remedy("momentum 0.9", _momentum),),
    "decay-too-strong": (
        Remedy("the weight decay divided by 10", _decay(0.1)),
        Remedy("no weight decay", _decay(0.0)),
    ),
    "gradient-clipped-away": (Remedy("no clipping", _NOT_CLIPPED, anew=False),),
    "learning-rate-decayed-to-zero": (Remedy("a constant learning rate", _CONSTANT, anew=False),),
    "batch-too-small": (Remedy("batches of eight times the size", _larger_batch, anew=False), _LOWER[1]),
    "data-not-shuffled": (Remedy("shuffled examples", shuffled),),
    "inputs-not-scaled": (Remedy("standardised inputs", inputs_standardised),),
    "targets-not-scaled": (Remedy("standardised targets", targets_standardised),),
    "softmax-before-cross-entropy": (
        Remedy("a loss that is given scores", loss_of_probabilities, judges=True),
    ),
    "wrong-loss-sign": (
        Remedy("a method that descends", _climb_no_more),
        Remedy("the loss negated", loss_negated, judges=True),
    ),
    "class-imbalance": (Remedy("classes weighted by inverse frequency", classes_balanced, judges=True),),
    "poor-initial-values": (_INITIALISED,),
    "symmetric-initial-values": (_INITIALISED,),
    "dead-units": (_INITIALISED, _LEAKY, _LOWER[0]),
    "saturated-units": (_INITIALISED, _RECTIFIED),
    "vanishing-gradients": (_INITIALISED, _RECTIFIED),
    "exploding-gradients": (_CLIPPED, _INITIALISED, _LOWER[0]),
    "not-finite": (_LOWER[0], _LOWER[2], _CLIPPED),
    "missing-activation": (Remedy("rectifiers between the linear layers", activations_added),),
    "overfitting": (
        Remedy("ten times the weight decay", _held_out(_decay(10.0, 0.1)), anew=False),
        Remedy("an end at half of the run", _STOP, anew=False),
    ),
}
"""What is tried for each cause, in this order."""

NO_REMEDY = {
    "label-noise": "which labels are wrong is for a person to say",
    "labels-misaligned": "which label belongs to which input is for a person to say",
    "target-leak": "which feature will not be there when it counts is for a person to say",
    "underfitting": "a larger function has to be written",
    "inputs-ignored": "the function has to be written otherwise",
    "frozen-parameters": "which parameters were meant to learn is for a person to say",
    "loss-broadcast": "the shapes have to be made equal where they are made",
}
"""Why nothing can be tried for a cause; of those in neither table, the training loop is the reason."""


def remedies(cause: str) -> tuple[Remedy, ...]:
    """Return what can be tried for a cause, in order.

    Raises:
        NotApplicable: where there is nothing; it says why.
    """
    if cause not in REMEDIES:
        raise NotApplicable(NO_REMEDY.get(cause, "it lies in the code of a training loop"))
    return REMEDIES[cause]


def differences(old: Settings, new: Settings) -> str:
    """Say in which settings two differ: ``lr 0.4 → 0.04``; empty where in none."""
    names = ["lr", *(n for n in Settings.__dataclass_fields__ if n not in ("lr", "hyperparameters"))]
    values = [
        (n, _value(old, n), _value(new, n))
        for n in names + sorted({*old.hyperparameters, *new.hyperparameters})
    ]
    return ", ".join(f"{n} {_brief(a)} → {_brief(b)}" for n, a, b in values if a != b)


def _value(settings: Settings, name: str) -> Any:
    if name != "lr" and name in Settings.__dataclass_fields__:
        return getattr(settings, name)
    return hyperparameter(settings, name)


def _brief(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return f"({', '.join(map(_brief, value))})"
    return f"{value:.3g}" if isinstance(value, float) and math.isfinite(value) else str(value).lower()
