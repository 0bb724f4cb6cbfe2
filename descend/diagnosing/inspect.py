"""Inspection: what can be known of a function before it is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from descend.descent.threads import choose_threads
from descend.diagnosing.inspecting.advice import Advice, Known
from descend.diagnosing.inspecting.calls import look
from descend.diagnosing.inspecting.chance import Chance, chance, classes_last, kind_of
from descend.diagnosing.inspecting.cost import Cost, cost
from descend.diagnosing.inspecting.depth import Depth, depth
from descend.diagnosing.inspecting.one_batch import OneBatch, one_batch
from descend.diagnosing.inspecting.rules import advice
from descend.diagnosing.inspecting.shapes import Shapes, shapes
from descend.diagnosing.inspecting.subject import Subject, fitting, untouched
from descend.diagnosing.inspecting.widths import Widths, widths
from descend.errors import DataError, UsageError
from descend.functions.problem import Problem
from descend.watching.probing import first

FITTING, WIDENING = 0.4, 0.8
"""The share of the time after which the batch should be fitted, and the widths be compared."""


@dataclass
class Inspection:
    """What an inspection found. Each part has a ``verdict``, a sentence or two for a person.

    Attributes:
        name: of the problem.
        shapes: the table of the layers and their parameters.
        cost: floating-point operations and memory of a step.
        chance: the loss at the start against chance.
        depth: signal and gradient through the layers.
        one_batch: whether one batch can be fitted.
        widths: how the function scales with its width.
        advice: what to change in the architecture, each with what was measured.
        seconds: what it took.
    """

    name: str
    shapes: Shapes
    cost: Cost
    chance: Chance
    depth: Depth
    one_batch: OneBatch
    widths: Widths
    advice: list[Advice]
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend inspect --json`` prints it."""
        return {
            "name": self.name,
            **self.shapes.as_json(),
            "cost": self.cost.as_json(),
            "chance": self.chance.as_json(),
            "depth": self.depth.as_json(),
            "one_batch": self.one_batch.as_json(),
            "widths": self.widths.as_json(),
            "advice": [vars(one) for one in self.advice],
            "seconds": round(self.seconds, 3),
        }


def inspect(
    problem: Problem,
    *,
    wide: Callable[[int], Problem | nn.Module] | None = None,
    seconds: float = 10.0,
    seed: int = 0,
    device: str | None = None,
    startup: float = 0.0,
) -> Inspection:
    """Look a function over before it is trained.

    Its layers and what they cost, the loss at the start against chance, signal and gradient through the
    depth, whether one batch can be fitted, how it scales with its width, and what to change. Everything is
    done on copies: the problem, and torch's random generators, are as before.

    Args:
        problem: the function, its loss, its data.
        wide: width → the function at that width, or its problem (then with settings of its own); the default
            of its argument ``width`` is the width as it is. Without it, the functions that descend knows and
            plain layers are made wider by themselves.
        seconds: about how long it may take; where a single step takes long it is exceeded.
        seed: what all chance is drawn from.
        device: where to compute; the first GPU, or the CPU.
        startup: seconds already spent, to be counted; at most half of the time.

    Returns:
        The inspection. What cannot be measured says so, and why, in its part's ``verdict``.

    Raises:
        UsageError: where the time is not a positive number, or the device not there.
        DataError: where the function, the loss and the data do not fit together.

    Sources: Karpathy 2019, A recipe for training neural networks; Yang et al. 2022, arXiv:2203.03466.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x))
        >>> found = descend.inspect(problem, seconds=2)
        >>> found.shapes.parameters, found.cost.forward, found.advice
        (2, 128, [])
        >>> found.widths.verdict
        'Not measured: there is no hidden layer: the function has no width.'
    """
    if not (seconds > 0 and math.isfinite(seconds)):
        raise UsageError("a time above 0 for seconds", repr(seconds), "give one, such as 10")
    began = time.perf_counter() - min(startup, 0.5 * seconds)
    with untouched(problem):
        with fitting():
            subject = Subject.of(problem, seed, device)
            size = subject.descent.settings.batch_size or max(1, len(problem.train))
            _check_classes(subject)
            with subject.random():
                subject.descent.gradient()  # says what a loss must be
            subject.descent.function.zero_grad()
            choose_threads(problem, size, subject.device, torch.get_num_threads())
            seen = look(subject, subject.function())
        price = cost(subject)
        found = Inspection(
            problem.name,
            shapes(seen, price.by_layer, subject.examples),
            price,
            chance(subject, seen),
            depth(subject, seen),
            one_batch(subject, _left(began, FITTING * seconds)),
            widths(subject, seen, _left(began, WIDENING * seconds), wide),
            [],
        )
        found.advice = advice(Known(subject, seen, found.shapes, found.chance, found.depth, subject.target()))
    found.seconds = time.perf_counter() - began
    return found


def _left(began: float, until: float) -> float:
    """Return the time until a share of all is over; a second at least."""
    return max(1.0, began + until - time.perf_counter())


def _check_classes(subject: Subject) -> None:
    """Refuse a class that there is no output for: torch says so of a batch that has it, or not at all."""
    loss, target = subject.problem.loss, subject.target()
    if kind_of(loss) != "cross_entropy" or target is None or target.is_floating_point():
        return
    with torch.no_grad(), subject.random():
        output = first(subject.function()(*subject.batch[:-1]))
    if output is None or output.ndim < 2:
        return
    classes, most = output.shape[-1 if classes_last(loss) else 1], int(target.max())
    if most >= classes:
        raise DataError(
            f"classes 0 to {classes - 1} for a function of {classes} outputs",
            f"class {most} in the training data",
            f"give the last layer {most + 1} outputs, or number the classes from 0",
        )
