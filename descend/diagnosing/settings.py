"""What the optimizer was told: how far it goes, how long it remembers, what is taken from the gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean, median, pstdev

from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.facts import OptimizerFacts
from descend.watching.observations import Moved, Observations, Window

DECOUPLED = ("AdamW", "Lion", "Muon", "SOAP", "NAdamW", "SGDW", "Adan", "Sophia")
"""Optimizers whose decay is no part of the gradient."""
SPENT = 0.98
"""A schedule is over when so much of the sum of all its learning rates has been used."""


def _of(seen: Observations) -> Iterator[tuple[OptimizerFacts, list[Window]]]:
    """The optimizers that take a considerable part in a run, and the windows of each."""
    for index, optimizer in enumerate(seen.optimizers):
        if optimizer.steps > 0.2 * seen.steps:
            yield optimizer, [w for w in seen.windows if w.optimizer == index]


def _curve(seen: Observations, chunks: int = 12) -> list[float]:
    """Means of the loss over equal parts of the run; fewer where there are few, none where none is finite."""
    values = [v for _, v in seen.losses if math.isfinite(v)]
    size = max(1, len(values) // chunks)
    return [fmean(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]


def _still_falls(curve: list[float]) -> bool:
    """Whether a loss has hardly fallen at all, or a good part of its fall is in the last third."""
    if len(curve) < 3:
        return False
    fall, late = curve[0] - curve[-1], curve[-1 - len(curve) // 3] - curve[-1]
    return (curve[0] > 0 and curve[-1] > 0.7 * curve[0]) or (fall > 0 and late > 0.15 * fall)


def gradient_clipped_away(seen: Observations) -> Iterator[Suspicion]:
    """See gradients that steps find much smaller than backward left them, every time.

    A scale alone (of mixed precision, of accumulation) divides each gradient by the same number; clipping
    leaves the same norm of each. Methods that divide by the gradient's own size do not mind, unless what is
    left is below their ε.
    """
    known = [(allowed, norm) for _, allowed, norm in seen.clips if norm > 0 and math.isfinite(norm)]
    kept = [min(1.0, allowed / norm) for allowed, norm in known]
    plain = [o for o, _ in _of(seen) if o.kind.startswith(("SGD", "ASGD"))]
    if len(kept) >= 3 and median(kept) < 0.1 and fmean(k < 0.5 for k in kept) > 0.9 and plain:
        curve = _curve(seen)
        yield Suspicion(
            "gradient-clipped-away",
            0.88 if _still_falls(curve) else 0.4,
            f"Gradients are clipped to a norm of {known[0][0]:.3g}, of which they have "
            f"{median(norm / allowed for allowed, norm in known):.0f} times as much: in {len(kept)} steps "
            f"that were noted, {median(kept):.2%} of them was left" + _of_curve(curve),
            step=seen.clips[0][0],
        )
        return
    for optimizer, windows in _of(seen):
        ratios, lengths, left = [], [], []
        for window in windows:
            known = [m for m in window.moved if m.before_clipping > 0 and m.finite and m.gradient > 0]
            if known:
                ratios.append(median(m.gradient / m.before_clipping for m in known))
                left.append(math.hypot(*(m.gradient for m in known)))
                lengths.append(median(_length(m, seen, optimizer.lr(window.step)) for m in known))
        if len(ratios) < 2 or fmean(r < 0.5 for r in ratios) < 0.9 or median(ratios) > 0.1:
            continue
        if pstdev(ratios) < 0.01 * fmean(ratios):  # a scale
            continue
        proportional = optimizer.kind.startswith(("SGD", "ASGD")) or not optimizer.stateful
        if not proportional and median(lengths) > 0.1:
            continue
        curve = _curve(seen)
        way = median(
            max((m.update / m.weight for m in w.moved if m.weight > 0), default=0.0) for w in windows
        )
        sure = 0.85 if _still_falls(curve) or way * seen.steps < 0.1 else 0.4
        yield Suspicion(
            "gradient-clipped-away",
            sure,
            f"{optimizer.kind} found {median(ratios):.2%} of gradients' sizes in {len(ratios)} steps that "
            f"were looked at: clipping, which left a norm of {median(left):.2g}, hardly ever spared one"
            + _of_curve(curve),
            step=windows[0].step,
        )


def _length(moved: Moved, seen: Observations, lr: float) -> float:
    """How far a parameter's elements moved, in learning rates."""
    facts = seen.parameters.get(moved.name)
    count = math.prod(facts.shape) if facts is not None else 1
    return moved.update / math.sqrt(max(1, count)) / lr if lr > 0 else 1.0


