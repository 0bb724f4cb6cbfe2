"""How far to go: the minimum of the quadratic model of the loss along two directions.

K-FAC's blocks tell a good direction ĝ, and not how far it goes: layers depend on each other, and A ⊗ G is no
layer's block exactly. So the step is α ĝ + μ m, where m is the step before, at the minimum of

    M(α, μ) = ⟨g, δ⟩ + δᵀ(F + λ I)δ/2        δ = −(α ĝ + μ m),  0 ≤ α, μ ≤ 1

with the Fisher information F of the whole network (Martens & Grosse 2015, sections 6.4 and 7). Of F it takes
only the products with the two directions: the mean over examples of sᵢ sᵢᵀ, where sᵢ are the slopes along
each of example i's output times a random gradient, whose covariance is the loss's Hessian there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch.nn.functional as F
from torch import Tensor, nn

from descend.errors import UsageError


@dataclass(frozen=True)
class Call:
    """One call of a layer in a forward pass.

    Attributes:
        module: the layer.
        weight: its weight.
        x: its inputs, for some of the examples.
        d: the gradients behind it, for random gradients at the model's output.
    """

    module: nn.Module
    weight: Tensor
    x: Tensor
    d: Tensor


@dataclass(frozen=True)
class Drawn:
    """A forward pass with random gradients at its output.

    Attributes:
        calls: of its layers.
        examples: that are left of it.
        terms: how many terms the loss is a mean over.
        share: how many examples there were for each that is left.
    """

    calls: list[Call]
    examples: int
    terms: int
    share: float


def thinned(calls: Sequence[Call], terms: int, enough: int) -> Drawn:
    """Return a pass with not much more than ``enough`` of its examples, taken evenly.

    Args:
        calls: of its layers; each sees the examples in its first dimension, one after the other, be it with
            several rows for one.
        terms: how many terms the loss is a mean over.
        enough: how many examples are wanted.

    Raises:
        UsageError: where examples cannot be told apart.
    """
    examples = min((len(call.x) for call in calls), default=1)
    if odd := [len(call.x) for call in calls if len(call.x) % examples or len(call.x) != len(call.d)]:
        raise UsageError(
            "layers that see the examples in their first dimension, for momentum=None",
            f"one that sees {odd[0]} rows beside one that sees {examples}",
            "give momentum=0.9 with lr=0.03",
        )
    step = max(1, examples // enough)

    def some(x: Tensor) -> Tensor:
        return x if step == 1 else x.unflatten(0, (examples, -1))[::step].flatten(0, 1)

    left = [Call(call.module, call.weight, some(call.x), some(call.d)) for call in calls]
    kept = -(-examples // step)
    return Drawn(left, kept, terms, examples / kept)


def slopes(call: Call, pair: Tensor, examples: int) -> Tensor:
    """Return how each example's output, times its random gradient, changes along two directions of a layer.

    Args:
        call: of the layer.
        pair: two directions of (weight, bias), of shape (2, m, n + 1).
        examples: how many there are in the call.

    Returns:
        A tensor of shape (examples, 2).
    """
    two, m = pair.shape[:2]
    weight = pair[:, :, :-1].reshape(two * m, *call.weight.shape[1:])
    bias = pair[:, :, -1].reshape(-1)
    x, d = call.x.to(pair.dtype), call.d.to(pair.dtype)
    if isinstance(call.module, nn.Linear):
        moved = F.linear(x, weight, bias).unflatten(-1, (two, m)).movedim(-2, 1)
    else:
        moved = call.module._conv_forward(x, weight, bias).unflatten(1, (two, m))  # type: ignore[operator]
    found = (moved * d.unsqueeze(1)).flatten(2).sum(2)
    return found if len(found) == examples else found.view(examples, -1, two).sum(1)


def products(passes: Iterable[Drawn], pairs: Mapping[int, Tensor]) -> Tensor:
    """Return the products of the two directions with F, of shape (2, 2).

    Args:
        passes: forward passes with random gradients.
        pairs: the directions, by the ids of the layers' weights.
    """
    found, terms = [], 0
    for one in passes:
        calls = [call for call in one.calls if id(call.weight) in pairs]
        each = [slopes(call, pairs[id(call.weight)], one.examples) for call in calls]
        s = sum(each[1:], each[0])
        found.append(one.share * (s.mT @ s))
        terms += one.terms
    return sum(found[1:], found[0]) / terms


def minimum(curvature: tuple[float, float, float], slope: tuple[float, float]) -> tuple[float, float]:
    """Return where −⟨slope, x⟩ + ⟨x, C x⟩/2 is least among x of two numbers in [0, 1].

    Beyond 1 the blocks' own model has the loss rise again along the first direction, and along the second a
    step would be carried on at more than its length. A batch that is fitted already knows of no curvature:
    without these bounds it would go anywhere, and undo what others have taught.

    Args:
        curvature: C's first row, and the last number of its second.
        slope: along both directions.

    Example:
        >>> minimum((8.0, 2.0, 2.0), (5.0, 2.0)), minimum((2.0, 0.0, 0.0), (3.0, 0.0))
        ((0.5, 0.5), (1.0, 0.0))
    """
    a, b, c = curvature
    p, q = slope

    def within(slope: float, curvature: float) -> float:
        best = slope / curvature if curvature > 0 else inf * slope if slope else 0.0
        return min(max(best, 0.0), 1.0)

    def value(x: tuple[float, float]) -> float:
        return (a * x[0] ** 2 + 2 * b * x[0] * x[1] + c * x[1] ** 2) / 2 - p * x[0] - q * x[1]

    determinant = a * c - b * b
    if determinant > 1e-9 * a * c:
        inside = (p * c - q * b) / determinant, (q * a - p * b) / determinant
        if min(inside) >= 0 and max(inside) <= 1:
            return inside
    edges = [(x, within(q - b * x, c)) for x in (0.0, 1.0)] + [(within(p - b * y, a), y) for y in (0.0, 1.0)]
    return min(edges, key=value)
