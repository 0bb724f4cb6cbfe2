"""The loss at the start, beside what an answer gives that looks at no input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from descend.diagnosing.inspecting.calls import Look
from descend.diagnosing.inspecting.subject import Subject
from descend.functions import measures

BATCHES = 20
"""Batches at most that the first loss is averaged over."""
ABOVE, BELOW = 1.25, 0.8
"""A first loss above ABOVE × chance, or below BELOW × the best constant's, is told."""
OUTPUTS = 10_000
"""Numbers an answer may have, for the best constant to be looked for."""


@dataclass
class Chance:
    """The loss at the start against what needs no function at all.

    Attributes:
        start: the mean loss of the first training batches, before any step.
        guess: of equal chances for all answers: ln K for K classes; ``None`` where there is no such thing.
        classes: K; 0 where there are no classes.
        constant: of the best answer that is the same for every example: the entropy of the classes'
            shares, the variance of a target; ``None`` where it is not measured.
        constant_is: what that is, in words.
        verdict: what it means, in a sentence.
        fine: whether nothing is to be done; ``None`` where it is not known.
        not_measured: why there is nothing to compare with; empty where there is.
    """

    start: float
    guess: float | None = None
    classes: int = 0
    constant: float | None = None
    constant_is: str = ""
    verdict: str = ""
    fine: bool | None = None
    not_measured: str = ""

    @property
    def chance(self) -> float | None:
        """What the start is compared with: equal chances, else the best constant."""
        return self.guess if self.guess is not None else self.constant

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "chance": self.chance}


def chance(subject: Subject, seen: Look) -> Chance:
    """Compare the loss at the start with chance.

    Args:
        subject: it.
        seen: what one forward showed.
    """
    found = Chance(_start(subject))
    target = subject.target()
    if not subject.problem.has_data:
        return _told_not(found, "the function is itself what is minimised: there is nothing to guess")
    if subject.problem.loss is not None and seen.output is None:
        return _told_not(found, "the function's answer is no single tensor")
    if subject.problem.loss is None or seen.output is None:
        return _told_not(
            found, "the function returns its loss itself, so that no answer can be put in its place"
        )
    if target is None:
        return _told_not(found, "the targets are no tensors of one shape")
    try:
        _compare(found, subject.problem.loss, seen.output.detach(), target)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return _told_not(found, f"{type(error).__name__}: {error}".splitlines()[0])
    if found.constant is None or not math.isfinite(found.constant):
        found.constant = None
        return _told_not(found, "no best constant answer was found for this loss")
    _judge(found, seen.output.detach().float(), target, subject.problem.chance is not None)
    return found


def kind_of(loss: Any) -> str:
    """Return the name of a loss in :data:`descend.functions.measures.LOSSES`; empty for any other.

    Args:
        loss: a problem's: torch's own are known where nothing about them is unusual.
    """
    loss = _of_one(loss)
    for name, function in measures.LOSSES.items():
        if loss is function:
            return name
    for kind, name in (
        (nn.CrossEntropyLoss, "cross_entropy"),
        (nn.MSELoss, "mse"),
        (nn.L1Loss, "mae"),
        (nn.BCEWithLogitsLoss, "binary_cross_entropy"),
    ):
        if type(loss) is kind and loss.reduction == "mean":
            special = [getattr(loss, n, None) for n in ("weight", "pos_weight", "label_smoothing")]
            return "" if any(v is not None and v != 0.0 for v in special) else name
    functional = torch.nn.functional
    known = {
        functional.cross_entropy: "cross_entropy",
        functional.mse_loss: "mse",
        functional.l1_loss: "mae",
        functional.binary_cross_entropy_with_logits: "binary_cross_entropy",
    }
    return known.get(loss, "") if callable(loss) and getattr(loss, "__hash__", None) else ""


def classes_last(loss: Any) -> bool:
    """Whether the classes of an output are its last dimension, and not the one behind the examples."""
    return _of_one(loss) is measures.cross_entropy


def _of_one(loss: Any) -> Any:
    """Return the loss of one member, where a function has several that answer each for itself."""
    return loss.loss if isinstance(loss, measures.OfEach) else loss


@torch.no_grad()
def _start(subject: Subject) -> float:
    """Return the mean loss of the first batches, in training, with the parameters as they begin."""
    function, data = subject.function(), subject.problem.train
    size = subject.descent.settings.batch_size or max(1, len(data))
    with subject.random():
        batches = data.batches(size, subject.seed, subject.device)
        count = min(BATCHES, batches.per_epoch)
        losses = [float(subject.problem.loss_of(function, batches.next())) for _ in range(count)]
    return math.fsum(losses) / len(losses)


