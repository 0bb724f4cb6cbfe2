"""Signal and gradient through the depth: whether they grow, shrink or end on their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from descend.diagnosing.inspecting.calls import Call, Look, look
from descend.diagnosing.inspecting.subject import Subject

FEWEST = 4
"""Layers before the last that a trend needs."""
GROWS, SHRINKS = 1.8, 0.55
"""Factors a layer beyond which a size is said to grow or shrink; torch's own start of a linear layer with
relu behind it is near the second."""
FAR = 30.0
"""The factor through all layers below which neither is worth a word."""
DEAD, SATURATED = 0.5, 0.5
"""Shares of a layer's units above which it is told."""
STEPS = 3
"""Steps after which a layer without a gradient is looked at again: those that begin with zeros wake up."""


@dataclass
class Depth:
    """What happens on the way through the layers.

    Attributes:
        layers: each call of a layer or activation, in order.
        weighted: layers with matrices among them.
        signal: the factor a layer by which outputs grow; nan where there are too few layers.
        gradient: the factor by which the gradient's norm grows a layer on its way back.
        asleep: layers that pass no gradient at first, and do after a few steps: they begin with zeros.
        dead: layers that still pass none then.
        verdict: what it means, in a sentence or two.
        fine: whether nothing is to be done; ``None`` where it is not known.
    """

    layers: list[Call] = field(default_factory=list)
    weighted: int = 0
    signal: float = math.nan
    gradient: float = math.nan
    asleep: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    verdict: str = ""
    fine: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        names = ("name", "kind", "rms", "zeros", "dead", "saturated", "gradient", "gradient_norm")
        return {
            "layers": [{name: getattr(call, name) for name in names} for call in self.layers],
            "signal_factor": self.signal,
            "gradient_factor": self.gradient,
            "dead": self.dead,
            "asleep": self.asleep,
            "verdict": self.verdict,
            "fine": self.fine,
        }


def depth(subject: Subject, seen: Look) -> Depth:
    """Follow signal and gradient through the layers.

    Args:
        subject: it.
        seen: what one forward and backward showed.
    """
    found = Depth(seen.calls)
    weighted = [call for call in seen.calls if call.weighted and call.shape]
    found.weighted = len(weighted)
    if not weighted:
        found.verdict = "Not measured: the function has no layers that can be told apart."
        return found
    # The last layer is left out: that it begins smaller than the others is as it should be.
    inner = weighted[:-1]
    found.signal = trend([call.rms for call in inner])
    found.gradient = trend([call.gradient_norm for call in reversed(inner)])
    _sleeping(subject, seen, found)
    _judge(found, inner)
    return found


def trend(sizes: Sequence[float]) -> float:
    """Return by what factor sizes grow from one to the next: the slope of their logarithms; nan for too few.

    Args:
        sizes: in order; what is not positive is left out.

    Example:
        >>> round(trend([1.0, 2.0, 4.0, 8.0]), 6)
        2.0
    """
    known = [(i, math.log(s)) for i, s in enumerate(sizes) if s > 0 and math.isfinite(s)]
    if len(known) < FEWEST:
        return math.nan
    x, y = (sum(column) / len(known) for column in zip(*known, strict=True))
    slope = sum((i - x) * (s - y) for i, s in known) / sum((i - x) ** 2 for i, _ in known)
    return math.exp(slope)


def _sleeping(subject: Subject, seen: Look, found: Depth) -> None:
    """Tell layers apart that have no gradient yet from those that have none."""

    def without(look: Look) -> set[str]:
        reached = {c.name for c in look.calls if c.weighted and c.gradient > 0}
        own = {n.rpartition(".")[0] for n, g in look.gradients.items() if g > 0}
        return {c.name for c in look.calls if c.weighted and c.gradient == 0} - reached - own

    still = without(seen)
    if not still:
        return
    from descend.diagnosing.inspecting.one_batch import stepped

    later = without(look(subject, stepped(subject, STEPS)))
    found.dead = [c.name for c in seen.calls if c.name in still & later]
    found.asleep = [c.name for c in seen.calls if c.name in still - later]
    found.dead, found.asleep = list(dict.fromkeys(found.dead)), list(dict.fromkeys(found.asleep))


def _through(sizes: Sequence[float]) -> float:
    known = [s for s in sizes if s > 0 and math.isfinite(s)]
    return max(known[0] / known[-1], known[-1] / known[0]) if known else 1.0


def _judge(found: Depth, inner: list[Call]) -> None:
    said: list[str] = []
    count = len(inner)
    for what, factor, sizes in (
        ("Outputs", found.signal, [c.rms for c in inner]),
        ("Gradients", found.gradient, [c.gradient_norm for c in reversed(inner)]),
    ):
        way = " on their way back" if what == "Gradients" else ""
        total = factor ** (count - 1) if math.isfinite(factor) else 1.0
        if math.isfinite(factor) and max(total, 1 / total) > FAR and _through(sizes) > FAR:
            if factor > GROWS:
                said.append(
                    f"{what} grow by a factor of {factor:.2g} a layer{way}, {_times(total)} through {count}."
                )
            elif factor < SHRINKS:
                said.append(f"{what} shrink to {factor:.2g} a layer{way}, to {total:.0e} through {count}.")
    if any(not math.isfinite(c.rms) and c.shape for c in found.layers if c.weighted):
        bad = next(c for c in found.layers if c.weighted and not math.isfinite(c.rms))
        said.append(f"{bad.name or bad.kind} gives values that are not finite.")
    if found.dead:
        said.append(f"No gradient reaches {_named(found.dead)}, not even after {STEPS} steps.")
    for call in found.layers:
        if call.dead > DEAD:
            said.append(
                f"{call.dead:.0%} of the units of {where(call)} are zero for every example of the batch."
            )
        elif call.saturated > SATURATED:
            said.append(f"{call.saturated:.0%} of the values of {where(call)} are saturated.")
    found.fine = not said
    if not said:
        if count < FEWEST:
            said.append(
                f"{count + 1} layers with weights: too few for a trend; signal and gradient reach all of "
                "them."
            )
        else:
            said.append("Signal and gradient keep their size through the depth.")
        if found.asleep:
            said.append(
                f"{_named(found.asleep)} had no gradient at first, and had one after {STEPS} steps: what "
                "follows begins with zeros."
            )
    found.verdict = " ".join(said)


def where(call: Call) -> str:
    """Name a call for a person."""
    if call.module is None or not call.name:
        return f"{call.kind} in {call.name or 'the function'}"
    return f"{call.name} ({call.kind})" if call.name.rpartition(".")[2].isdigit() else call.name


def _times(factor: float) -> str:
    return f"{factor:.0f} times" if factor < 1e4 else f"{factor:.0e} times"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name or "the function" for name in names[:3]) + more
