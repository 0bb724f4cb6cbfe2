"""Where training and evaluation part, and where training itself stays behind."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import torch

from descend.diagnosing.neighbours import rows_told, votes
from descend.diagnosing.progress import (
    classes_of,
    criterion_is_loss,
    median,
    remaining,
    training_accuracy,
    training_accuracy_midway,
)
from descend.diagnosing.suspicion import Suspicion
from descend.watching.observations import LayerCall, Observations

SLOWLY = 0.9
"""The training accuracy midway below which much is learned late, as wrong labels are: by heart."""


def _pairs(seen: Observations) -> tuple[str, list[tuple[int, float, float]]]:
    """Return the criterion, and (step, training loss about then, evaluation loss) by the same criterion."""
    trained = [c for c in seen.criteria() if math.isfinite(c.value)]
    names = {c.name for c in trained}
    found: list[tuple[int, float, float]] = []
    name = ""
    every = [x for x in seen.losses if math.isfinite(x[1])] if criterion_is_loss(seen) else []
    steps = [step for step, _ in every]
    for e in seen.of_trained:
        calls = [c for c in e.criteria if c.name in names and math.isfinite(c.value) and c.target]
        if not calls or (name and calls[-1].name != name):
            continue
        name = calls[-1].name
        if every:
            place = bisect(steps, e.step)
            about = [value for _, value in every[max(0, place - 5) : place + 5]]
        else:
            near = sorted((c for c in trained if c.name == name), key=lambda c: abs(c.step - e.step))[:3]
            about = [c.value for c in near]
        train = sum(about) / len(about)
        # Where training examples are evaluated too, the worst is that of the others.
        found.append((e.step, train, max(c.value for c in calls if c.name == name)))
    return name, found


def gap(seen: Observations) -> float:
    """Return the loss of late evaluations over that of training; nan where it is not known."""
    _, pairs = _pairs(seen)
    values = [(t, v) for _, t, v in pairs[-3:] if t > 0]
    return median([v / t for t, v in values])


def rise(seen: Observations) -> float:
    """Return the loss of late evaluations over the lowest one; nan where it is not known."""
    _, pairs = _pairs(seen)
    values = [v for _, _, v in pairs]
    return median(values[-3:]) / min(values) if len(values) >= 3 and min(values) > 0 else math.nan


def overfitting(seen: Observations) -> Iterable[Suspicion]:
    """The evaluation gets worse, or stays bad, while training gets better."""
    found = [x for x in (_by_losses(seen), _by_accuracy(seen)) if x is not None]
    if not found:
        return
    best = max(found, key=lambda x: x.confidence)
    wrong_mode = any(e.training and seen.roots[e.root].mode_matters for e in seen.of_trained)
    if wrong_mode:
        best = replace(best, confidence=min(best.confidence, 0.4))
    yield best


def _by_losses(seen: Observations) -> Suspicion | None:
    name, pairs = _pairs(seen)
    if len(pairs) < 4 or (classes_of(seen) and any(e.accuracy == e.accuracy for e in seen.of_trained)):
        return None
    values = [v for _, _, v in pairs]
    best = min(range(len(values)), key=values.__getitem__)
    late = median(values[-3:])
    train_then, train_now = pairs[best][1], median([t for _, t, _ in pairs[-3:]])
    after = values[best + 1 :]
    higher = sum(v > 1.02 * values[best] for v in after)
    rise = late / values[best] if values[best] > 0 else 1.0
    gap = late / train_now if train_now > 0 else float("inf")
    if (
        gap < 2
        or rise < (1.12 if classes_of(seen) else 1.04)
        or len(after) < 3
        or higher < 0.7 * len(after)
        or train_now > train_then
    ):
        return None
    confidence = 0.6 + (0.15 if rise > 1.25 else 0.05 if gap > 10 else 0.0) - (0.15 if gap < 3 else 0.0)
    said = (
        f"The loss of the evaluation was lowest at step {pairs[best][0]} ({values[best]:.3g}) and rose to"
        f" {late:.3g} by step {pairs[-1][0]}, while that of training fell from {train_then:.3g} to"
        f" {train_now:.2g}."
    )
    return Suspicion("overfitting", confidence, said, where=name, step=pairs[best][0])


def _by_accuracy(seen: Observations) -> Suspicion | None:
    found = [(e.step, e.accuracy) for e in seen.of_trained if e.accuracy == e.accuracy and e.examples >= 40]
    if not found or found[-1][0] < 0.6 * seen.steps:
        return None  # what it was early says nothing beside the training of later
    classes = max(classes_of(seen), 2)
    trained, least = training_accuracy(seen, classes)
    if not found or trained != trained or trained < 0.9:
        return None
    top, now = max(a for _, a in found), max(a for _, a in found[-3:])
    if trained - now < 0.12 or now < least + 0.05:
        return None
    confidence = 0.5 + min(0.2, (trained - now - 0.12)) + (0.1 if top - now > 0.03 else 0.0)
    said = (
        f"In training the model is right in {trained:.0%}, in the evaluation in {now:.0%} (at best it was"
        f" {top:.0%})"
    )
    midway = training_accuracy_midway(seen)
    slowly = midway < SLOWLY
    if slowly:
        said += f"; midway through the run it was right in {midway:.0%} of the training"
    _, pairs = _pairs(seen)
    if len(pairs) >= 3:
        lowest = min(v for _, _, v in pairs)
        said += f"; the loss there is {pairs[-1][2]:.3g} and was {lowest:.3g} at its lowest"
        confidence += 0.05 if pairs[-1][2] > 1.2 * lowest else -0.1
    # What is learned last may be wrong labels.
    return Suspicion("overfitting", min(0.55 if slowly else 0.75, confidence), said + ".", step=found[-1][0])


def underfitting(seen: Observations) -> Iterable[Suspicion]:
    """The loss has stopped to fall at a high level, and what could hold it there is seen in the model."""
    left = remaining(seen)
    losses = torch.tensor([v for _, v in seen.losses if math.isfinite(v)], dtype=torch.float64)
    if left != left or left < 0.1 or len(losses) < 40:
        return
    thirds = losses[len(losses) // 4 :].tensor_split(3)
    start, middle, end = float(losses[:5].mean()), float(thirds[1].median()), float(thirds[2].median())
    moves = [m.update / m.weight for w in seen.windows[-5:] for m in w.moved if m.weight > 0]
    if not moves or median(moves) < 1e-5 or end > 0.98 * start:
        return
    held, dropped = _held_back(seen)
    better = _neighbours_better(seen, left)
    falls = (middle - end) / abs(middle) if middle else 0.0
    if not held and not better and falls > 0.2 and seen.losses[-1][0] == seen.steps:
        said = f"The training loss still fell when training ended, from {middle:.3g} to {end:.3g}."
        yield Suspicion("underfitting", 0.25, said)
    if (not held and not better) or falls > (0.15 if dropped else 0.08):
        return
    small = sum(math.prod(p.shape) for p in seen.parameters.values()) < 200
    much = dropped > 0.65 or len(held) > 1  # dropout, and a narrow layer
    confidence = 0.7 if much else 0.6 if better and (held or small) else 0.45
    said = (
        f"The training loss hardly falls any more ({middle:.3g}, then {end:.3g}) and is {left:.0%} of that of"
        f" a constant answer, though parameters still move by {median(moves):.1g} of their size a step"
    )
    said += "".join(f"; {x}" for x in (", and ".join(held), better) if x)
    yield Suspicion("underfitting", confidence, said + ".")


def _held_back(seen: Observations) -> tuple[list[str], float]:
    """Return what keeps the model small, in words, and how much dropout drops where that is (part of) it."""
    layers = next((w.layers for w in reversed(seen.windows) if w.layers), [])
    shares = dropped_shares(layers)
    hard = {name: share for name, share in shares.items() if share > 0.45}
    before = {c.name: c.zero for c in layers}
    plain = [c for c in layers if c.name in hard and not before.get(c.follows, 0.0) > 0.35]
    most = max(hard, key=lambda name: hard[name], default="")
    dropped = hard[most] if hard and (len(plain) >= 2 or hard[most] > 0.65) else 0.0
    said = [f"dropout sets {hard[most]:.0%} of {most} to zero"] if dropped else []
    if narrow := narrowest(layers):
        said.append(f"all passes through the {narrow.shape[-1]} numbers of {narrow.name}")
    return said, dropped


def dropped_shares(layers: list[LayerCall]) -> dict[str, float]:
    """Return what share of what was not zero before each dropout layer sets to zero, by name."""
    before = {c.name: c.zero for c in layers}
    drops = [c for c in layers if "Dropout" in c.kind and c.training and c.zero == c.zero]
    kept = {c.name: max(1 - before.get(c.follows, 0.0), 1e-6) for c in drops}
    return {c.name: 1 - min(1.0, (1 - float(c.zero)) / kept[c.name]) for c in drops}


def narrowest(layers: list[LayerCall], most: int = 3) -> LayerCall | None:
    """Return a layer of few numbers that everything passes through, to be made more of again."""
    linear = [c for c in layers if c.kind == "Linear" and len(c.shape) == 2]
    narrow = [a for a, b in pairwise(linear) if a.shape[1] <= most and b.shape[1] > a.shape[1]]
    recurrent = [c for c in layers if c.kind in ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell")]
    narrow += [c for c in recurrent if c.shape[-1] <= most]
    embedded = [c for c in layers if c.kind == "Embedding"]
    if len(embedded) >= 2 and max(c.shape[-1] for c in embedded) < most:
        narrow += embedded[:1]
    return min(narrow, key=lambda c: c.shape[-1], default=None)


def _neighbours_better(seen: Observations, left: float) -> str:
    """Return, in words, that neighbours tell the target far better than the model does."""
    rows = rows_told(seen)
    if rows is None or len(rows.y) < 100:
        return ""
    if rows.classes:
        told = float((votes(rows).argmax(1) == rows.y).double().mean())
        trained, _ = training_accuracy(seen, rows.classes)
        if trained == trained and told > 0.7 and told - trained > 0.15:
            return f"nearest neighbours are right in {told:.0%} of examples, the model in {trained:.0%}"
        return ""
    y = rows.y.double()
    error = float((y[rows.near[:, :5]].mean(1) - y).square().mean() / y.var().clamp_min(1e-30))
    if error < 0.4 * left and error < 0.4:
        return f"nearest neighbours leave {error:.0%}"
    return ""