def _compare(found: Chance, loss: Callable[..., Tensor], output: Tensor, target: Tensor) -> None:
    kind = kind_of(loss)
    if kind == "cross_entropy" and not target.is_floating_point() and target.ndim <= output.ndim - 1:
        found.classes = output.shape[-1] if classes_last(loss) else output.shape[1]
        found.guess = math.log(found.classes)
        flat = target.flatten()
        flat = flat[flat >= 0]  # −100 stands for: not asked
        shares = torch.bincount(flat, minlength=found.classes).double() / max(1, len(flat))
        found.constant = float(-(shares * shares.clamp(min=1e-300).log()).sum())
        found.constant_is = "the entropy of the classes' shares"
        return
    if kind:
        wanted = target.double().flatten(1) if target.ndim > 1 else target.double()[:, None]
        if kind == "mse":
            found.constant, found.constant_is = (
                float(wanted.var(0, correction=0).mean()),
                "the target's variance",
            )
            return
        if kind == "mae":
            middle = wanted.median(0).values
            found.constant = float((wanted - middle).abs().mean())
            found.constant_is = "the mean distance from the target's median"
            return
        if kind == "binary_cross_entropy":
            p = wanted.mean(0).clamp(1e-300, 1)
            found.constant = float(-(p * p.log() + (1 - p) * (1 - p).clamp(min=1e-300).log()).mean())
            found.constant_is = "the entropy of the target's shares"
            found.guess, found.classes = math.log(2), 2
            return
    found.constant = _best_constant(loss, output, target)
    found.constant_is = "the best constant answer, found by descent"


def _best_constant(loss: Callable[..., Tensor], output: Tensor, target: Tensor) -> float | None:
    """Return the least loss of one answer for all examples, found by Adam from zero."""
    if not output.is_floating_point() or output.ndim < 1 or output[:1].numel() > OUTPUTS:
        return None
    target = target[:1024]
    with torch.enable_grad():
        answer = torch.zeros_like(output[:1]).requires_grad_()
        scale = float(target.float().std()) if target.is_floating_point() and target.numel() > 1 else 1.0
        optimizer = torch.optim.Adam([answer], lr=max(scale, 1e-3) / 10)
        best = math.inf
        for step in range(200):
            value = loss(answer.expand(len(target), *output.shape[1:]), target)
            if value.numel() != 1 or not value.requires_grad:
                return None
            best = min(best, value.item()) if math.isfinite(value.item()) else best
            optimizer.param_groups[0]["lr"] = max(scale, 1e-3) / 10 * (1 - step / 200)
            (answer.grad,) = torch.autograd.grad(value, [answer])
            optimizer.step()
    return best if math.isfinite(best) else None


_MEANT = "The loss starts below what any constant answer gives, as it is meant to."
_KNOWING = (
    "The loss starts below what any constant answer gives: the function knows something already (it was "
    "trained before, or the target is among its inputs)."
)


def _judge(found: Chance, output: Tensor, target: Tensor, meant: bool) -> None:
    """Say what the comparison means; a start below chance may be meant."""
    start, constant = found.start, found.constant
    expected = found.chance
    assert constant is not None and expected is not None
    spread = float(output.std(correction=0)) if output.numel() > 1 else 0.0
    found.fine = False
    if not math.isfinite(start):
        found.verdict = (
            f"The loss is {start} before any step: something in the function or the data is not finite."
        )
    elif found.guess is not None:
        if start > ABOVE * expected:
            found.verdict = (
                f"The loss starts at {start / expected:.2g} times chance: outputs of standard deviation "
                f"{spread:.2g} make the function very sure of answers that are wrong. Start the last layer "
                "smaller."
            )
        elif start < BELOW * min(constant, expected):
            found.fine, found.verdict = meant, _MEANT if meant else _KNOWING
        else:
            found.fine, found.verdict = True, "The loss starts where guessing does."
    elif target.is_floating_point() or constant > 0:
        middle = float(target.float().mean())
        wide = float(target.float().std(correction=0))
        if start > 4 * expected + 1e-12 and abs(middle) > 2 * wide:
            found.verdict = (
                f"The loss starts at {start / max(expected, 1e-300):.3g} times that of the best constant "
                f"answer: the target's mean is {middle:.3g} and its standard deviation {wide:.3g}. "
                "Standardise the target, or start the last bias at its mean."
            )
        elif start > 4 * expected + 1e-12:
            found.verdict = (
                f"The loss starts at {start / max(expected, 1e-300):.3g} times that of the best constant "
                f"answer: outputs have standard deviation {spread:.2g}, the target {wide:.2g}. Start the "
                "last layer smaller."
            )
        elif start < BELOW * expected:
            found.fine, found.verdict = meant, _MEANT if meant else _KNOWING
        else:
            found.fine, found.verdict = True, "The loss starts near that of the best constant answer."


def _told_not(found: Chance, why: str) -> Chance:
    found.not_measured, found.verdict = why, f"Not measured: {why}."
    if not math.isfinite(found.start):
        found.fine = False
        found.verdict = f"The loss is {found.start} before any step: something in the function is not finite."
    return found
