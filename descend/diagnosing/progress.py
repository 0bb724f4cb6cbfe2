"""How far training and evaluations came: what is left of the loss, and accuracies."""

from __future__ import annotations

import math

import torch

from descend.watching.observations import Observations

NUMBERS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "deviation")
"""Loss functions that compare numbers as they stand."""


OFTEN = 0.3
"""Evaluations a step from which on they are a part of training (an agent's acts, a target's values)."""


def often(seen: Observations, evaluations: int) -> bool:
    """Whether so many passes without gradients, and those that were not seen, are a part of training."""
    return evaluations + seen.unseen > max(3, OFTEN * seen.steps)


def asks_itself(seen: Observations) -> bool:
    """Whether passes without gradients are a part of training, and targets may be what they gave."""
    return often(seen, len(seen.of_trained))


def remaining(seen: Observations) -> float:
    """Return the loss at the end as a share of that of the best constant answer; nan where it is unknown.

    The best constant answer to classes has the entropy of their frequencies as its loss, that to numbers
    their variance (their standard deviation, where differences are not squared).
    """
    calls = [c for c in seen.criteria() if math.isfinite(c.value)]
    every = criterion_is_loss(seen)
    end = median([v for _, v in seen.losses[-max(1, len(seen.losses) // 8) :]])
    late = calls[-max(1, len(calls) // 4) :]
    shares = []
    for call in late:
        if call.classes and call.counts:
            alike = [c.counts for c in calls if len(c.counts) == len(call.counts)]
            total = [sum(k) for k in zip(*alike, strict=True)]
            p = torch.tensor(total, dtype=torch.float64) / max(1, sum(total))
            base = float(-(p * p.clamp_min(1e-12).log()).sum())
        elif call.name in NUMBERS:
            spread = [c.target_std for c in calls if c.name == call.name and c.target_std == c.target_std]
            base = sorted(spread)[len(spread) // 2] if spread else 0.0
            base = base**2 if call.name in ("mse_loss", "deviation") else base * 0.8
        else:
            continue
        if base > 1e-30:
            shares.append((end if every else call.value) / base)
    return sorted(shares)[len(shares) // 2] if shares else float("nan")


def criterion_is_loss(seen: Observations) -> bool:
    """Whether the loss is the criterion's value: then that is known of every step, looked at or not."""
    calls = [c for c in seen.criteria() if math.isfinite(c.value)]
    values = dict(seen.losses)
    same = [abs(values[c.step] - c.value) < 0.01 * abs(c.value) for c in calls if c.step in values]
    return bool(same) and sum(same) > 0.9 * len(calls)


def median(values: list[float]) -> float:
    """Return the middle one of the values that are numbers; nan where none is."""
    found = sorted(v for v in values if v == v)
    return found[len(found) // 2] if found else float("nan")


def training_accuracy(seen: Observations, classes: int) -> tuple[float, float]:
    """Return the accuracy in the last quarter of the steps that were looked at, and the best constant's."""
    calls = [c for c in seen.criteria() if c.accuracy == c.accuracy]
    late = calls[-max(1, len(calls) // 4) :]
    examples = sum(c.target[0] for c in late if c.target)
    right = sum(c.accuracy * c.target[0] for c in late if c.target)
    return right / examples if examples else float("nan"), 1 / max(classes, 2)


def training_accuracy_midway(seen: Observations) -> float:
    """Return the accuracy in the steps that were looked at between 30% and 60% of the run."""
    calls = [c for c in seen.criteria() if c.accuracy == c.accuracy and c.target]
    calls = [c for c in calls if 0.3 * seen.steps < c.step <= 0.6 * seen.steps]
    examples = sum(c.target[0] for c in calls)
    return sum(c.accuracy * c.target[0] for c in calls) / examples if examples >= 20 else float("nan")


def evaluated(seen: Observations) -> float:
    """Return the accuracy of the last evaluation that was looked at."""
    found = [e.accuracy for e in seen.of_trained if e.accuracy == e.accuracy and e.examples >= 20]
    found = found or [c.accuracy for e in seen.of_trained for c in e.criteria if c.accuracy == c.accuracy]
    return found[-1] if found else float("nan")


def classes_of(seen: Observations) -> int:
    """Return how many classes there are to tell apart; 0 where numbers are told."""
    return max((c.classes for c in seen.criteria()), default=0)
