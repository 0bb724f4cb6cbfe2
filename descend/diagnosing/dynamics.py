"""The pace: steps that are too long or too short, and batches too small for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from descend.diagnosing import measures
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.observations import Observations

CLIMBS = 1.5
"""How high over its start a loss climbs in the first fifth where that is more than the batches' noise."""


def learning_rate_too_high(seen: Observations) -> Iterable[Suspicion]:
    """Moves as large as the weights themselves, weights that swell, a loss that rises or stays wild."""
    if not seen.windows or seen.steps < 10:
        return
    pace = _pace(seen)
    grown = measures.grown(seen)
    rise, at = _rise(seen)
    slow = measures.stuck(seen)
    share = measures.fallen(seen)
    end = 1 - share if math.isfinite(share) else math.nan
    signs = []
    if pace > 0.12:
        signs.append(f"a step moves weights by {pace:.0%} of their size in the first steps")
    if grown > 4 and not measures.gain(seen) < 0.3:  # weights that began small grow, and grow fast
        signs.append(f"weights have grown {grown:.1f}-fold")
    if rise > CLIMBS:
        signs.append(f"the loss climbs to {rise:.1f} times where it began by step {at}")
    if end > 1.5:
        signs.append(f"it ends at {end:.1f} times where it began")
    broken = seen.not_finite
    if (
        broken is not None
        and broken.what in ("loss", "parameter")
        and math.isfinite(rise)
        and _ran_away(seen)
    ):
        signs.append(f"it grows until it overflows at step {broken.step}")
    apart = _opposed(seen)
    if apart < -0.35 and slow and math.isfinite(share):
        signs.append(f"gradients of consecutive steps point against each other (cosine {apart:.2f})")
    if not signs:
        return
    confidence = {1: 0.4, 2: 0.7, 3: 0.8}.get(len(signs), 0.85)
    if len(signs) == 1 and pace > 0.2 and slow and math.isfinite(share):
        confidence = 0.62
    opposed = apart < -0.35 and math.isfinite(share)
    harmed = rise > CLIMBS or end > 1.5 or opposed or (slow and math.isfinite(share))
    harmed = harmed or (math.isfinite(share) and measures.gain(seen) > 0.4)
    if not harmed and not any("overflows" in sign for sign in signs):
        confidence = min(confidence, 0.4)  # weights that began small grow, and grow fast
    if pace < 1e-3 or (len(signs) == 1 and not slow):
        confidence = min(confidence, 0.3)
    if not (pace > 0.02 or _steady(seen)) or len({o.first // 100 for o in seen.optimizers}) < len(
        seen.optimizers
    ):
        confidence = min(confidence, 0.42)  # targets that move, or players: losses may well rise
    if measures.momentum(seen) >= 0.97:
        confidence *= 0.55
    if measures.unscaled(seen):
        confidence *= 0.55
    if measures.gain(seen) > 3:
        confidence *= 0.6
    if not slow and share > 0.8:
        sizes = [b.examples if len(b.shape) > 1 else 1 for w in seen.windows for b in w.batches if b.grad]
        many = measures.middle([float(n) for n in sizes]) >= 8
        confidence = min(confidence, 0.62 if rise > 10 and pace > 0.12 and many else 0.4)
    if len(signs) == 1 and pace < 0.12 and not slow:
        confidence = min(confidence, 0.2)
    if any(w.stale > 0 for w in seen.windows):
        confidence = min(confidence, 0.4)
    words = ", ".join(signs)
    yield Suspicion("learning-rate-too-high", confidence, f"{words[0].upper()}{words[1:]}.", step=at)


def _pace(seen: Observations) -> float:
    """Return |move| ÷ |weight| in the steps after the first; of a first step alone, the half of it."""
    early = [measures.ratio(seen, w) for w in seen.windows if 1 < w.step <= 12]
    if early:
        return measures.middle(early)
    # Which steps are looked at depends on how fast the machine is. Adam's first step is its longest.
    return 0.5 * measures.ratio(seen, seen.windows[0])


def _rise(seen: Observations) -> tuple[float, int]:
    """Return how high the loss climbs in the first fifth, relative to its start, and the step where."""
    curve = [(s, v) for s, v in seen.losses if math.isfinite(v)]
    if len(curve) < 10 or min(v for _, v in curve) < 0:
        return math.nan, 0
    start = curve[0][1] if len(curve) < 50 else min(curve[0][1], median([v for _, v in curve[:2]]))
    part = curve[: max(12, len(curve) // 5)]
    smoothed = [(part[i + 1][0], median([v for _, v in part[i : i + 3]])) for i in range(len(part) - 2)]
    step, value = max(smoothed, key=lambda x: x[1], default=(0, math.nan))
    return (value / start if start > 0 else math.nan), step


def _ran_away(seen: Observations) -> bool:
    """Whether the loss rose all the time until it was no number."""
    curve = measures.losses(seen)
    return (
        len(curve) >= 3
        and max(curve[-3:]) > 10 * max(1e-12, min(curve[:3]))
        and max(curve[-3:]) == max(curve)
    )


def _steady(seen: Observations) -> bool:
    """Whether what is aimed at stays the same: classes, or targets of the same spread throughout."""
    calls = [c for c in seen.criteria() if c.classes or math.isfinite(c.target_std)]
    if not calls:
        return False
    a, b = calls[0], calls[-1]
    return bool(a.classes) or (a.target_std < 2 * b.target_std and b.target_std < 2 * a.target_std)


def _opposed(seen: Observations) -> float:
    """Return the median cosine of consecutive gradients in the second half of the run."""
    half = seen.windows[len(seen.windows) // 2 :]
    return measures.middle([m.cosine for w in half for _, m in measures.weights(seen, w)])


def learning_rate_too_low(seen: Observations) -> Iterable[Suspicion]:
    """All parameters move so little that the loss goes on falling in a straight line when the run ends."""
    windows = seen.windows
    if not windows or seen.steps < 30 or not seen.losses:
        return
    if any(p.trained_before for p in seen.parameters.values()):
        return
    moved: dict[str, list[float]] = {}
    for window in windows:
        for m in window.moved:
            if m.weight > 0 and (window.step > 1 or len(windows) < 3) and math.isfinite(m.update):
                moved.setdefault(m.name, []).append(m.update / m.weight)
    if moved and not max(map(max, moved.values())):
        return  # nothing moves at all: that is no matter of the rate
    fastest = max((measures.middle(v) for v in moved.values()), default=math.nan)
    first = max((v[0] for v in moved.values()), default=math.nan)
    # Zero-initialised biases make any ratio large: the weights' own pace counts.
    paces = [
        max((m.update / m.weight for _, m in measures.weights(seen, w)), default=math.nan) for w in windows
    ]
    pace = measures.middle(paces)
    way = pace * seen.steps
    share = measures.fallen(seen)
    if not (way < 0.5 and pace < 2e-3) or not share < 0.6 or not math.isfinite(share):
        return
    curve = measures.smooth(measures.losses(seen), 10)
    half = len(curve) // 2
    early, late = curve[0] - curve[half], curve[half] - curve[-1]
    still = late > 0.4 * early > 0
    parallel = measures.middle([m.cosine for w in windows for _, m in measures.weights(seen, w)])
    confidence = 0.45
    if way < 0.15 and (still or parallel > 0.9):
        confidence = 0.88
    elif still and parallel > 0.5:
        confidence = 0.72
    elif way < 0.05:
        confidence = 0.6
    if first > 0.05 or fastest > 0.05 or (not still and parallel < 0.5):
        confidence *= 0.5
    rates = [
        max((float(str(g.get("lr", 0.0))) for g in s), default=0.0)
        for o in seen.optimizers
        for _, s in o.settings
    ]
    if rates and rates[-1] < 0.2 * max(rates):
        confidence *= 0.4
    if measures.clipped(seen) < 0.5:
        confidence *= 0.4
    kinds = {o.kind for o in seen.optimizers}
    gain = measures.gain(seen)
    if kinds == {"SGD"} and max(rates, default=0.0) >= 0.01:  # the gradient is small, not the rate
        confidence *= 0.55
    if gain > 2.5 or gain < 0.25 or measures.unscaled(seen):
        confidence *= 0.6
    yield Suspicion(
        "learning-rate-too-low",
        confidence,
        f"A step moves weights by {pace:.1e} of their size, all {seen.steps} steps together by at most "
        f"{way:.2g}; the loss fell by {share:.0%}"
        + (" and is falling as fast at the end as at the beginning." if still else "."),
        step=windows[0].step,
    )


def batch_too_small(seen: Observations) -> Iterable[Suspicion]:
    """Single examples at a pace for many, or statistics over a batch of a few."""
    batches = [b for w in seen.windows for b in w.batches if b.grad and len(b.shape) > 1]
    if not batches or seen.steps < 20:
        return
    size = median([b.examples for b in batches])
    many = size * max(1.0, seen.accumulates)
    if size > 4:
        return
    normal = [c for w in seen.windows for c in w.layers if c.kind.startswith("BatchNorm") and c.training]
    flat = [c for c in normal if math.prod(c.shape[2:]) * c.shape[0] <= 16]
    whole = any(l.examples and l.examples <= 4 for l in seen.loaders)
    share = measures.fallen(seen)
    if normal and not whole:
        yield Suspicion(
            "batch-too-small",
            # Over the places of a large picture, statistics are those of many numbers.
            0.75 if flat else 0.3 if size == 1 else 0.6,
            f"{normal[0].name} normalises with the statistics of {size:g} examples at a time.",
            where=normal[0].name,
        )
        return
    if many > 4 or whole:
        return
    pace = measures.middle([measures.ratio(seen, w) for w in seen.windows])
    apart = measures.middle([m.cosine for w in seen.windows for _, m in measures.weights(seen, w)])
    noise = _noise(seen)
    loud = noise > 0.5 or not math.isfinite(noise)
    bad = not share > 0.5
    confidence = 0.25
    if pace > 0.02 and apart < 0.3 and bad:
        confidence = 0.72
    elif pace > 4e-3 and apart < 0.2 and bad and loud:
        confidence = 0.6
    elif size <= 2 and not any(True for _ in seen.criteria()) and _pace(seen) > 0.05 and _gave_up(seen):
        confidence, pace = 0.6, _pace(seen)
    yield Suspicion(
        "batch-too-small",
        confidence,
        f"Each step sees {size:g} example{'s' if size != 1 else ''} and moves weights by {pace:.1%} of their "
        f"size, while gradients of consecutive steps agree with a cosine of {apart:.2f} only.",
    )


def _gave_up(seen: Observations) -> bool:
    """Whether losses of either sign have shrunk to nothing: a policy that has become certain."""
    sizes = [abs(v) for v in measures.losses(seen)]
    part = len(sizes) // 10
    return (
        part >= 2 and median(sizes[-part:]) < 0.02 * median(sizes[:part]) and min(measures.losses(seen)) < 0
    )


def _noise(seen: Observations) -> float:
    """Return the spread of losses in the second half, relative to their mean; nan for losses below zero."""
    curve = measures.losses(seen)
    half = curve[len(curve) // 2 :]
    if len(half) < 10 or min(half) < 0:
        return math.nan
    mean = sum(half) / len(half)
    return math.sqrt(sum((v - mean) ** 2 for v in half) / len(half)) / mean if mean > 0 else math.nan


DETECTORS: tuple[Detector, ...] = (learning_rate_too_high, learning_rate_too_low, batch_too_small)
