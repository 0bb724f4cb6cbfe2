"""Initial values too large or too small, units that are twins, and layers that collapse into one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

from descend.diagnosing import measures
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.facts import ParameterFacts
from descend.watching.observations import LayerCall, Observations

LARGE, SMALL = 3.0, 0.2
"""Of std × √fan-in: 1.41 is He's, 1.67 the tanh gain, 0.58 torch's own; GPT's 0.02 comes with norms."""
LINEAR = ("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d")
NEUTRAL = ("Identity", "Flatten", "Unflatten", "AvgPool1d", "AvgPool2d", "AdaptiveAvgPool2d", "Upsample")


# Sizes -----------------------------------------------------------------------------------------------
def poor_initial_values(seen: Observations) -> Iterable[Suspicion]:
    """Weights' std against 1/√fan-in, and what it makes of the first loss and of signals' size."""
    if (
        not seen.windows
        or seen.windows[0].step > 2
        or any(p.trained_before for p in seen.parameters.values())
    ):
        return
    window, sizes = seen.windows[0], measures.gains(seen)
    typical = measures.middle(sizes)
    loss, chance = _first_loss(seen)
    wild = math.isfinite(chance) and loss > 2 * chance + 1
    count = len(sizes)
    large, small = sum(g > LARGE for g in sizes), sum(g < SMALL for g in sizes)
    fair = not measures.unscaled(seen)
    if count and large >= max(1, count / 2):
        words = (
            f"Weights start with {typical:.1f}/√(inputs) as standard deviation in {large} of {count} layers"
        )
        if wild:
            yield Suspicion(
                "poor-initial-values",
                0.88 if fair else 0.6,
                f"{words} (about 1 keeps signals' size), and the first loss is {loss:.3g} where guessing "
                f"gives {chance:.3g}.",
                step=1,
            )
        else:
            full = [c.saturated for c in window.layers if c.saturated > 0.4]
            if full:
                yield Suspicion(
                    "poor-initial-values",
                    0.65 if fair else 0.4,
                    f"{words} (about 1 keeps signals' size), and {max(full):.0%} of a layer is "
                    "saturated at step 1.",
                    step=1,
                )
            elif measures.stuck(seen):
                yield Suspicion("poor-initial-values", 0.4, f"{words} (about 1 keeps signals' size).", step=1)
    elif count >= 2 and small >= max(2, count / 2):
        outs = [c.std for c in window.layers if c.kind in LINEAR and c.std == c.std]
        normal = any(p.role == "norm" for p in seen.parameters.values())
        died = len(outs) >= 2 and outs[-1] < 0.02 * outs[0]
        grown = measures.grown(seen)
        stuck = measures.stuck(seen)
        if died and not normal:
            yield Suspicion(
                "poor-initial-values",
                0.85 if stuck else 0.62 if grown > 3 else 0.45,
                f"Weights start with {typical:.2g}/√(inputs) as standard deviation in {small} of {count} "
                f"layers (about 1 keeps signals' size): outputs shrink from {outs[0]:.2g} in the first layer "
                f"to {outs[-1]:.2g} in the last.",
                step=1,
            )
        elif typical < 0.1:
            yield Suspicion(
                "poor-initial-values",
                0.3 if normal and not stuck and not grown > 3 else 0.45 if normal else 0.55,
                f"Weights start with {typical:.2g}/√(inputs) as standard deviation in {small} of {count} "
                f"layers (about 1 keeps signals' size), and grow {grown:.1f}-fold.",
                step=1,
            )
    elif wild and fair:
        begin, end = measures.growth(seen)
        yield Suspicion(
            "poor-initial-values",
            0.35 if end > 50 * begin and typical < 2 else 0.6 if loss > 4 * chance + 2 else 0.4,
            f"The first loss is {loss:.3g} where guessing gives {chance:.3g}, though inputs are of ordinary "
            "size: the network begins by being very sure of nothing.",
            step=1,
        )
    yield from _shifted(seen)


def _first_loss(seen: Observations) -> tuple[float, float]:
    """Return the first loss, and what a constant guess would give."""
    for call in seen.windows[0].criteria[:1]:
        if not call.prediction_std > 3 and (call.classes or call.name.startswith("binary")):
            return math.nan, math.nan  # a sum over examples, or another offset: the network is not sure
        if call.classes > 1 and call.name == "cross_entropy":
            return call.value, math.log(call.classes)
        if call.name.startswith("binary"):
            return call.value, math.log(2)
        if call.name == "mse_loss" and call.target_std > 0 and call.prediction_std > 2:
            # Spread alone: targets far from zero make any start bad, and are another cause.
            return call.prediction_std**2 + call.target_std**2, 3 * call.target_std**2
    return math.nan, math.nan


def _shifted(seen: Observations) -> Iterator[Suspicion]:
    """Biases that start far from zero in layers that have others behind them."""
    last = max((p.order for p in seen.parameters.values()), default=-1)
    followed = {c.follows for c in seen.windows[0].layers}  # others are outputs, which may begin anywhere
    for p in seen.parameters.values():
        if (
            p.role == "bias"
            and p.module in LINEAR
            and 0 <= p.order < last
            and p.name.rpartition(".")[0] in followed
            and abs(p.mean) > 3 * max(1, p.std)
        ):
            yield Suspicion(
                "poor-initial-values",
                0.6 if measures.stuck(seen) else 0.35,
                f"The biases of {p.name} start at {p.mean:.2g}, far from zero.",
                where=p.name,
                step=1,
            )
            return


