"""Lines and planes through a function's parameters: where they lie, and how far from them a point does.

A direction at random is normalised filter by filter (Li et al. 2018, arXiv:1712.09913): each row of a matrix,
each filter of a convolution, has the norm of the parameters that it is added to, so that a distance of 1
means the same in every layer and networks with rescaled layers look alike. Biases and the parameters of norms
stay, as there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from descend.errors import UsageError
from descend.landscapes.vectors import Layout


@dataclass(frozen=True)
class Plane:
    """A line or a plane, in which a part is looked at.

    Attributes:
        kind: random, path, curvature, between, through, axes or given.
        origin: (n,): where its coordinates are 0.
        axes: (d, n), d = 1 or 2; not of length 1 where another unit is meant.
        labels: what a distance of 1 means along each axis.
        spans: the part that is looked at: (low, high) along each axis.
    """

    kind: str
    origin: Tensor
    axes: Tensor
    labels: tuple[str, ...]
    spans: tuple[tuple[float, float], ...]

    def coordinates(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the foot of each point's perpendicular, and how far off it lies.

        Args:
            points: (k, n).

        Returns:
            (k, d) and (k,), float64; the distance in the parameters' own unit.
        """
        away = points.double() - self.origin.double()
        axes = self.axes.double()
        # By orthonormal axes: normal equations would lose half of the digits where axes are nearly parallel.
        Q, R = torch.linalg.qr(axes.T)
        inside = away @ Q
        at = torch.linalg.solve_triangular(R, inside.T, upper=True).T
        return at, torch.linalg.vector_norm(away - inside @ Q.T, dim=1)


def random_plane(
    function: nn.Module, layout: Layout, dimensions: int, seed: int, span: float | None = None
) -> Plane:
    """Return a line or plane through a function's parameters, in directions at random.

    Args:
        function: where its parameters are is the middle.
        layout: how they make up a vector.
        dimensions: 1 or 2.
        seed: of the directions.
        span: how far to look to each side; 1 by default.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = torch.stack([normalised(function, layout, generator) for _ in range(dimensions)])
    far = span or 1.0
    names = ("a random direction", "another random direction")[:dimensions]
    return Plane("random", layout.of(function), axes, names, ((-far, far),) * dimensions)


def normalised(function: nn.Module, layout: Layout, generator: torch.Generator) -> Tensor:
    """Return a direction at random (n,), each filter as long as the parameters that it is added to."""
    own = dict(function.named_parameters())
    matrices = any(own[name].ndim > 1 for name in layout.names)
    pieces = []
    for name in layout.names:
        p = own[name].detach()
        d = torch.randn(p.shape, generator=generator, dtype=layout.dtype).to(p.device)
        if p.ndim > 1:
            rows, like = d.reshape(len(d), -1), p.reshape(len(p), -1)
            lengths = torch.linalg.vector_norm(like, dim=1, keepdim=True)
            d = (rows / (torch.linalg.vector_norm(rows, dim=1, keepdim=True) + 1e-10) * lengths).view_as(p)
        elif matrices:
            d = torch.zeros_like(d)
        else:  # a function of a few numbers: as a whole
            length = float(torch.linalg.vector_norm(p)) or math.sqrt(p.numel())
            d = d / (torch.linalg.vector_norm(d) + 1e-10) * length
        pieces.append(d.reshape(-1))
    return torch.cat(pieces).to(layout.dtype)


def principal_plane(
    points: Sequence[Tensor], origin: Tensor, dimensions: int, span: float | None = None
) -> Plane:
    """Return the line or plane through a point in which ways vary most.

    Its axes are the first principal components of the points of all ways together, of length 1.

    Args:
        points: of each way: (k, n).
        origin: (n,): where coordinates are 0; usually where the first way ends.
        dimensions: 1 or 2.
        span: how far to look to each side; by default a third further than the ways go.

    Raises:
        UsageError: where the points vary in fewer directions.
    """
    together = torch.cat([p.double() for p in points])
    axes, _ = principal_components(together)
    if len(axes) < dimensions:
        raise UsageError(
            f"ways that vary in {dimensions} directions",
            f"{len(together)} points that vary in {len(axes)}",
            "take directions at random, or a line",
        )
    axes = axes[:dimensions]
    ends = torch.stack([p[-1].double() for p in points]).mean(0) - origin.double()
    starts = torch.stack([p[0].double() for p in points]).mean(0) - origin.double()
    # Ways go from the left to the right.
    axes = axes * torch.where((axes @ (ends - starts)) < 0, -1.0, 1.0)[:, None].double()
    names = ("first principal component", "second principal component")[:dimensions]
    plane = Plane("path", origin, axes, names, ((0.0, 0.0),) * dimensions)
    at, _ = plane.coordinates(together)
    spans = ((-span, span),) * dimensions if span else around(at)
    return Plane("path", origin, axes.to(origin.dtype), names, spans)


def principal_components(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the directions in which points (k, n) vary, and the variance along each.

    Returns:
        (r, n), orthonormal, and (r,), falling; float64. Directions whose variance is rounding are left out.
    """
    centred = points.double() - points.double().mean(0)
    # k is small and n is large: the eigenvectors of the k × k products tell those of the covariance.
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    rank = int((values > 1e-12 * values[0]).sum()) if len(values) and values[0] > 0 else 0
    axes = (vectors[:, :rank].T @ centred) / values[:rank].sqrt()[:, None]
    return axes, values[:rank] / max(len(points) - 1, 1)


