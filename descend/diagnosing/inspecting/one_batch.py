"""Whether one batch can be fitted: a function that cannot learn a few examples by heart learns nothing."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from descend.descent.descent import Descent
from descend.diagnosing.inspecting.chance import kind_of
from descend.diagnosing.inspecting.subject import Same, Subject, length, some, tensors_of
from descend.functions.data import Batch
from descend.functions.problem import Problem, Settings

EXAMPLES, ANSWERS = 32, 256
"""Examples at most, and numbers or classes that are to be learned at most (a text has many an example)."""
STEPS = 400
NEAR = 0.05
"""A batch is fitted where this share is left of the way to the floor from the first loss, or from the best
constant answer where that is lower."""
FALLING, FEWEST = 0.1, 100
"""The loss stands still where the last fifth of at least FEWEST steps took away less than this share."""
FALLBACKS = (1e-3, 1e-2)
"""Learning rates of AdamW that are tried where the problem's own settings do not fit it."""


@dataclass
class Attempt:
    """One try.

    Attributes:
        method: by which method.
        lr: its learning rate.
        steps: how many were taken.
        start: the loss before, and
        end: the least loss after; nan where it diverged at once.
        fitted: whether it came near the floor.
        falling: whether it may have gone on falling, had there been more steps.
    """

    method: str
    lr: float
    steps: int
    start: float
    end: float
    fitted: bool
    falling: bool


@dataclass
class OneBatch:
    """Whether one batch can be fitted.

    Attributes:
        examples: how many it has.
        answers: how many numbers or classes are to be learned.
        floor: the least loss that is possible: above zero where equal inputs want different answers;
            ``None`` where it is not known.
        constant: the loss of the best answer that is the same for all of them; ``None`` as well.
        attempts: each try, the problem's own settings first.
        verdict: what it means, in a sentence.
        fine: whether it was fitted by the problem's own settings; ``None`` where it is not known.
        seconds: what it took.
    """

    examples: int = 0
    answers: int = 0
    floor: float | None = None
    constant: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    verdict: str = ""
    fine: bool | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "attempts": [vars(one) for one in self.attempts]}


def one_batch(subject: Subject, seconds: float) -> OneBatch:
    """Try to fit one batch, without dropout and at a constant learning rate.

    Args:
        subject: it.
        seconds: the time for all tries.
    """
    began = time.perf_counter()
    problem = subject.problem
    if not problem.has_data:
        return OneBatch(verdict="Not measured: the function takes no examples.")
    batch = _few(subject)
    found = OneBatch(length(batch), _answers(batch), _floor(batch, problem), _constant(batch, problem))
    own = replace(subject.descent.settings, schedule="constant", warmup=0.0, batch_size=None, accumulate=1)
    tries = [own]
    tries += [
        Settings("adamw", lr, None, schedule="constant", warmup=0.0, hyperparameters={"weight_decay": 0.0})
        for lr in FALLBACKS
    ]
    for place, settings in enumerate(tries):
        left = seconds - (time.perf_counter() - began)
        if left <= 0:
            break
        # The problem's own settings get half of the time: they are what is asked about.
        share = left / 2 if place == 0 else left / (len(tries) - place)
        found.attempts.append(_attempt(subject, batch, settings, share, found))
        if found.attempts[-1].fitted:
            break
    _judge(found)
    found.seconds = time.perf_counter() - began
    return found


def stepped(subject: Subject, steps: int) -> nn.Module:
    """Return a copy of the function after some steps on the first batch, as the problem's settings say."""
    settings = replace(subject.descent.settings, schedule="constant", warmup=0.0)
    descent = _descent(subject, subject.batch, settings, dropout=True)
    with subject.random():
        losses_of(descent, steps)
    return descent.function


def _descent(subject: Subject, batch: Batch, settings: Settings, dropout: bool) -> Descent:
    function = subject.function()
    for module in function.modules() if not dropout else ():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):  # of attention, and of functions' own
            module.dropout = 0.0  # type: ignore[assignment]
    problem = Problem(function, subject.problem.loss, train=Same(batch), settings=settings)
    names = [f for f in Settings.__dataclass_fields__ if f != "gradient_norm"]
    return Descent(
        problem, seed=subject.seed, device=str(subject.device), **{n: getattr(settings, n) for n in names}
    )


