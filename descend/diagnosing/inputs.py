"""Causes that lie in what is given: scales of inputs and targets, the order of examples, batches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor

from descend.diagnosing.leaks import target_leak
from descend.diagnosing.progress import NUMBERS, median, remaining
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.observations import CriterionCall, LayerCall, Observations

LARGE = 15.0
"""Numbers of this size are large for what layers' initial values are made for, which is about 1."""
NORMS = ("BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm", "RMSNorm")


# Scales ---------------------------------------------------------------------------------------------
def inputs_not_scaled(seen: Observations) -> Iterable[Suspicion]:
    """Inputs are far from the size for which layers are made, and nothing in the model scales them."""
    own = {name.rpartition(".")[0] for name in seen.parameters}
    calls = [c for w in seen.windows[:1] for c in w.layers]
    # What comes before any parameter may well be what scales them.
    first = next((c for c in calls if c.name in own), next((c for c in calls if not c.follows), None))
    if first is None or first.kind.startswith(NORMS) or first.kind == "Embedding":
        return
    said, size, uneven = _scales(seen, first)
    left = remaining(seen)
    if size > LARGE:
        confidence = 0.55 + 0.1 * min(2.0, math.log10(size / LARGE)) + (0.1 if left > 0.3 else 0.0)
    elif uneven > 300:
        confidence = 0.6 if left > 0.3 else 0.4
    elif 0 < size < 0.01:
        confidence = 0.65 if left > 0.3 else 0.45
    else:
        return
    worst, constant = _first_losses(seen, left)
    if size > LARGE and (left < 0.1 or (left != left and worst > 20)) and not constant > 3:
        confidence = min(confidence, 0.45)  # they are large, and it has learned nevertheless
    if constant > 3 and size > LARGE:
        said += f" The first losses reach {constant:.0f} times that of a constant answer."
    after = "" if left != left else f" At the end {_share(left)} of a constant answer's loss is left."
    yield Suspicion("inputs-not-scaled", confidence, said + after, where=first.name, step=1)


def _scales(seen: Observations, first: LayerCall) -> tuple[str, float, float]:
    """Return a sentence, the size of the largest feature, and how many times the smallest's that is."""
    if seen.samples is None or seen.samples.kind != "features" or any(r.inputs > 1 for r in seen.roots[:1]):
        size = first.input_std if first.input_std == first.input_std else 1.0
        return f"The numbers that {first.name} is given have a standard deviation of {size:.3g}.", size, 1.0
    x = seen.samples.x.double()
    overall = float(x.std())
    if not math.isfinite(overall) or not 0.4 < first.input_std / max(overall, 1e-30) < 2.5:
        # The model does something to them before its first layer.
        size = first.input_std
        return f"The numbers that {first.name} is given have a standard deviation of {size:.3g}.", size, 1.0
    sizes = x.square().mean(0).sqrt()
    sizes = sizes[x.std(0) > 0] if bool((x.std(0) > 0).any()) else sizes
    largest, smallest = float(sizes.max()), float(sizes.min())
    picture = x.shape[1] >= 32
    typical = float(sizes.quantile(0.8)) if picture else largest
    low, high = float(x.min()), float(x.max())
    if picture or len(sizes) == 1:
        said = f"Inputs lie between {low:.4g} and {high:.4g} (mean {float(x.mean()):.4g}, standard deviation"
        said += f" {overall:.3g}), and reach {first.name} like that."
        return said, typical, 1.0
    said = f"The features of the inputs have sizes from {smallest:.3g} to {largest:.3g}, a factor of"
    said += f" {largest / max(smallest, 1e-30):.0f}, and reach {first.name} like that."
    return said, typical, largest / max(smallest, 1e-30)


