"""Measures of a run that several detectors need: sizes of moves, curves, scales of initial values."""

from __future__ import annotations

import math
from collections import Counter
from statistics import median

from descend.watching.facts import ParameterFacts
from descend.watching.observations import Moved, Observations, Window

GATED = ("GRU", "LSTM", "GRUCell", "LSTMCell")
RECURRENT = ("RNN", "RNNCell", *GATED)


def middle(values: list[float]) -> float:
    """Return the median of what is finite; nan where nothing is."""
    known = [v for v in values if math.isfinite(v)]
    return median(known) if known else math.nan


def losses(seen: Observations) -> list[float]:
    """Return the finite losses in order."""
    return [v for _, v in seen.losses if math.isfinite(v)]


def smooth(values: list[float], parts: int = 20) -> list[float]:
    """Return the medians of so many equal parts of a curve; fewer where it is short."""
    size = max(1, len(values) // parts)
    return [median(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]


def fallen(seen: Observations) -> float:
    """Return the share of the first loss that is gone at the end; nan for losses that become negative."""
    curve = losses(seen)
    if len(curve) < 4 or min(curve) < 0:
        return math.nan
    first = median(curve[: max(3, len(curve) // 100)])
    last = median(curve[-max(3, len(curve) // 20) :])
    return 1 - last / first if first > 0 else math.nan


def stuck(seen: Observations) -> bool:
    """Whether the loss hardly fell, and what is told is not mostly right all the same."""
    share = fallen(seen)
    return (not math.isfinite(share) or share < 0.25) and not solved(seen)


def solved(seen: Observations) -> bool:
    """Whether nearly all classes are told rightly in training at the end, beyond the commonest one."""
    late = [c for c in seen.criteria() if c.step > 0.75 * seen.steps and sum(c.counts) > 0]
    total = sum(sum(c.counts) for c in late)
    if total < 50:
        return False
    right = sum(c.accuracy * sum(c.counts) for c in late) / total
    alike = [c.counts for c in late if len(c.counts) == len(late[0].counts)]
    common = max(sum(k) for k in zip(*alike, strict=True)) / max(1, sum(map(sum, alike)))
    return right > 0.2 * common + 0.8


def weights(seen: Observations, window: Window, varied: bool = True) -> list[tuple[ParameterFacts, Moved]]:
    """Return a window's weight matrices and kernels; without those that began constant, unless they may."""
    found = [(seen.parameters[m.name], m) for m in window.moved if m.name in seen.parameters]
    return [
        (p, m)
        for p, m in found
        if p.role == "weight" and len(p.shape) > 1 and m.weight > 0 and not (varied and p.constant)
    ]


def ratio(seen: Observations, window: Window) -> float:
    """Return the median of |move| ÷ |weight| over a window's weights."""
    return middle([m.update / m.weight for _, m in weights(seen, window)])


def depth(seen: Observations, window: Window) -> list[tuple[ParameterFacts, Moved]]:
    """Return a window's weights from the first layer to the last, as far as their order is known."""
    return sorted((x for x in weights(seen, window) if x[0].order >= 0), key=lambda x: x[0].order)


def grown(seen: Observations) -> float:
    """Return by how much the weights' norms have grown, the median of them; nan where it is not known."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for window in seen.windows:
        for p, m in weights(seen, window):
            if math.isfinite(m.weight):
                first.setdefault(p.name, m.weight)
                last[p.name] = m.weight
    return middle([last[n] / first[n] for n in first])


def gradients(seen: Observations) -> list[float]:
    """Return the norm of all gradients together in each window where it is a positive number."""
    sizes = [
        math.sqrt(sum(m.gradient**2 for m in w.moved if math.isfinite(m.gradient))) for w in seen.windows
    ]
    return [s for s in sizes if s > 0 and math.isfinite(s)]


def gains(seen: Observations) -> list[float]:
    """Return std × √fan-in of each initial weight: 0.58 for torch's own, 1 for LeCun's, 1.41 for He's."""
    found = []
    for p in seen.parameters.values():
        if p.role != "weight" or len(p.shape) < 2 or p.constant or p.trained_before:
            continue
        units, inputs = p.shape[:1], math.prod(p.shape[1:])
        if units != (1,) and inputs >= 4 and p.module and "Norm" not in p.module and math.isfinite(p.std):
            found.append(p.std * math.sqrt(inputs))
    return found


def gain(seen: Observations) -> float:
    """Return the median of :func:`gains`; nan where there are none."""
    return middle(gains(seen))


def input_size(seen: Observations) -> float:
    """Return the largest standard deviation of what first layers are given in the first window."""
    for window in seen.windows[:1]:
        given = [c.input_std for c in window.layers if not c.follows and "Norm" not in c.kind][:1]
        return max((v for v in given if math.isfinite(v)), default=math.nan)
    return math.nan


def unscaled(seen: Observations) -> bool:
    """Whether inputs or targets are so large that whatever is wild may come from them."""
    size = input_size(seen)
    targets = [abs(c.target_mean) + c.target_std for c in seen.criteria() if not c.classes][:1]
    return (math.isfinite(size) and size > 8) or any(math.isfinite(t) and t > 30 for t in targets)


def growth(seen: Observations) -> tuple[float, float]:
    """Return sizes of the first layer's outputs and of the last ones', where they grow layer by layer."""
    calls = seen.windows[0].layers if seen.windows else []
    outs = [c.std for c in calls if c.kind in ("Linear", "Conv1d", "Conv2d") and c.std > 0]
    if len(outs) < 3 or not scale(outs[1:]) > outs[0]:
        return math.nan, math.nan
    return outs[0], max(outs[-2:])


def momentum(seen: Observations) -> float:
    """Return the largest momentum of any optimizer (β1 for Adam's kind)."""
    found = [0.0]
    for optimizer in seen.optimizers:
        for _, groups in optimizer.settings[:1]:
            for group in groups:
                betas: object = group.get("betas")
                value = group.get("momentum", betas[0] if isinstance(betas, tuple) and betas else 0.0)
                found.append(float(value) if isinstance(value, int | float) else 0.0)
    return max(found)


def clipped(seen: Observations) -> float:
    """Return the median of gradient ÷ gradient before clipping; 1 where nothing is clipped."""
    shares = [m.gradient / m.before_clipping for w in seen.windows for m in w.moved if m.before_clipping > 0]
    value = middle(shares)
    return value if math.isfinite(value) else 1.0


def recurrent(seen: Observations) -> str:
    """Return the recurrent module's class, or ``loop`` for a layer called again and again; else nothing."""
    kinds = {p.module for p in seen.parameters.values()}
    for kind in RECURRENT:
        if kind in kinds:
            return kind
    for window in seen.windows[:1]:
        rounds = Counter(c.name for c in window.layers if c.kind in ("Linear", "Conv2d"))
        if rounds and max(rounds.values()) >= 8 and len(window.backwards) == 1 and seen.roots[:1]:
            calls = max(1, sum(b.grad for b in window.batches))
            return "loop" if max(rounds.values()) >= 8 * calls else ""
    return ""


def scale(sizes: list[float]) -> float:
    """Return the geometric mean of positive sizes; nan where there are none."""
    known = [v for v in sizes if v > 0 and math.isfinite(v)]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else math.nan
