"""What a picture of many dimensions on a plane leaves out, in numbers."""

import torch
from torch import Tensor

from descend.landscapes.planes import Plane


def share_in_plane(plane: Plane, points: Tensor) -> float:
    """Return how much of the variance of points lies in a plane.

    Args:
        plane: it; only its directions count.
        points: (k, n).

    Returns:
        From 0 to 1; NaN where the points do not vary.
    """
    centred = points.double() - points.double().mean(0)
    Q, _ = torch.linalg.qr(plane.axes.double().T)
    return float((centred @ Q).square().sum() / centred.square().sum())


def share_of_a_random_walk(points: Tensor, dimensions: int) -> float:
    """Return how much of the variance of a random walk lies along its own first principal components.

    The walk takes steps of the lengths that the points are apart, each at a right angle to all others, as
    directions in many dimensions are. Its principal components look like cosines, and the first two hold
    about three quarters of it although it finds nothing (Antognini & Sohl-Dickstein 2018, arXiv:1806.08805):
    only what a way has beyond that says something about it.

    Args:
        points: (k, n).
        dimensions: how many components.

    Returns:
        From 0 to 1; NaN where the points do not differ.
    """
    lengths = torch.linalg.vector_norm(points[1:].double() - points[:-1].double(), dim=1)
    k = len(points)
    walk = torch.zeros(k, k - 1, dtype=torch.float64)
    walk[1:] = torch.ones(k - 1, k - 1, dtype=torch.float64).tril() * lengths
    centred = walk - walk.mean(0)
    values = torch.linalg.eigvalsh(centred @ centred.T).clamp_min(0)
    return float(values.flip(0)[:dimensions].sum() / values.sum())


def noise_of(parts: Tensor) -> float:
    """Return the standard error of a loss whose mean over each part of the examples is known.

    Args:
        parts: (..., parts).

    Returns:
        The median over all points; NaN with fewer than two parts.
    """
    if parts.shape[-1] < 2:
        return float("nan")
    errors = parts.std(-1) / parts.shape[-1] ** 0.5
    finite = errors[errors.isfinite()]
    return float(finite.median()) if len(finite) else float("nan")
