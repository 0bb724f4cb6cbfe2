"""Planes, and what they leave out, against independent computations."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from descend.errors import UsageError
from descend.landscapes.honesty import share_in_plane, share_of_a_random_walk
from descend.landscapes.planes import (
    Plane,
    normalised,
    plane_through,
    principal_components,
    principal_plane,
    random_plane,
)
from descend.landscapes.vectors import Layout


def way(k: int = 30, n: int = 500, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, k, dtype=torch.float64)[:, None]
    u, v = torch.randn(2, n, generator=generator, dtype=torch.float64)
    return (
        t * u + 0.3 * (3 * t).sin() * v + 0.02 * torch.randn(k, n, generator=generator, dtype=torch.float64)
    )


def test_principal_components_are_numpys() -> None:
    points = way()
    axes, variances = principal_components(points)
    centred = points.numpy() - points.numpy().mean(0)
    _, S, Vt = np.linalg.svd(centred, full_matrices=False)
    assert variances.tolist() == pytest.approx((S[:29] ** 2 / 29).tolist(), rel=1e-9)
    for mine, sure in zip(axes[:2].numpy(), Vt[:2], strict=True):
        assert abs(mine @ sure) == pytest.approx(1, abs=1e-10)


def test_the_variance_in_the_plane_is_an_independent_one() -> None:
    points = way()
    plane = principal_plane([points], points[-1], 2)
    S = np.linalg.svd(points.numpy() - points.numpy().mean(0), compute_uv=False)
    assert share_in_plane(plane, points) == pytest.approx((S[:2] ** 2).sum() / (S**2).sum(), abs=1e-10)


def test_coordinates_are_feet_of_perpendiculars() -> None:
    points = way()
    axes = torch.stack([points[3] - points[0], points[9] - points[1]])  # neither orthogonal nor of length 1
    plane = Plane("given", points[5], axes, ("a", "b"), ((0, 1), (0, 1)))
    at, off = plane.coordinates(points)
    sure, rest, *_ = np.linalg.lstsq(axes.numpy().T, (points - points[5]).numpy().T, rcond=None)
    assert pytest.approx(sure, abs=1e-9) == at.numpy().T
    assert (off.numpy() ** 2) == pytest.approx(rest, rel=1e-9, abs=1e-18)
    inside = points[5] + torch.tensor([[0.3, -2.0]], dtype=torch.float64) @ axes
    at, off = plane.coordinates(inside)
    assert at[0].tolist() == pytest.approx([0.3, -2.0]) and float(off) < 1e-10


def test_a_random_walks_share() -> None:
    """Of an endless walk in many dimensions, 6/π² (1 + 1/4) lies in the first two components."""
    points = torch.randn(400, 20_000, generator=torch.Generator().manual_seed(0)).cumsum(0)
    told = share_of_a_random_walk(points, 2)
    assert told == pytest.approx(6 / math.pi**2 * 1.25, abs=0.005)
    plane = principal_plane([points], points[-1], 2)
    assert share_in_plane(plane, points) == pytest.approx(told, abs=0.01)


def test_filters_are_as_long_as_the_parameters() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4))
    layout = Layout(model)
    d = layout.values(normalised(model, layout, torch.Generator().manual_seed(0)))
    own = dict(model.named_parameters())
    for name in ("0.weight", "3.weight"):
        found = d[name].flatten(1).norm(dim=1)
        assert found.tolist() == pytest.approx(own[name].flatten(1).norm(dim=1).tolist(), rel=1e-5)
    for name in ("0.bias", "1.weight", "1.bias", "3.bias"):
        assert not d[name].any()


def test_the_seed_draws_the_directions() -> None:
    model = nn.Linear(4, 3)
    layout = Layout(model)
    a, b, c = (random_plane(model, layout, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(a.axes, b.axes) and not torch.equal(a.axes, c.axes)
    assert torch.equal(a.origin, layout.of(model)) and a.spans == ((-1.0, 1.0),) * 2


def test_the_line_through_two_and_the_plane_through_three() -> None:
    a, b, c = torch.randn(3, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    line = plane_through([a, b])
    at, off = line.coordinates(torch.stack([a, b, (a + b) / 2]))
    assert at[:, 0].tolist() == pytest.approx([0, 1, 0.5], abs=1e-12) and float(off.max()) < 1e-10
    plane = plane_through([a, b, c])
    at, off = plane.coordinates(torch.stack([a, b, c]))
    assert float(off.max()) < 1e-10
    assert at[0].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert at[1].tolist() == pytest.approx([float((b - a).norm()), 0], abs=1e-10)
    assert float((at[2] - at[1]).norm()) == pytest.approx(float((c - b).norm()))
    (low, high), _ = plane.spans
    assert low < float(at[:, 0].min()) and high > float(at[:, 0].max())
    with pytest.raises(UsageError, match="differ"):
        plane_through([a, a])
    with pytest.raises(UsageError, match="one line"):
        plane_through([a, b, 2 * b - a])


def test_ways_that_do_not_vary_have_no_plane() -> None:
    points = torch.ones(5, 10)
    with pytest.raises(UsageError, match="vary in 2 directions"):
        principal_plane([points], points[-1], 2)