# Twins -----------------------------------------------------------------------------------------------
def symmetric_initial_values(seen: Observations) -> Iterable[Suspicion]:
    """Units that start alike and are given the same gradients: they stay alike for ever."""
    if not seen.windows or seen.windows[0].step > 2:
        return
    gradients = {m.name: m.gradient for m in seen.windows[0].moved}
    found = [
        p
        for p in seen.parameters.values()
        if p.role in ("weight", "embedding")
        and len(p.shape) > 1
        and not p.trained_before
        and p.requires_grad
        and (p.optimizer >= 0 or p.order >= 0)
        and not (p.role == "embedding" and p.shape[1] == 1)
    ]
    ordered = sorted((p for p in found if p.order >= 0), key=lambda p: p.order)
    free = [p for p in found if p.order < 0 and not p.module.startswith("Multihead")]
    pairs = list(itertools.pairwise(ordered))
    if len(free) >= 2 and all(map(_alike, free)):
        pairs.append((free[0], free[1]))
    for a, b in pairs:
        if not _alike(a) or not (b.constant or _alike(b)) or a.shape[0] == 1:
            continue
        zeros = a.constant and abs(a.mean) < 1e-12, b.constant and abs(b.mean) < 1e-12
        # Zeros at the end of a residual branch are sound: something behind them has a gradient all the same.
        if any(zeros) and not (
            gradients.get(a.name, 1.0) == 0 and (not all(zeros) or gradients.get(b.name) == 0)
        ):
            continue
        dropout = any("Dropout" in c.kind and c.training for c in seen.windows[0].layers)
        value = f"all {a.mean:.3g}" if a.constant else "the same numbers in every row"
        yield Suspicion(
            "symmetric-initial-values",
            0.7 if dropout else 0.93,
            f"{a.name} starts with {value}, and {b.name} behind it is as uniform: their units get the same "
            "gradients in every step and remain copies of one another.",
            where=a.name,
            step=1,
        )
        return


def _alike(p: ParameterFacts) -> bool:
    spread = p.std <= 1e-6 * abs(p.mean) if p.mean == p.mean and p.std == p.std else False
    return p.constant or p.equal_rows or spread


# Nothing between -------------------------------------------------------------------------------------
def missing_activation(seen: Observations) -> Iterable[Suspicion]:
    """Linear layers that are given the very output of another one: together they are a single one."""
    if not seen.windows:
        return
    calls = seen.windows[-1].layers[:2000]
    shapes = {n.removesuffix(".weight"): p.shape for n, p in seen.parameters.items() if n.endswith(".weight")}
    pairs: dict[tuple[str, str], None] = {}
    latest: dict[str, int] = {}
    before_it: list[int] = []
    for i, call in enumerate(calls):
        before_it.append(latest.get(call.follows, -1))
        latest[call.name] = i
    for i, call in enumerate(calls):
        before = _behind(calls, before_it, i) if call.kind in LINEAR else None
        if before is not None and _one_would_do(shapes.get(before.name), shapes.get(call.name)):
            pairs[before.name, call.name] = None
    if not pairs:
        return
    curved = [c for c in calls if c.kind not in LINEAR and not _transparent(c.kind) and "Norm" not in c.kind]
    curved = [c for c in curved if "Embedding" not in c.kind and not c.kind.lower().endswith("softmax")]
    layers = {c.name for c in calls if c.kind in LINEAR}
    plain = not curved or all(c.name == calls[-1].name for c in curved)
    good = [c.accuracy for w in seen.windows[-5:] for c in w.criteria if c.accuracy == c.accuracy]
    solved = bool(good) and measures.middle(good) > 0.95
    if plain:
        confidence = 0.93 if len(layers) > 2 else 0.85
    elif len(pairs) > 1:
        confidence = 0.85
    else:  # a projection of inputs before blocks is often meant
        entry = next(iter(pairs))[0] == next(c.name for c in calls if c.kind in LINEAR)
        confidence = 0.45 if entry and len(layers) > 3 else 0.68
    if solved:
        confidence = min(confidence, 0.4)
    (a, b), *_ = pairs
    words = f"{b} is given the very output of {a}, with nothing nonlinear between"
    more = f" (and {len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    none = "; the whole network has no activation" if plain else ""
    yield Suspicion(
        "missing-activation", confidence, f"{words}{more}: together they are one linear layer{none}.", where=b
    )


def _transparent(kind: str) -> bool:
    return kind in NEUTRAL or "Dropout" in kind or kind.startswith(("BatchNorm", "ZeroPad"))


def _behind(calls: list[LayerCall], before: list[int], i: int) -> LayerCall | None:
    """Return the linear layer whose output a call is given, through what changes nothing but size."""
    at = before[i]
    for _ in range(6):
        if at < 0 or not _transparent(calls[at].kind):
            break
        at = before[at]
    found = calls[at] if at >= 0 else None
    return found if found is not None and found.kind in LINEAR and found.name != calls[i].name else None


def _one_would_do(first: tuple[int, ...] | None, second: tuple[int, ...] | None) -> bool:
    """Whether two layers in a row are no more than one: neither a bottleneck nor a separable convolution."""
    if first is None or second is None or len(first) != len(second):
        return False
    if len(first) == 2:
        (hidden, inputs), outputs = first, second[0]
        return hidden >= min(inputs, outputs)
    depthwise = first[1] == 1 and first[0] > 1 and second[1] == first[0] and all(k == 1 for k in second[2:])
    grouped = second[1] != first[0]
    pointwise = all(k == 1 for k in first[2:]) or all(k == 1 for k in second[2:])
    return not depthwise and not grouped and not pointwise


DETECTORS: tuple[Detector, ...] = (poor_initial_values, symmetric_initial_values, missing_activation)
