"""Signals through depth and time: gradients that vanish or explode, units that are dead or saturated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

import torch

from descend.diagnosing import initial, measures
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.looking import RECTIFIERS
from descend.watching.observations import Observations


# Gradients -------------------------------------------------------------------------------------------
def vanishing_gradients(seen: Observations) -> Iterable[Suspicion]:
    """Gradients that shrink on their way back through layers, or through a sequence."""
    slow = measures.stuck(seen)
    kind = measures.recurrent(seen)
    for root in seen.roots:
        reach = root.reach
        placed = seen.samples is not None and seen.samples.kind == "places"  # each may have its own target
        if kind and len(reach) >= 8 and not placed:
            early = max(reach[: max(1, len(reach) // 4)])
            if early < 1e-3:
                yield Suspicion(
                    "vanishing-gradients",
                    (0.8 if early < 1e-5 else 0.6) if slow else 0.2,
                    f"The output depends on the first quarter of the {len(reach)} places of a sequence "
                    f"{early:.0e} times as strongly as on the last ones, and the loss "
                    + ("does not fall." if slow else "falls all the same."),
                )
                return
    if not seen.windows:
        return
    order = measures.depth(seen, seen.windows[0])
    later = measures.depth(seen, seen.windows[len(seen.windows) // 2])
    found = [_through(order), _through(later)]
    squashed = _squashed(seen)
    share = measures.fallen(seen)
    if squashed and len(order) >= 3 and found[0] < 0.03 and not found[0] < 1e-3 and not share > 0.75:
        yield Suspicion(
            "vanishing-gradients",
            0.55 if max(found) < 0.03 or slow else 0.45,
            f"Behind {squashed}, gradients, relative to their weights, are {found[0]:.0e} times as large in "
            f"the first layer as in the last one at step {seen.windows[0].step}.",
            where=order[0][0].name,
            step=seen.windows[0].step,
        )
        return
    if len(order) < 4 or not all(math.isfinite(v) for v in found) or max(found) > 1e-2:
        return
    typical = measures.gain(seen)
    strange = math.isfinite(typical) and not 0.3 < typical < 2.5
    strong = max(found) < 1e-3
    confidence = (0.75 if strong else 0.55) if slow else 0.3
    yield Suspicion(
        "vanishing-gradients",
        min(confidence, 0.45) if strange else confidence,
        f"Gradients, relative to their weights, are {found[0]:.0e} times as large in the first layers as in "
        f"the last ones at step {seen.windows[0].step}, through {len(order)} layers.",
        where=order[0][0].name,
        step=seen.windows[0].step,
    )


def _squashed(seen: Observations) -> str:
    """Return the name of a sigmoid with layers behind it; nothing where there is none."""
    calls = seen.windows[0].layers
    linear = [
        i for i, c in enumerate(calls) if f"{c.name}.weight" in seen.parameters and "Norm" not in c.kind
    ]
    inner = [c.name for c in calls[: max(linear, default=0)] if c.kind in ("sigmoid", "Sigmoid")]
    return inner[0] if inner else ""


def _through(order: list) -> float:
    """Return relative gradients of the first layers ÷ those of the last; nan where gradients are zero."""
    part = max(1, len(order) // 4)
    sizes = [m.gradient / m.weight for _, m in order]
    if len(order) < 2 or any(s == 0 for s in sizes[:part]):
        return math.nan
    return measures.scale(sizes[:part]) / measures.scale(sizes[-part:])


def exploding_gradients(seen: Observations) -> Iterable[Suspicion]:
    """Gradients that grow through depth, or leap in a recurrent network that had been learning."""
    if not seen.windows:
        return
    kind = measures.recurrent(seen)
    leap = _leap(seen)
    free = measures.clipped(seen) > 0.99
    wild = max((measures.ratio(seen, w) for w in seen.windows[1:6]), default=0.0) > 0.5
    if leap is not None and free and not measures.unscaled(seen):
        step, before, after = leap
        gated = kind in measures.GATED
        confidence = 0.78 if kind and not gated else 0.55 if kind else 0.4
        yield Suspicion(
            "exploding-gradients",
            confidence * (0.6 if wild else 1.0),
            f"The loss had fallen to {before:.3g} and leaps to {after:.3g} at step {step}"
            + (f": gradients through the {kind}'s sequence are not clipped." if kind else "."),
            step=step,
        )
        return
    order = measures.depth(seen, seen.windows[0])
    growth = _through(order) if len(order) >= 4 else math.nan
    total = math.sqrt(sum(m.gradient**2 for m in seen.windows[0].moved if math.isfinite(m.gradient)))
    if not measures.unscaled(seen) and (growth > 1e2 or (kind and total > 1e3)) and total > 10:
        bad = not measures.stuck(seen) and seen.not_finite is None
        strange = measures.gain(seen) > 2.5
        confidence = 0.3 if bad or not free else 0.45 if strange else 0.7
        yield Suspicion(
            "exploding-gradients",
            confidence,
            f"At step {seen.windows[0].step} the gradient's norm is {total:.2g}"
            + (
                f", and {growth:.0e} times as large in the first layers as in the last."
                if growth > 1
                else "."
            ),
            step=seen.windows[0].step,
        )
        return
    small, large = measures.growth(seen)
    grows = large > 50 * small
    if grows and total > 100 and measures.gain(seen) < 2 and not measures.unscaled(seen) and free:
        yield Suspicion(
            "exploding-gradients",
            0.72,
            f"At step {seen.windows[0].step} outputs grow from {small:.2g} in the first layer to "
            f"{large:.2g} in the last ones, though weights begin with ordinary sizes, and the "
            f"gradient's norm is {total:.2g}.",
            step=seen.windows[0].step,
        )
        return
    sizes = [math.sqrt(sum(m.gradient**2 for m in w.moved)) for w in seen.windows]
    sizes = [s for s in sizes if math.isfinite(s) and s > 0]
    if kind and free and len(sizes) > 6 and max(sizes) > 50 * median(sizes):
        yield Suspicion(
            "exploding-gradients",
            0.45 if kind in measures.GATED or not measures.stuck(seen) else 0.6,
            f"The gradient's norm is {max(sizes):.2g} in one step, "
            f"{max(sizes) / median(sizes):.0f} times its median.",
        )


def _leap(seen: Observations) -> tuple[int, float, float] | None:
    """Return (step, loss before, loss after) of the first leap of a loss that had fallen well."""
    curve = seen.losses
    values = [v for _, v in curve]
    if len(values) < 40 or not math.isfinite(values[0]) or min(v for v in values if math.isfinite(v)) < 0:
        return None
    first = median([v for v in values[:5] if math.isfinite(v)] or [math.nan])
    for i in range(30, len(values)):
        before = median(values[i - 20 : i])
        if not before < 0.9 * first:
            continue
        if not values[i] < max(10 * before, 3 * first):
            after = values[i : i + 20]
            lasting = sum(not v < 2 * before for v in after) >= min(5, len(after))
            if lasting:
                return curve[i][0], before, values[i]
    return None


# Units -----------------------------------------------------------------------------------------------
def dead_units(seen: Observations) -> Iterable[Suspicion]:
    """Rectified units that give zero for everything, from some time on."""
    late = seen.windows[-max(3, len(seen.windows) // 4) :]
    if len(seen.windows) < 3:
        return
    alive: dict[str, torch.Tensor] = {}
    zero: dict[str, float] = {}
    for window in late:
        for c in window.layers:
            if c.kind in RECTIFIERS or c.kind.startswith("relu"):
                zero[c.name] = min(zero.get(c.name, 1.0), c.zero)
                if c.alive is not None:
                    known = alive.get(c.name)
                    alive[c.name] = (
                        c.alive if known is None or known.shape != c.alive.shape else known | c.alive
                    )
    shares = {n: float((~a).float().mean()) for n, a in alive.items()}
    whole = [n for n, z in zero.items() if z == 1.0]
    at_first = {c.name: c.dead / c.units for c in seen.windows[0].layers if c.units}
    early = [measures.ratio(seen, w) for w in seen.windows[1:6]]
    thrown = measures.middle(early) > 0.1
    slow = measures.stuck(seen)
    doubt = 0.6 if thrown or measures.unscaled(seen) else 1.0
    if whole:
        yield Suspicion(
            "dead-units",
            (0.85 if slow else 0.5) * doubt,
            f"{whole[0]} gives zero for every example in the last {len(late)} steps that were looked at: "
            "no gradient passes through it.",
            where=whole[0],
            step=late[0].step,
        )
        return
    heavy = {n: s for n, s in shares.items() if s >= 0.5}
    if heavy:
        name = max(heavy, key=lambda n: heavy[n])
        born = at_first.get(name, 0.0) > 0.5
        confidence = (0.68 if heavy[name] > 0.8 or born else 0.55) if slow else 0.35
        yield Suspicion(
            "dead-units",
            confidence * doubt,
            f"{heavy[name]:.0%} of the units of {name} give zero for every example in the last {len(late)} "
            f"steps that were looked at ({at_first.get(name, 0.0):.0%} in the first batch).",
            where=name,
            step=late[0].step,
        )


def saturated_units(seen: Observations) -> Iterable[Suspicion]:
    """Sigmoids, tanhs and softmaxes at the end of their range, with other layers behind them."""
    if len(seen.windows) < 2:
        return
    first, late = _saturation(seen, 0), _saturation(seen, len(seen.windows) - 1)
    slow = measures.stuck(seen)
    share = measures.fallen(seen)
    doubt = 0.6 if measures.unscaled(seen) else 0.85 if measures.gain(seen) > 2.5 else 1.0
    for name, (kind, value) in first.items():
        soft = kind.lower() == "softmax"
        if value > (0.4 if soft else 0.5) and late.get(name, (kind, value))[1] > 0.3:
            confidence = 0.78 if slow else 0.6 if soft and share < 0.5 else 0.35
            what = (
                "rows give more than 97% to one place"
                if soft
                else "outputs are within 1.5% of an end of its range"
            )
            yield Suspicion(
                "saturated-units",
                confidence * doubt,
                f"In {name}, {value:.0%} of the {what} at step {seen.windows[0].step} already: "
                "hardly any gradient passes there.",
                where=name,
                step=seen.windows[0].step,
            )
            return
    for name, (kind, value) in late.items():
        if kind.lower() != "softmax" and value > 0.7 and slow:
            yield Suspicion(
                "saturated-units",
                0.55 * doubt,
                f"{value:.0%} of the outputs of {name} have come to an end of its range, where its slope is "
                "near zero.",
                where=name,
                step=seen.windows[-1].step,
            )
            return


def _saturation(seen: Observations, window: int) -> dict[str, tuple[str, float]]:
    """Return the saturated share of activations that have a layer with weights behind them."""
    calls = seen.windows[window].layers
    places = [
        i for i, c in enumerate(calls) if f"{c.name}.weight" in seen.parameters and "Norm" not in c.kind
    ]
    last = max(places, default=-1)
    inner = [c for c in calls[:last] if math.isfinite(c.saturated)]
    return {c.name: (c.kind, c.saturated) for c in inner}


DETECTORS: tuple[Detector, ...] = (
    *initial.DETECTORS,
    vanishing_gradients,
    exploding_gradients,
    dead_units,
    saturated_units,
)
