"""Parts that any method can take: each wraps a rule and gives a rule."""

from typing import Any

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


def ascent(rule: Rule) -> Rule:
    """Climb instead of descending, where ``maximize`` says so: g ← −g."""

    def climbing(w: Any, g: Any, s: Any, h: Any) -> Any:
        return rule.equations(w, -g if h.maximize else g, s, h)

    return rule.around(climbing)