def _of_curve(curve: list[float]) -> str:
    return f"; the loss went from {curve[0]:.4g} to {curve[-1]:.4g}." if len(curve) > 1 else "."


def learning_rate_decayed_to_zero(seen: Observations) -> Iterator[Suspicion]:
    """See a schedule that is over long before the run is: what comes after it goes nowhere."""
    for optimizer, _ in _of(seen):
        rates = [
            (step, max((_number(g.get("lr")) for g in groups), default=0.0))
            for step, groups in optimizer.settings
        ]
        end = optimizer.last if len(rates) < 4000 else max(rates[-1][0], 1)
        begin = max(0, optimizer.first - 1)
        spans = [
            (max(a - 1, begin), max(b - 1, begin), rate)
            for (a, rate), (b, _) in zip(rates, [*rates[1:], (end + 1, 0.0)], strict=True)
        ]
        total = sum((b - a) * rate for a, b, rate in spans)
        if total <= 0 or len(rates) < 2 or end - begin < 20:
            continue
        used, over = 0.0, end
        for a, b, rate in spans:
            if used + (b - a) * rate >= SPENT * total:
                over = a + (SPENT * total - used) / rate
                break
            used += (b - a) * rate
        share, peak, last = (over - begin) / (end - begin), max(r for _, r in rates), rates[-1][1]
        if share > 0.55 or last > 0.02 * peak:
            continue
        values = [(s, v) for s, v in seen.losses if math.isfinite(v)]
        first = [v for s, v in values if s - begin <= max(3, 0.02 * (end - begin))]
        after = [v for s, v in values if s > over]
        solved = bool(first and after) and fmean(after) < 0.02 * fmean(first)
        sure = 0.3 if solved else 0.92 if share < 0.4 else 0.7
        yield Suspicion(
            "learning-rate-decayed-to-zero",
            sure,
            f"The learning rate fell from {peak:.3g} to {last:.3g}: after step {over:.0f} of {end} "
            f"({share:.0%} of the run) all that was left of its sum were {1 - SPENT:.0%}"
            + (f", and the loss stayed at {fmean(after):.4g}." if after else "."),
            step=int(over),
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def decay_too_strong(seen: Observations) -> Iterator[Suspicion]:
    """See weights that shrink to a part of what they were, though the loss is far from solved.

    Where the loss's gradient and the decay hold each other (wd·|w| ≈ |g|), and gradients of one batch and
    the next agree, the loss would go on falling if it were allowed to.
    """
    for optimizer, windows in _of(seen):
        first: dict[str, float] = {}
        last: dict[str, Moved] = {}
        for moved in (m for w in windows for m in w.moved if m.finite and math.isfinite(m.weight)):
            facts = seen.parameters.get(moved.name)
            if facts is not None and len(facts.shape) >= 2 and moved.weight > 0:
                first.setdefault(moved.name, moved.weight)
                last[moved.name] = moved
        curve = _curve(seen)
        if not last or len(windows) < 3 or len(curve) < 3:
            continue
        typical = median(m.weight / first[name] for name, m in last.items())
        left = math.hypot(*(m.weight for m in last.values())) / math.hypot(*first.values())
        decay = max(
            (_number(g.get("weight_decay")) for _, groups in optimizer.settings for g in groups), default=0.0
        )
        if left > 0.6 or typical > 0.9:
            continue
        unsolved = curve[-1] > 0.3 * curve[0] > 0
        third = len(curve) // 3
        flat = abs(fmean(curve[-third:]) - fmean(curve[third:-third])) < 0.1 * abs(curve[0])
        shrunk = f"The weights have shrunk to {left:.0%} of their first norm"
        if decay > 0:
            forgotten = decay * optimizer.lr(1) * optimizer.steps
            pressure = (
                median(decay * m.weight / m.gradient for m in last.values() if m.gradient > 0)
                if any(m.gradient > 0 for m in last.values())
                else math.inf
            )
            if (forgotten < 0.5) if optimizer.kind in DECOUPLED else (pressure < 0.25 and forgotten < 0.5):
                continue
            agree = [m.cosine for m in last.values() if math.isfinite(m.cosine)]
            sure = (
                (0.85 if left < 0.45 or (agree and median(agree) > 0.5) else 0.65)
                if unsolved and flat
                else 0.35
            )
            how = f" under a weight decay of {decay:g}"
            if optimizer.kind not in DECOUPLED:
                how += f", whose pull is {pressure:.1f} times the gradient there"
            yield Suspicion("decay-too-strong", sure, shrunk + how + _of_curve(curve), step=windows[-1].step)
            continue
        extra = _penalty(windows)
        if extra > 0.1:
            own = [c for w in windows for c in w.criteria if math.isfinite(c.value)]
            alike = own[0].value  # what a model that knows nothing has: for squares, the targets' variance
            if own[-1].name in ("mse_loss", "deviation"):
                alike = min(alike, own[-1].target_std ** 2)
            sure = 0.75 if fmean(c.value for c in own[-3:]) > 0.3 * alike and left < 0.5 else 0.4
            evidence = (
                f"{shrunk}, and {extra:.0%} of what was descended at first was no part of the loss function: "
            )
            yield Suspicion(
                "decay-too-strong", sure, evidence + "a penalty" + _of_curve(curve), step=windows[0].step
            )


def _penalty(windows: list[Window]) -> float:
    """The share of what is descended that is not the criterion, in the first window that tells."""
    for window in windows:
        values = [c.value for c in window.criteria if math.isfinite(c.value)]
        if len(values) == 1 == len(window.backwards) and window.backwards[0].value > 0 <= values[0]:
            return 1 - values[0] / window.backwards[0].value
    return 0.0


def momentum_too_high(seen: Observations) -> Iterator[Suspicion]:
    """See a memory of many steps, and moves that go up as often as down: the descent swings past its aim."""
    for optimizer, windows in _of(seen):
        momentum = max((_momentum(g) for _, groups in optimizer.settings for g in groups), default=0.0)
        if not 0.965 <= momentum < 1 + 1e-9:
            continue
        memory = 1 / max(1 - momentum, 1e-9)
        along = [median(m.along for m in w.moved) for w in windows if w.moved and w.step > 0.2 * seen.steps]
        up = fmean(a > -0.05 for a in along) if along else 0.0
        curve = _curve(seen)
        swing = max((max(curve[i:]) - v for i, v in enumerate(curve)), default=0.0)
        swings = len(curve) > 3 and swing > 0.15 * (max(curve) - min(curve)) + 1e-12
        symptom = up > 0.3 or (swings and swing > 0.1 * abs(curve[0]))
        sure = (0.88 if symptom else 0.45) if momentum >= 0.985 else (0.6 if symptom and up > 0.3 else 0.2)
        if memory < 0.01 * optimizer.steps:
            sure = min(sure, 0.4)
        evidence = f"Momentum of {momentum:g} remembers about {memory:.0f} steps of {optimizer.steps}"
        if up:
            evidence += (
                f"; in {up:.0%} of the steps that were looked at, most parameters did not move downhill"
            )
        yield Suspicion(
            "momentum-too-high", sure, evidence + _of_curve(curve), step=windows[0].step if windows else 0
        )


def _momentum(group: dict[str, object]) -> float:
    betas = group.get("betas")
    if isinstance(betas, tuple) and betas:
        return _number(betas[0])
    return _number(group.get("momentum"))


DETECTORS: tuple[Detector, ...] = (
    gradient_clipped_away,
    learning_rate_decayed_to_zero,
    decay_too_strong,
    momentum_too_high,
)