def _few(subject: Subject) -> Batch:
    """Take so few examples that the function has several parameters for each answer."""
    batch = some(subject.batch, EXAMPLES)
    each = max(1, _answers(batch) // max(1, length(batch)))
    most = min(ANSWERS // each, subject.problem.count // (4 * each))
    return some(batch, max(1, min(EXAMPLES, most)))


def _answers(batch: Batch) -> int:
    tensors = list(tensors_of(batch[-1:])) if batch else []
    return sum(t.numel() for t in tensors)


def _floor(batch: Batch, problem: Problem) -> float | None:
    """Return the least possible loss: equal inputs have one answer, whatever their targets."""
    kind = kind_of(problem.loss)
    if not kind or len(batch) < 2 or not all(isinstance(t, Tensor) for t in batch):
        return None
    target = batch[-1]
    if target.ndim == 0 or any(t.ndim == 0 or len(t) != len(target) for t in batch):
        return None
    if kind == "cross_entropy" and (target.ndim > 1 or target.is_floating_point()):
        return 0.0 if not target.is_floating_point() else None  # of a sequence: nearly
    rows = torch.cat([t.flatten(1).double() if t.ndim > 1 else t.double()[:, None] for t in batch[:-1]], 1)
    _, group = torch.unique(rows.cpu(), dim=0, return_inverse=True)
    target = target.cpu()
    total = 0.0
    for one in group.unique():
        same = target[group == one]
        total += len(same) * _least(kind, same)
    return total / len(target)


def _least(kind: str, target: Tensor) -> float:
    """Return the least mean loss of one answer for all of these targets."""
    if kind == "cross_entropy":
        p = torch.unique(target, return_counts=True)[1].double() / len(target)
        return float(-(p * p.log()).sum()) + 0.0
    wanted = target.double()
    if kind == "mse":
        return float(wanted.var(0, correction=0).mean())
    if kind == "binary_cross_entropy":
        p = wanted.mean(0).clamp(1e-300, 1)
        return float(-(p * p.log() + (1 - p) * (1 - p).clamp(min=1e-300).log()).mean())
    return float((wanted - wanted.median(0).values).abs().mean()) if kind == "mae" else 0.0


def losses_of(
    descent: Descent, steps: int, seconds: float = math.inf, goal: float = -math.inf
) -> list[float]:
    """Take steps at a constant learning rate, and return the loss before each.

    Args:
        descent: it; its loop's bookkeeping is left out.
        steps: at most so many.
        seconds: at most so long.
        goal: a loss that is low enough.

    Returns:
        The losses; the last one is not finite where that ended it.
    """
    losses: list[float] = []
    until = time.perf_counter() + seconds
    while len(losses) < steps and (not losses or time.perf_counter() < until):
        loss = descent.gradient()
        losses.append(float(loss))
        if not math.isfinite(losses[-1]) or losses[-1] <= goal:
            break
        if descent.settings.clip is not None:
            descent.clip(descent.gradient_norm(), descent.settings.clip)
        descent.update(loss)
        descent.steps += 1
    return losses


def _constant(batch: Batch, problem: Problem) -> float | None:
    """Return the loss of the best answer that is the same for every example."""
    kind = kind_of(problem.loss)
    if not kind or not batch or not isinstance(batch[-1], Tensor) or batch[-1].ndim == 0:
        return None
    target = batch[-1].cpu()
    if kind == "cross_entropy" and target.is_floating_point():
        return None
    return _least(kind, target.flatten() if kind == "cross_entropy" else target)


def _attempt(subject: Subject, batch: Batch, settings: Settings, seconds: float, found: OneBatch) -> Attempt:
    descent = _descent(subject, batch, settings, dropout=False)
    with subject.random():
        losses = losses_of(descent, 1, math.inf)
        start, floor, least = losses[0], found.floor, found.floor or 0.0
        known = [x for x in (start, found.constant) if x is not None and x > least + 1e-9]
        goal = -math.inf if floor is None else least + NEAR * (min(known, default=start) - least)
        losses += losses_of(descent, STEPS - 1, seconds, goal)
    known = [x for x in losses if math.isfinite(x)]
    end = min(known, default=math.nan)
    fitted = end <= goal if floor is not None else False
    before = known[: max(1, len(known) * 4 // 5)]
    fell = min(before, default=math.nan) - end > FALLING * abs(min(before, default=math.nan) - least)
    # A loss that is not finite ended it: nothing was to come.
    falling = not fitted and len(known) == len(losses) and (fell or len(losses) < FEWEST) and end < start
    lr = descent.lr
    return Attempt(descent.settings.method, lr, descent.steps, start, end, fitted, falling)


def _judge(found: OneBatch) -> None:
    """Say what the tries mean."""
    own, *others = found.attempts
    better = [one for one in others if one.fitted]
    way = f"from {own.start:.3g} to {own.end:.2g} in {own.steps} steps of {own.method}"
    what = f"{found.examples} example{'s' if found.examples > 1 else ''}"
    if not math.isfinite(own.start):
        found.fine, found.verdict = False, f"The loss of {what} is {own.start} before any step."
    elif own.fitted:
        found.fine, found.verdict = True, f"It fits: the loss of {what} fell {way}."
    elif found.floor is None:
        fell = [one for one in found.attempts if one.end < one.start]
        found.fine = None if fell else False
        found.verdict = (
            f"The loss of {what} went {way}; how low it can go is not known for this loss."
            if fell
            else f"It does not learn: the loss of {what} went {way}."
        )
    elif better:
        best = better[0]
        found.fine = own.falling
        found.verdict = (
            f"The function fits {what}: the loss fell to {best.end:.2g} in {best.steps} steps of "
            f"{best.method} with learning rate {best.lr:g}. Its own settings (learning rate {own.lr:g}) "
            f"were slower: {way}."
            if own.falling
            else f"The function can fit {what}, but not by its settings: {way} (learning rate {own.lr:g}), "
            f"and to {best.end:.2g} in {best.steps} steps of {best.method} with learning rate {best.lr:g}."
        )
    elif any(one.falling for one in found.attempts):
        best = min(
            (one for one in found.attempts), key=lambda one: one.end if one.end == one.end else math.inf
        )
        found.verdict = (
            f"Not fitted in the time there was: the loss of {what} fell from {best.start:.3g} to "
            f"{best.end:.2g} in {best.steps} steps of {best.method}, and {found.floor:.2g} is possible. "
            "More --seconds tell."
        )
    else:
        ends = min((one.end for one in found.attempts if one.end == one.end), default=math.nan)
        found.fine = False
        found.verdict = (
            f"It does not fit {what}: the loss stops at {ends:.2g}, and {found.floor:.2g} is possible. "
            "Something keeps the function from its answers: look at its last layer, the loss and the "
            "targets first."
        )