def plane_through(points: Sequence[Tensor], span: float | None = None) -> Plane:
    """Return the line through two points, or the plane through three (Garipov et al. 2018, arXiv:1802.10026).

    On a line the points lie at 0 and 1. In a plane the first lies at (0, 0), the second at (‖B − A‖, 0).

    Args:
        points: two or three, (n,) each.
        span: how far to look beyond the points, as a share of how far apart they are; a quarter by default.

    Raises:
        UsageError: where points are the same, or three of them on one line.
    """
    a, *others = [p.double() for p in points]
    more = 0.25 if span is None else span
    first = others[0] - a
    length = float(torch.linalg.vector_norm(first))
    if length == 0:
        raise UsageError("solutions that differ", "two that are the same", "take runs with different seeds")
    if len(points) == 2:
        axis = first[None].to(points[0].dtype)
        return Plane("between", points[0], axis, ("from the first to the second",), ((-more, 1 + more),))
    u = first / length
    rest = others[1] - a
    v = rest - (rest @ u) * u
    height = float(torch.linalg.vector_norm(v))
    if height <= 1e-9 * float(torch.linalg.vector_norm(rest)):
        raise UsageError("three solutions that are not on one line", "three that are", "take two of them")
    axes = torch.stack([u, v / height]).to(points[0].dtype)
    labels = ("towards the second", "towards the third")
    plane = Plane("through", points[0], axes, labels, ((0.0, 0.0),) * 2)
    at, _ = plane.coordinates(torch.stack([p.double() for p in points]))
    return Plane("through", points[0], axes, labels, around(at, more))


def axes_plane(layout: Layout, spans: Sequence[tuple[float, float]], labels: tuple[str, ...] = ()) -> Plane:
    """Return the plane of all points of a function of one or two numbers, in their own coordinates.

    Args:
        layout: how they make up a vector.
        spans: (low, high) of each number.
        labels: what the numbers are called.
    """
    axes = torch.eye(layout.count, dtype=layout.dtype)
    named = labels or tuple(f"parameter {k + 1}" for k in range(layout.count))
    return Plane("axes", torch.zeros(layout.count, dtype=layout.dtype), axes, named, tuple(spans))


def around(at: Tensor, more: float = 0.3) -> tuple[tuple[float, float], ...]:
    """Return spans that hold all of some coordinates (k, d), with room around them."""
    low, high = at.min(0).values, at.max(0).values
    room = more * (high - low).clamp_min(0.25 * float((high - low).max()) or 1.0)
    return tuple(zip((low - room).tolist(), (high + room).tolist(), strict=True))
