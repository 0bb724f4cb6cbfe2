"""Clipping: a single wild gradient must not undo the work of a thousand."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.methods.equations import maximum, minimum, norm, sqrt, total, whole
from descend.methods.modifiers.measuring import Moving, measured
from descend.methods.modifiers.part import Modifier, positive
from descend.methods.rule import Rule, elementwise, one_for_all, rule

if TYPE_CHECKING:
    from descend.methods.method import Method


@rule(gradient_norm=one_for_all)
def _gradient_norm(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Measure the norm of the gradients of all parameters in all groups, as one vector."""
    s.gradient_norm = sqrt(total(norm(g) ** 2))
    return w


def measure_gradient(method: "Method", moving: Moving) -> None:
    """Note the norm of all these gradients together in each group, as ``group["gradient_norm"]``."""
    moving = [(group, found) for group, found in moving if found[0]]
    for (group, _), batch in zip(moving, measured(method, _gradient_norm, moving), strict=True):
        group["gradient_norm"] = batch.kept["gradient_norm"][0]


def _shortened(rule: Rule) -> Rule:
    """Shorten all: g ← g · min(1, c / (‖g‖ + 1e-6)), where ‖g‖ spans all parameters."""

    def clipped(w: Any, g: Any, s: Any, h: Any) -> Any:
        return rule.equations(w, g * minimum(h.clip_norm / (s.gradient_norm + 1e-6), 1.0), s, h)

    return rule.around(clipped, gradient_norm=one_for_all.when("clip_norm"))


def _bounded(rule: Rule) -> Rule:
    """Bound each number: g ← min(max(g, −c), c), element by element."""

    def clipped(w: Any, g: Any, s: Any, h: Any) -> Any:
        return rule.equations(w, minimum(maximum(g, -h.clip_value), h.clip_value), s, h)

    return rule.around(clipped)


def _unit_norm(x: Tensor) -> Tensor:
    """The norm of each unit: of what leads to one output of a layer; of a vector as a whole."""
    if x.ndim <= 1:
        return torch.linalg.vector_norm(x)
    return torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)


def _unit_clipped(g: Tensor, w: Tensor, share: float, eps: float) -> Tensor:
    most = share * _unit_norm(w).clamp_min(eps)
    length = _unit_norm(g)
    return g * torch.where(length < most, 1.0, most / length.clamp_min(1e-6))  # one number a unit


def _adapted(rule: Rule) -> Rule:
    """g_i ← g_i · min(1, c · max(‖w_i‖, ε) / ‖g_i‖) for each unit i (a row of a matrix)."""

    def clipped(w: Any, g: Any, s: Any, h: Any) -> Any:
        g = whole(_unit_clipped, g, w, h.clip_adaptive, h.clip_adaptive_eps, gives=elementwise)
        return rule.equations(w, g, s, h)

    return rule.around(clipped)


NORM = Modifier(
    place="gradient",
    switch="clip_norm",
    summary="Shorten the gradient of all parameters together to this norm.",
    equation="g ← g · min(1, c/(‖g‖ + 1e-6))",
    source="Pascanu et al. 2013, arXiv:1211.5063",
    example=1.0,
    around=_shortened,
    ranges={"clip_norm": positive},
)
VALUE = Modifier(
    place="gradient",
    switch="clip_value",
    summary="Bound each number of the gradient.",
    equation="g ← min(max(g, −c), c)",
    source="Graves 2013, arXiv:1308.0850",
    example=0.5,
    around=_bounded,
    ranges={"clip_value": positive},
)
ADAPTIVE = Modifier(
    place="gradient",
    switch="clip_adaptive",
    summary="Shorten the gradient of each unit to a share of the norm of its weights (AGC).",
    equation="gᵢ ← gᵢ · min(1, c·max(‖wᵢ‖, ε)/‖gᵢ‖)",
    source="Brock et al. 2021, arXiv:2102.06171",
    example=0.01,
    around=_adapted,
    others={"clip_adaptive_eps": 1e-3},
    ranges={"clip_adaptive": positive, "clip_adaptive_eps": positive},
)
