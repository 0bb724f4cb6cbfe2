"""Signs of causes in the descent itself: its pace, its settings, what flows through the model."""

from __future__ import annotations

import math
from statistics import fmean

import torch

from descend.diagnosing import measures
from descend.diagnosing.neighbours import Rows
from descend.diagnosing.sign import NAN, Sign, log
from descend.watching.observations import Observations


# The pace ----------------------------------------------------------------------------------------------
def _paces(seen: Observations) -> list[float]:
    later = [measures.ratio(seen, w) for w in seen.windows if w.step > 1]
    return later or [measures.ratio(seen, w) for w in seen.windows]


def _pace(seen: Observations, rows: Rows | None) -> float:
    return log(measures.middle(_paces(seen)))


def _way(seen: Observations, rows: Rows | None) -> float:
    moved: list[float] = []
    for w in seen.windows:
        moved += [m.update / m.weight for m in w.moved if m.weight > 0 and math.isfinite(m.update)]
    way = measures.middle(moved) * seen.steps
    return log(way)


def _falls_still(seen: Observations, rows: Rows | None) -> float:
    """How much of all that a loss has fallen it fell in the last third."""
    curve = measures.smooth(measures.losses(seen), 12)
    if len(curve) < 6 or min(curve) < 0:
        return NAN
    low = min(curve)
    whole, late = curve[0] - low, curve[-1 - len(curve) // 3] - curve[-1]
    return late / whole * (curve[-1] / curve[0] if curve[0] > 0 else 1.0) if whole > 0 else NAN


def _rises(seen: Observations, rows: Rows | None) -> float:
    """How high a loss climbs over where it began, early, in its medians of five."""
    values = measures.losses(seen)
    if len(values) < 20 or min(values) < 0:
        return NAN
    smooth = measures.smooth(values[: max(20, len(values) // 4)], 12)
    start = measures.middle(values[:3])
    return log(max(smooth) / start) if start > 0 else NAN


def _restless(seen: Observations, rows: Rows | None) -> float:
    """How far losses scatter in the last third, relative to their size."""
    values = measures.losses(seen)
    late = values[-max(10, len(values) // 3) :]
    if len(late) < 10 or min(late) < 0:
        return NAN
    mean = fmean(late)
    return math.sqrt(fmean((v - mean) ** 2 for v in late)) / mean if mean > 0 else NAN


def _grown(seen: Observations, rows: Rows | None) -> float:
    return log(measures.grown(seen))


def _decay(seen: Observations, rows: Rows | None) -> float:
    """Weight decay × learning rate × steps, or the decay's pull over the gradient's."""
    found = []
    for o in seen.optimizers:
        for _, groups in o.settings[:1]:
            for g in groups:
                wd, lr = g.get("weight_decay", 0.0), g.get("lr", 0.0)
                if isinstance(wd, float | int) and isinstance(lr, float | int) and wd > 0:
                    found.append(float(wd) * (float(lr) * o.steps if "W" in o.kind else 1.0))
    return log(max(found, default=NAN))


def _momentum(seen: Observations, rows: Rows | None) -> float:
    value = measures.momentum(seen)
    return -log(1 - value) if 0 < value < 1 else NAN


def _uphill(seen: Observations, rows: Rows | None) -> float:
    along = [measures.middle([m.along for m in w.moved]) for w in seen.windows if w.step > 0.2 * seen.steps]
    known = [a for a in along if math.isfinite(a)]
    return fmean(a > -0.05 for a in known) if known else NAN


def _clipped(seen: Observations, rows: Rows | None) -> float:
    return log(measures.clipped(seen))


def _spent_early(seen: Observations, rows: Rows | None) -> float:
    """What part of the run is left when 98% of the sum of its learning rates are used."""
    best = NAN
    for o in seen.optimizers:
        if o.steps < 0.3 * seen.steps or len(o.settings) < 2:
            continue
        points = [
            (s, max((float(str(g.get("lr", 0.0))) for g in groups), default=0.0)) for s, groups in o.settings
        ]
        ends = [s for s, _ in points[1:]] + [o.last + 1]
        parts = [(lr * max(0, end - s), s, end) for (s, lr), end in zip(points, ends, strict=True)]
        whole, used = sum(p for p, _, _ in parts), 0.0
        for part, s, end in parts:
            if used + part >= 0.98 * whole > 0:
                at = s + (end - s) * (0.98 * whole - used) / part
                left = 1 - (at - o.first) / max(1, o.last - o.first)
                best = left if not best >= left else best
                break
            used += part
    return best


def _batch(seen: Observations, rows: Rows | None) -> float:
    sizes = [b.examples for w in seen.windows for b in w.batches if b.grad and len(b.shape) > 1]
    size = measures.middle([float(s) for s in sizes]) * max(1.0, seen.accumulates)
    return log(size)


# Signals -----------------------------------------------------------------------------------------------
def _vanishes(seen: Observations, rows: Rows | None) -> float:
    found = []
    for w in (seen.windows[:1] + seen.windows[len(seen.windows) // 2 :][:1]) if seen.windows else []:
        order = measures.depth(seen, w)
        part = max(1, len(order) // 4)
        sizes = [m.gradient / m.weight for _, m in order]
        if len(order) >= 3:
            found.append(measures.scale(sizes[-part:]) / max(measures.scale(sizes[:part]), 1e-30))
    return -log(max((f for f in found if math.isfinite(f)), default=NAN))


def _reach(seen: Observations, rows: Rows | None) -> float:
    found = [r.reach for r in seen.roots if len(r.reach) >= 8]
    return log(max(max(found[0][: max(1, len(found[0]) // 4)]), 1e-12)) if found else NAN


def _large_gradient(seen: Observations, rows: Rows | None) -> float:
    sizes = measures.gradients(seen)
    return log(max(sizes)) if sizes else NAN


def _gradient_leaps(seen: Observations, rows: Rows | None) -> float:
    sizes = measures.gradients(seen)
    return log(max(sizes) / measures.middle(sizes)) if len(sizes) >= 3 else NAN


def _loss_leaps(seen: Observations, rows: Rows | None) -> float:
    values = measures.losses(seen)
    if len(values) < 30 or min(values) < 0:
        return NAN
    smooth = measures.smooth(values, 30)
    return log(max(max(smooth[i:]) / min(smooth[: i + 1]) for i in range(len(smooth)) if smooth[i] > 0))


def _dead(seen: Observations, rows: Rows | None) -> float:
    late = seen.windows[-max(2, len(seen.windows) // 3) :]
    alive: dict[str, list[torch.Tensor]] = {}
    for w in late:
        for c in w.layers:
            if c.alive is not None:
                alive.setdefault(c.name, []).append(c.alive)
    shares = [
        1 - float(torch.stack(v).any(0).float().mean())
        for v in alive.values()
        if all(a.shape == v[0].shape for a in v)
    ]
    zero = [c.zero for w in late[-1:] for c in w.layers if "relu" in c.kind.lower()]
    return max(shares + [z for z in zero if z == 1.0], default=NAN)


def _saturated(seen: Observations, rows: Rows | None) -> float:
    found = [c.saturated for w in seen.windows[:1] + seen.windows[-1:] for c in w.layers[:-1]]
    return max((v for v in found if math.isfinite(v)), default=NAN)


def _start(seen: Observations, rows: Rows | None) -> float:
    return log(measures.gain(seen))


def _first_loss(seen: Observations, rows: Rows | None) -> float:
    """The first loss over that of guessing."""
    for w in seen.windows[:1]:
        for c in w.criteria[:1]:
            if c.classes > 1 and c.name == "cross_entropy":
                return log(c.value / math.log(c.classes))
    return NAN


def _twins(seen: Observations, rows: Rows | None) -> float:
    found = [
        p for p in seen.parameters.values() if p.role == "weight" and p.shape[0] > 1 and not p.trained_before
    ]
    return fmean(p.constant or p.equal_rows for p in found) if found else NAN


DESCENT: tuple[Sign, ...] = (
    Sign("pace", "a step moves weights by 10^{:.1f} of their size", _pace),
    Sign("rises", "early the loss comes to 10^{:.1f} times its start", _rises),
    Sign("restless", "late losses scatter by {:.2f} of their size", _restless),
    Sign("grown", "weights end at 10^{:.1f} times their size", _grown),
    Sign("way", "all steps together move weights by 10^{:.1f} of their size", _way),
    Sign("falls-still", "{:.0%} of what the loss fell it fell in the last third", _falls_still),
    Sign("decay", "the weight decay is 10^{:.1f}", _decay),
    Sign("memory", "momentum remembers 10^{:.1f} steps", _momentum),
    Sign("uphill", "moves went uphill in {:.0%} of the steps", _uphill),
    Sign("left-by-clipping", "clipping leaves 10^{:.1f} of gradients", _clipped),
    Sign("spent", "the learning rate was used up with {:.0%} of the run left", _spent_early),
    Sign("batch", "a step sees 10^{:.1f} examples", _batch),
    Sign("vanishes", "first layers' gradients are 10^{:.1f} times the last ones'", _vanishes),
    Sign("reach", "the output depends on early places 10^{:.1f} times as on late ones", _reach),
    Sign("gradient", "the largest gradient is 10^{:.1f}", _large_gradient),
    Sign("leaps", "the largest gradient is 10^{:.1f} times the median", _gradient_leaps),
    Sign("loss-leaps", "the loss leaps by 10^{:.1f} at most", _loss_leaps),
    Sign("dead", "{:.0%} of a layer's units give nothing", _dead),
    Sign("saturated", "{:.0%} of a layer is saturated", _saturated),
    Sign("start", "weights start at 10^{:.1f}/√(inputs)", _start),
    Sign("first-loss", "the first loss is 10^{:.1f} times that of guessing", _first_loss),
    Sign("twins", "{:.0%} of the layers start with equal units", _twins),
)
