"""Averages of the weights: the middle of where a descent goes about is lower than where it is."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from descend.methods.equations import lerp, minimum
from descend.methods.modifiers.part import Modifier, flag, share, whole_number
from descend.methods.rule import Rule, elementwise


# Lookahead --------------------------------------------------------------------------------------
def _looking_ahead(rule: Rule) -> Rule:
    """Every k steps: slow ← slow + α (w − slow); w ← slow."""

    def stepped(w: Any, g: Any, s: Any, h: Any) -> Any:
        new = rule.equations(w, g, s, h)
        if s.step % h.lookahead == 0:
            new = lerp(s.slow_weights, new, h.lookahead_share)
            s.slow_weights = new
        return new

    return rule.around(stepped, slow_weights=elementwise.starting("w").when("lookahead"))


def _slow(w: Any, g: Any, s: Any, h: Any) -> Any:
    return s.slow_weights


LOOKAHEAD = Modifier(
    place="step",
    switch="lookahead",
    summary="Take k steps ahead, then go a share of the way there.",
    equation="every k steps: slow ← slow + α(w − slow);  w ← slow",
    source="Zhang et al. 2019, arXiv:1907.08610",
    example=5,
    around=_looking_ahead,
    others={"lookahead_share": 0.5},
    ranges={"lookahead": whole_number, "lookahead_share": share},
    evaluation=_slow,
)


# The average of the weights ---------------------------------------------------------------------
def _averaging(rule: Rule) -> Rule:
    """From some step on, whose w is the first average: average ← d · average + (1 − d) · w."""

    def stepped(w: Any, g: Any, s: Any, h: Any) -> Any:
        new = rule.equations(w, g, s, h)
        if s.step > h.average_from:
            n = s.step - h.average_from  # so many were averaged before this one
            if h.average == 1:
                weight = 1 / (n + 1)
            elif h.average_warmup:
                weight = 1 - minimum(h.average, (1 + n) / (10 + n))
            else:
                weight = 1 - h.average
            s.average_weights = lerp(s.average_weights, new, weight)
        elif s.step == h.average_from:
            s.average_weights = new
        return new

    return rule.around(stepped, average_weights=elementwise.starting("w").in_float32().when("average"))


def _average(w: Any, g: Any, s: Any, h: Any) -> Any:
    if s.step < h.average_from:
        return w
    return s.average_weights


def _now(group: dict[str, Any], state: Mapping[Tensor, dict[str, Any]]) -> int:
    """From the step that comes next, for the parameter that has taken most."""
    return 1 + max((int(state[p].get("step", 0)) for p in group["params"] if p in state), default=0)


AVERAGE = Modifier(
    place="step",
    switch="average",
    summary="Keep an average of the weights, to evaluate at.",
    equation="average ← d·average + (1 − d)·w",
    source="Polyak & Juditsky 1992; Izmailov et al. 2018, arXiv:1803.05407",
    example=0.999,
    around=_averaging,
    others={"average_from": _now, "average_warmup": False},
    ranges={"average": share, "average_from": whole_number, "average_warmup": flag},
    evaluation=_average,
)