def _first_losses(seen: Observations, left: float) -> tuple[float, float]:
    """Return the worst of the first losses: over the last ones, and over that of a constant answer."""
    values = [v for _, v in seen.losses if math.isfinite(v)]
    end = median(values[-max(1, len(values) // 8) :])
    over = max(values[:10]) / end if values and end > 0 else float("nan")
    return over, over * left


def targets_not_scaled(seen: Observations) -> Iterable[Suspicion]:
    """Targets are far from what a new network answers, and the answers had not come there at the end."""
    calls = [c for c in seen.criteria() if c.name in NUMBERS and c.target_std == c.target_std]
    if not calls or calls[0].step > 50:
        return
    first, late = calls[0], calls[-max(1, len(calls) // 5) :]
    if _drifts(seen):
        return
    size = math.hypot(first.target_mean, first.target_std)
    off = abs(first.target_mean - first.prediction_mean) / max(first.target_std, 1e-30)
    away = [abs(c.target_mean - c.prediction_mean) / max(c.target_std, 1e-30) for c in late]
    short = [c.prediction_std / max(c.target_std, 1e-30) for c in late]
    away_now, short_now = sorted(away)[len(away) // 2], sorted(short)[len(short) // 2]
    journey = next((c.step for c in calls if _near(c)), seen.steps) / max(1, seen.steps)
    arrived = away_now < 0.5 and short_now > 0.5 and journey < 0.2
    said = (
        f"Targets are {first.target_mean:.4g} ± {first.target_std:.3g}; the answers began at"
        f" {first.prediction_mean:.3g} ± {first.prediction_std:.2g}, and at step {late[-1].step} they were at"
        f" {late[-1].prediction_mean:.4g} ± {late[-1].prediction_std:.3g}."
    )
    if size > 10 * max(1.0, abs(first.prediction_mean), first.prediction_std):
        confidence = min(0.9, 0.6 + 0.1 * math.log10(size / 10)) if not arrived else 0.4
        if not arrived and away_now < 0.5 and short_now > 0.5:
            said += f" They had come near after {journey:.0%} of all steps."
        yield Suspicion("targets-not-scaled", confidence, said, where=first.name, step=first.step)
    elif off > 10 and away_now > 1:
        yield Suspicion("targets-not-scaled", 0.6, said, where=first.name, step=first.step)
    elif first.target_std < 0.02 and first.prediction_std + abs(first.prediction_mean) > 5 * first.target_std:
        left = remaining(seen)
        if first.prediction[-1:] != (1,) and len(first.prediction) > 1:
            return  # of many outputs some may well be small
        if left > 0.5:
            yield Suspicion("targets-not-scaled", 0.6, said, where=first.name, step=first.step)


def _drifts(seen: Observations) -> bool:
    """Whether targets are made by the training itself, as values in reinforcement learning are."""
    calls = [c for c in seen.criteria() if c.name in NUMBERS and c.target_std == c.target_std]
    if not calls:
        return False
    drift = abs(calls[-1].target_mean - calls[0].target_mean)
    return drift > 2 * calls[0].target_std + 0.2 * abs(calls[0].target_mean)


def _near(call: CriterionCall) -> bool:
    """Return whether answers lie about where targets do, and are about as far apart."""
    away = abs(call.target_mean - call.prediction_mean)
    return away < 0.5 * call.target_std and call.prediction_std > 0.5 * call.target_std


# Order and batches ----------------------------------------------------------------------------------
def data_not_shuffled(seen: Observations) -> Iterable[Suspicion]:
    """Targets within a batch are far more alike than the mix over batches."""
    for index, _ in enumerate(seen.optimizers):
        batches = labels_of_steps(seen, index)
        if len(batches) < 4:
            continue
        whole = all(not label.is_floating_point() for label in batches)
        found = alike_classes(batches) if whole else alike_numbers(batches)
        if found is None or found[0] < 0.35:
            continue
        alike, said = found
        if not whole and _drifts(seen):
            continue  # states of one way after another, as in reinforcement learning
        ordered = any(not x.shuffled and x.batches > 1 for x in seen.loaders)
        parts = any(b.of_larger for w in seen.windows for b in w.batches)
        confidence = 0.55 + 0.3 * alike + (0.08 if ordered else 0.0)
        if not whole:
            confidence = 0.6 + (0.15 if ordered else 0.0) if ordered or parts else 0.4
        first = 0.9 if ordered and whole and alike > 0.5 else confidence
        yield Suspicion("data-not-shuffled", min(0.95, first), said, step=1)
        return
    inputs = _alike_inputs(seen)
    if inputs is not None:
        parts = any(b.of_larger for w in seen.windows for b in w.batches)
        ordered = any(not x.shuffled and x.batches > 1 for x in seen.loaders)
        sure = (0.65 if parts or ordered else 0.4) * (0.6 if remaining(seen) < 0.02 else 1.0)
        yield Suspicion("data-not-shuffled", sure, inputs[1], step=1)


def _alike_inputs(seen: Observations) -> tuple[float, str] | None:
    """Return how much less inputs vary within a batch than over all batches, in the features where most."""
    kept = seen.samples
    if kept is None or kept.kind != "features" or not kept.x.shape[1] >= 2:
        return None
    steps, count = kept.steps.unique(return_counts=True)
    steps = steps[count >= 8]
    if len(steps) < 4:
        return None
    x = torch.cat([kept.x[kept.steps == s][:64] for s in steps]).double()
    sizes = [min(64, int((kept.steps == s).sum())) for s in steps]
    x = x[:, x.std(0) > 0]
    if not x.shape[1] or not bool(torch.isfinite(x).all()):
        return None
    generator = torch.Generator().manual_seed(0)

    def alike(x: Tensor) -> float:
        within = torch.stack([b.var(0) for b in x.split(sizes)]).mean(0)
        shares = 1 - within / x.var(0)
        return float(shares.topk(max(1, len(shares) // 4)).values.mean())

    true = alike(x)
    mixed = torch.tensor([alike(x[torch.randperm(len(x), generator=generator)]) for _ in range(20)])
    if true < 0.35 or true < float(mixed.mean() + 8 * mixed.std()):
        return None
    said = f"In a quarter of the features, {true:.0%} of the variance lies between batches, not within them:"
    return true, f"{said} each batch holds examples that are alike, and not those of other batches."


def labels_of_steps(seen: Observations, optimizer: int) -> list[Tensor]:
    """Return the targets of each step in order; those of its batches together, where gradients accumulate."""
    found: list[Tensor] = []
    name = ""
    for window in seen.windows:
        if window.optimizer != optimizer:
            continue
        calls = [
            c for c in window.criteria if c.labels is not None and len(c.labels) == min(256, c.target[0])
        ]
        # Of places of a sequence, those beside each other are alike.
        examples = max((b.examples for b in window.batches), default=0)
        calls = [c for c in calls if c.name == (name or c.name) and (not examples or c.target[0] <= examples)]
        if not calls or len({c.name for c in calls}) > 1:
            continue
        name = calls[0].name
        labels = torch.cat([c.labels for c in calls if c.labels is not None])
        if len(labels) >= 4:
            found.append(labels)
    return found


def alike_classes(batches: list[Tensor]) -> tuple[float, str] | None:
    """Return how much more often two of a batch are of one class than two of all batches, and words."""
    pooled = torch.cat([b[torch.linspace(0, len(b) - 1, min(len(b), 64)).long()] for b in batches])
    share = pooled.unique(return_counts=True)[1].double() / len(pooled)
    expected = float(share.square().sum())
    if len(share) < 2 or expected > 0.9:
        return None
    within = []
    for labels in batches:
        count = labels.unique(return_counts=True)[1].double()
        n = len(labels)
        within.append(float((count * (count - 1)).sum() / (n * (n - 1))))
    mean = sum(within) / len(within)
    alike = (mean - expected) / (1 - expected)
    distinct = sorted(len(b.unique()) for b in batches)[len(batches) // 2]
    said = (
        f"Two examples of one batch have the same class in {mean:.0%} of all pairs, and in {expected:.0%} if"
        f" batches were mixed; a typical batch of {len(batches[0])} holds {distinct} of {len(share)} classes."
    )
    return alike, said


def alike_numbers(batches: list[Tensor]) -> tuple[float, str] | None:
    """Return how much less targets vary within a batch than over all, where each is like the one before."""
    early = [b.double() for b in batches[:12]]
    if all(len(b) == len(early[0]) and torch.equal(b, early[0]) for b in early[1:]) or len(early) < 4:
        return None
    pooled = float(torch.cat(early).var())
    inner = sum(float(b.var()) for b in early) / len(early)
    if not pooled > 0 or not math.isfinite(pooled):
        return None
    neighbours = sum(float((b[1:] - b[:-1]).square().mean()) for b in early) / len(early)
    along = 1 - neighbours / (2 * pooled)
    alike = 1 - inner / pooled
    if along < 0.4:
        return None
    said = (
        f"Targets vary within a batch by {inner**0.5:.3g} and over all batches by {pooled**0.5:.3g} (standard"
        f" deviations), and each is like the one before (correlation {along:.2f})."
    )
    return alike, said


def _in_its_form(labels: Tensor | None) -> bool:
    """Whether targets tell only where the right answer stands: 0, 1, 2, … of pairs, or all alike.

    Those of an episode do too: equally many of each class, one class after the other or in turns.
    """
    if labels is None or labels.is_floating_point():
        return False
    count = int(labels.max()) + 1
    each = torch.arange(count)
    times = len(labels) // count if count > 0 else 0
    episode = (each.repeat_interleave(times), each.repeat(times))
    return bool((labels == labels[0]).all()) or any(torch.equal(labels, one) for one in episode)


def repeated_batch(seen: Observations) -> Iterable[Suspicion]:
    """Every step sees the same batch, and there is more to be seen."""
    windows = [w for w in seen.windows if w.batches]
    prints = [w.batches[0] for w in windows]
    # Of episodes the first states are the same, but not what comes then.
    same = len(prints) >= 2 and len({tuple(b.fingerprint for b in w.batches[:4]) for w in windows}) == 1
    calls = [w.criteria[0] for w in seen.windows if w.criteria and w.criteria[0].labels is not None]
    targets_too = _same_labels(calls)
    if same and len(calls) > 2 and not targets_too and len({str(c.labels) for c in calls}) > 1:
        return  # targets change: inputs that are all alike are another matter
    if not same and (not targets_too or _in_its_form(calls[0].labels)):
        yield from _few_examples(seen)
        return
    span = max((b.step for b in prints), default=0) if same else calls[-1].step
    size = prints[0].examples if prints else calls[0].target[0]
    count, what = (len(prints), "examples") if same else (len(calls), "targets in the same order")
    said = f"All {count} steps that were looked at, up to step {span}, had the same {size} {what}"
    loader = next(
        (x for x in seen.loaders if x.batches > 1 and x.examples // size in (x.batches, x.batches - 1)), None
    )
    of = max((b.of for b in prints), default=0) if same else 0
    sure = loader is not None or (of and size <= 0.2 * of)
    if not sure and (count < 3 or seen.steps < 50):
        return
    if loader is not None:
        said += f", although the loader has {loader.batches} batches of {loader.examples} examples."
        yield Suspicion("repeated-batch", 0.95, said, certain=True, step=2)
    elif of and size <= 0.34 * of:
        said += f", out of {of}."
        yield Suspicion("repeated-batch", 0.9 if size <= 0.2 * of else 0.55, said, step=2)
    elif (
        not of
        and seen.steps >= 50
        and (size in (8, 16, 32, 64, 128) or (size < 100 and calls and _wide(seen)))
    ):
        said += ", which is the size of a batch rather than that of a data set."
        yield Suspicion("repeated-batch", 0.65, said, step=2)


def _wide(seen: Observations) -> bool:
    """Whether examples are sequences of indices, or of many numbers: not the few points of a curve."""
    shapes = [(b.shape, b.floating) for w in seen.windows[:1] for b in w.batches[:1]]
    return any(math.prod(shape[1:]) >= (16 if floating else 8) for shape, floating in shapes)


def _few_examples(seen: Observations) -> Iterable[Suspicion]:
    """Suspect batches that are all of one example, or few batches that come again and again."""
    kept = seen.samples
    large = kept is not None and kept.kind == "features" and kept.x.shape[1] >= 3 and len(kept.x) >= 64
    if kept is not None and large and bool((kept.x == kept.x[0]).all()) and float(kept.x[0].std()) > 0:
        said = f"All {len(kept.x)} training examples that were looked at are one and the same."
        yield Suspicion("repeated-batch", 0.9, said, step=1)
        return
    prints = [w.batches[0].fingerprint for w in seen.windows if w.batches and w.batches[0].floating]
    different = len(set(prints))
    shuffled = any(x.shuffled and x.batches > 2 for x in seen.loaders)
    one = len({w.optimizer for w in seen.windows}) == 1
    again = len(prints) - sum(prints.count(p) == 1 for p in prints)
    if shuffled and one and again >= 3 and again >= 0.3 * len(prints):  # mixed anew, none comes twice
        said = f"{again} of {len(prints)} steps that were looked at had a batch that others had too, number"
        yield Suspicion(
            "repeated-batch", 0.8, f"{said} by number, although the loader mixes examples anew.", step=1
        )
        return
    loader = max(seen.loaders, key=lambda x: x.batches, default=None)
    if len(prints) < 8 or loader is None or different > len(prints) // 4:
        return
    if loader.batches >= 4 * different:
        said = f"{len(prints)} steps that were looked at had {different} different batches, although the"
        yield Suspicion("repeated-batch", 0.7, f"{said} loader has {loader.batches}.", step=1)


def _same_labels(calls: list[CriterionCall]) -> bool:
    """Return whether targets are the same in every step, in order, and more than a constant."""
    found = [c.labels for c in calls if c.labels is not None and len(c.labels) >= 8]
    if len(found) < 3 or len(found) < len(calls) or len(found[0].unique()) < 3:
        return False
    return all(a.shape == b.shape and bool(torch.equal(a, b)) for a, b in pairwise(found))


def _share(x: float) -> str:
    return f"{x:.0%}" if x < 10 else f"{x:.0f} times"


DETECTORS: tuple[Detector, ...] = (
    inputs_not_scaled,
    targets_not_scaled,
    data_not_shuffled,
    repeated_batch,
    target_leak,
)
