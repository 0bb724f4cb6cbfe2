"""Caution: to leave out of a step what the gradient speaks against."""

import operator
from collections.abc import Iterator
from functools import reduce
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from descend.methods.equations import lerp, mean, minimum, sign, where
from descend.methods.modifiers.part import Modifier, flag
from descend.methods.rule import Rule
from descend.methods.trace import Host, Value


def _cautious(rule: Rule) -> Rule:
    """Of the move u keep u · φ / max(mean(φ), 1e-3), with φ = 1 where u·g > 0, and 0 elsewhere."""

    def masked(w: Any, g: Any, s: Any, h: Any) -> Any:
        move = _move(rule, w, g, s, h)
        # −φ, which is −1 where the move goes against the gradient, as it should. The signs and not the
        # numbers are multiplied: a product of two small ones would be zero.
        descends = minimum(sign(move) * sign(g), 0.0)
        return w + move * (descends / minimum(mean(descends), -1e-3))

    return rule.around(masked)


def _move(rule: Rule, w: Any, g: Any, s: Any, h: Any) -> Any:
    """Return new w − w, without the rounding of new w.

    In bfloat16 most moves are below the last place of w: taken as a difference they would be zero, and so
    count as speaking against the gradient.
    """
    if isinstance(w, Value):
        return _difference(rule.equations(w, g, s, h), w)
    # The oracle has no expression to read the move from: it takes the step in double instead.
    kept = {name: x for name, x in vars(s).items() if isinstance(x, Tensor)}
    wide = SimpleNamespace(**vars(s) | {name: x.double() for name, x in kept.items()})
    start = w.double()
    move = rule.equations(start, g.double(), wide, h) - start
    for name, x in kept.items():
        setattr(s, name, torch.as_tensor(getattr(wide, name), dtype=x.dtype))
    return move.to(w.dtype)


def _difference(new: Value, w: Value) -> Any:
    """Return new − w from the expression that new is: a sum of w, shares of w, and what it moves by."""
    factor: Any = -1.0
    points: list[Value] = []
    parts: list[Any] = []
    for term in _terms(new):
        if term is w:
            factor = factor + 1.0
        elif term.op == "scale" and term.args[0] is w:
            factor = factor + term.host
        else:
            (points if _is_point(term, w) else parts).append(term)
    if not points:
        if isinstance(factor, Host) or factor:
            parts.append(factor * w)
        return reduce(operator.add, parts) if parts else 0.0 * w
    if len(points) > 1 or isinstance(factor, Host) or factor != -1.0:
        return new - w
    point = points[0]
    if point.op == "lerp":
        a, b = point.args
        moved = lerp(_difference(a, w), b - w, point.host)
    else:
        condition, a, b = point.args
        moved = where(condition, _difference(a, w), _difference(b, w))
    return reduce(operator.add, parts, moved)


def _terms(x: Value) -> Iterator[Value]:
    if x.op == "add":
        for a in x.args:
            yield from _terms(a)
    else:
        yield x


def _is_point(x: Value, w: Value) -> bool:
    """Whether x lies between w and something, or is one of two points near w."""
    candidates = {"lerp": x.args[:1], "where": x.args[1:]}.get(x.op, ())
    return any(t is w or _is_point(t, w) for a in candidates for t in _terms(a))


CAUTIOUS = Modifier(
    place="update",
    switch="cautious",
    summary="Leave out what the gradient speaks against, and make the rest longer by as much.",
    equation="φ = [u·g > 0];  w ← w − u · φ/mean(φ)",
    source="Liang et al. 2024, arXiv:2411.16085",
    example=True,
    around=_cautious,
    ranges={"cautious": flag},
)
