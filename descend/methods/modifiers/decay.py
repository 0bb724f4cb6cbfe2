"""Weight decay: what pulls the parameters towards zero, and on which side of the method it stands."""

from collections.abc import Callable
from typing import Any

from descend.methods.modifiers.part import Modifier, positive
from descend.methods.rule import Rule


def decoupled_decay(rule: Rule) -> Rule:
    """Weight decay beside the gradient: w ← (1 − lr·λ) w (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        if h.weight_decay:
            w = w * (1 - h.lr * h.weight_decay)
        return rule.equations(w, g, s, h)

    return rule.around(decayed)


def coupled_decay(rule: Rule) -> Rule:
    """Weight decay inside the gradient: g ← g + λ w, the gradient of an L2 penalty λ‖w‖²/2."""

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        if h.weight_decay:
            g = g + h.weight_decay * w
        return rule.equations(w, g, s, h)

    return rule.around(decayed)


def either_decay(rule: Rule) -> Rule:
    """Weight decay beside the gradient where ``decoupled_weight_decay`` says so, else inside it."""
    beside, inside = decoupled_decay(rule), coupled_decay(rule)

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        return (beside if h.decoupled_weight_decay else inside).equations(w, g, s, h)

    return rule.around(decayed)


def corrected_decay(rule: Rule) -> Rule:
    """Weight decay that feels a schedule twice: w ← (1 − lr·λ·lr/lr_max) w (Defazio 2025, arXiv:2506.02285).

    The norm of a layer in front of a normalisation settles at a balance of its gradient, the learning rate
    and the decay; with this decay the balance stays where it is while the learning rate falls, and the
    gradient no longer grows towards the end of a run. Meant for such layers: give the others, such as the
    output layer, a group of their own.
    """

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        if h.weight_decay:
            w = w * (1 - h.lr * h.weight_decay * (h.lr / h.lr_max))
        return rule.equations(w, g, s, h)

    return rule.around(decayed)


DECAYS: dict[str, Callable[[Rule], Rule]] = {
    "decoupled": decoupled_decay,
    "coupled": coupled_decay,
    "corrected": corrected_decay,
}
"""The kinds of decay by name."""


def chosen_decay(own: Callable[[Rule], Rule], rule: Rule) -> Rule:
    """Return a rule with the decay that ``h.decay`` names around it, the method's own where it names none."""
    usual = own(rule)
    kinds = {name: kind(rule) for name, kind in DECAYS.items()}

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        kind = h.decay
        return (kinds[kind] if kind else usual).equations(w, g, s, h)

    return rule.around(decayed)


def _peak(group: dict[str, Any], state: Any) -> float:
    """The learning rate that a group began with, before any schedule."""
    return float(group.get("initial_lr", group["lr"]))


CHOICE = Modifier(
    place="decay",
    switch="decay",
    summary="Another kind of weight decay than the method's own: decoupled, coupled or corrected.",
    equation="w ← (1 − lr·λ) w;  g ← g + λw;  w ← (1 − lr·λ·lr/lr_max) w",
    source="Loshchilov & Hutter 2019, arXiv:1711.05101; Defazio 2025, arXiv:2506.02285",
    example="corrected",
    others={"lr_max": _peak},
    ranges={
        "decay": (f"one of {', '.join(DECAYS)}", lambda x: isinstance(x, str) and x in DECAYS),
        "lr_max": positive,
    },
)
