"""MARS: a gradient that is corrected by how it changed since the step before."""

from typing import Any

from descend.methods.equations import maximum, norm
from descend.methods.modifiers.part import Modifier, number, positive
from descend.methods.rule import Rule, elementwise


def _corrected(rule: Rule) -> Rule:
    """In place of g: c = g + γ β₁/(1 − β₁) (g − g₋₁), shortened to the norm 1 where it is longer."""

    def correcting(w: Any, g: Any, s: Any, h: Any) -> Any:
        beta = h.mars_beta
        c = g + h.mars * beta / (1 - beta) * (g - s.previous_gradient)
        s.previous_gradient = g
        return rule.equations(w, c / maximum(norm(c), 1.0), s, h)

    return rule.around(correcting, previous_gradient=elementwise.when("mars"))


def _memory(group: dict[str, Any], state: Any) -> float:
    """How much of the past the method's own momentum keeps."""
    if "betas" in group:
        return float(group["betas"][0])
    return float(group.get("momentum") or 0.95)


MARS = Modifier(
    place="gradient",
    switch="mars",
    summary="Correct the gradient by how it changed since the step before (variance reduction).",
    equation="c = g + γ·β/(1 − β)·(g − g₋₁);  g ← c/max(‖c‖, 1)",
    source="Yuan et al. 2024, arXiv:2411.10438",
    example=0.025,
    around=_corrected,
    others={"mars_beta": _memory},
    ranges={
        "mars": positive,
        "mars_beta": number("in [0, 1)", lambda x: 0 <= x < 1),
    },
)
