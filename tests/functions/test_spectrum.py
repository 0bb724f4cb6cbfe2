"""Trace, diagonal and density: they come to the truth, and say how far off they are."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from descend.errors import DataError, UsageError
from descend.functions.lanczos import generator_for, random_direction
from descend.functions.spectrum import Estimate, density, diagonal, trace

Float = torch.float64


def symmetric(spectrum: Tensor, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), dtype=Float, generator=generator))
    return (q * spectrum) @ q.T


def falling(n: int = 200) -> Tensor:
    """As a network's: λᵢ = 1 / i², and as many below zero that are smaller."""
    positive = 1 / torch.arange(1, n // 2 + 1, dtype=Float) ** 2
    return torch.cat((positive, -0.1 * positive))


def rms(values: list[float]) -> float:
    return math.sqrt(sum(v * v for v in values) / len(values))


class Counted:
    def __init__(self, matrix: Tensor):
        self.matrix, self.made = matrix, 0
        self.shape, self.dtype, self.device = matrix.shape, matrix.dtype, matrix.device

    def __matmul__(self, v: Tensor) -> Tensor:
        self.made += 1
        return self.matrix @ v


# Trace -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("budget", [30, 99])
@pytest.mark.parametrize("memory", [None, 2, 6])
def test_a_trace_is_as_near_as_it_says(budget: int, memory: int | None):
    spectrum = falling()
    a = symmetric(spectrum)
    off = []
    for seed in range(40):
        counted = Counted(a)
        found = trace(counted, budget, seed=seed, memory=memory)
        assert found.products == counted.made == budget
        off.append((found.value - float(spectrum.sum())) / found.error)
    # Of draws that are normal, 40 scores have a mean of 0 ± 0.16 and an r.m.s. of 1 ± 0.11; with few draws
    # each, the scores follow Student's distribution, which is a little wider.
    assert abs(sum(off) / len(off)) < 0.6
    assert 0.7 < rms(off) < 1.5 and max(map(abs, off)) < 5


def test_hutch_plus_plus_falls_faster_than_hutchinson():
    spectrum = falling()
    a, truth = symmetric(spectrum), float(spectrum.sum())

    def error(budget: int, estimate: Callable[[int, int], float]) -> float:
        return rms([estimate(budget, seed) - truth for seed in range(20)])

    def hutchinson(budget: int, seed: int) -> float:
        signs = torch.randint(0, 2, (200, budget), generator=torch.Generator().manual_seed(seed)) * 2.0 - 1
        return float((signs.double() * (a @ signs.double())).sum()) / budget

    few, many = (error(b, lambda b, s: trace(a, b, seed=s).value) for b in (12, 96))
    plain_few, plain_many = (error(b, hutchinson) for b in (12, 96))
    assert many < few / 8  # at least as 1 / products
    assert plain_many > plain_few / 6  # as 1 / √products: 2.8
    assert many < plain_many / 10


def test_few_directions_are_found_whole():
    spectrum = torch.zeros(200, dtype=Float)
    spectrum[:5] = torch.tensor([9.0, 4, 2, -3, 1])
    found = trace(symmetric(spectrum), 30)
    assert found.value == pytest.approx(13, abs=1e-12) and found.error < 1e-12


def test_a_trace_with_products_enough_is_exact():
    a = symmetric(falling(20))
    counted = Counted(a)
    found = trace(counted, 99)
    assert found.products == counted.made == 20 and found.error == 0
    assert found.value == pytest.approx(float(a.trace()), rel=1e-12)
    assert trace(torch.full((1, 1), 3.0)) == Estimate(3.0, 0.0, 1)
    assert trace(a, 1).error == math.inf


# Diagonal ----------------------------------------------------------------------------------------
def test_a_diagonal_is_as_near_as_it_says():
    a = symmetric(falling())
    errors = []
    for budget in (40, 160):
        found = diagonal(a, budget, seed=budget, memory=2)
        score = (found.value - a.diagonal()) / found.error
        assert 0.8 < float(score.square().mean().sqrt()) < 1.25 and float(score.abs().max()) < 5
        spread = (a.square().sum(1) - a.diagonal() ** 2).div(budget).sqrt()
        assert 0.8 < float((found.error / spread).mean()) < 1.1
        errors.append(float((found.value - a.diagonal()).norm()))
    assert 1.5 < errors[0] / errors[1] < 2.7  # 1 / √products


@pytest.mark.parametrize("memory", [None, 12])
def test_a_diagonal_is_exact_where_the_matrix_is_largest(memory: int | None):
    a = symmetric(falling())
    counted = Counted(a)
    found = diagonal(counted, 60, memory=memory)
    assert counted.made == found.products == 60
    score = (found.value - a.diagonal()) / found.error
    assert 0.7 < float(score.square().mean().sqrt()) < 1.5
    plain = diagonal(a, 60, memory=2)
    assert (found.value - a.diagonal()).norm() < (plain.value - a.diagonal()).norm() / (10 if memory else 30)


def test_a_diagonal_with_products_enough_is_exact():
    a = symmetric(falling())
    exact = diagonal(a, 200)
    torch.testing.assert_close(exact.value, a.diagonal())
    assert not exact.error.any() and exact.products == 200
    assert diagonal(a, 1).error.isinf().all()
    few = torch.zeros(200, dtype=Float)
    few[:4] = 1
    found = diagonal(symmetric(few), 20)
    torch.testing.assert_close(found.value, symmetric(few).diagonal())


# Density -----------------------------------------------------------------------------------------
def curves(grid: Tensor, spectrum: Tensor, width: float) -> Tensor:
    """Of each eigenvalue, of shape (points, n)."""
    away = (grid[:, None] - spectrum) / width
    return torch.exp(-0.5 * away**2) / (width * math.sqrt(2 * math.pi))


SPECTRA = {
    "bulk": torch.linspace(-1, 1, 200, dtype=Float) ** 3,
    "outliers": torch.cat((torch.linspace(0, 1, 190, dtype=Float), torch.linspace(5, 20, 10, dtype=Float))),
    "falling": falling(),
}


@pytest.mark.parametrize("name", list(SPECTRA))
@pytest.mark.parametrize("steps", [10, 40])
def test_a_density_is_the_smoothed_one_within_its_error(name: str, steps: int):
    spectrum = SPECTRA[name]
    a = Counted(symmetric(spectrum))
    found = density(a, steps, probes=8)
    assert a.made == found.products == 8 * steps
    spacing = float(found.grid.diff()[0])
    assert float(found.values.sum()) * spacing == pytest.approx(1, abs=0.005)
    truth = curves(found.grid, spectrum, found.width).mean(1)
    off = found.values - truth
    height = 1 / (found.width * math.sqrt(2 * math.pi))
    assert (off.abs() < 5 * found.error + 1e-3 * height).all()
    # What lies between the two curves, of an area of 1, is no more than the draws explain.
    assert float(off.abs().sum()) * spacing < 2 * float(found.error.sum()) * spacing + 0.01
    assert float(found.error.sum()) * spacing < 0.15


@pytest.mark.parametrize("name", list(SPECTRA))
@pytest.mark.parametrize("steps", [10, 20, 60])
def test_the_quadrature_of_a_probe_has_next_to_no_error(name: str, steps: int):
    spectrum = SPECTRA[name]
    a = symmetric(spectrum)
    found = density(a, steps, probes=1, seed=3)
    _, q = torch.linalg.eigh(a)
    share = (q.T @ random_direction(a, generator_for(a, 3))).square()
    truth = curves(found.grid, torch.linalg.eigvalsh(a), found.width) @ share
    height = 1 / (found.width * math.sqrt(2 * math.pi))
    assert float((found.values - truth).abs().max()) < 1e-3 * height
    assert found.error.isinf().all()


def test_more_probes_come_nearer():
    spectrum = SPECTRA["bulk"]
    a = symmetric(spectrum)

    def between(probes: int) -> float:
        found = density(a, 20, probes)
        off = found.values - curves(found.grid, spectrum, found.width).mean(1)
        return float(off.abs().sum() * found.grid.diff()[0])

    assert between(200) < between(2) / 3 and between(200) < 0.02


def test_the_mean_of_a_function_over_all_eigenvalues():
    spectrum = SPECTRA["bulk"]
    found = density(symmetric(spectrum), 20, probes=20)
    for f in (torch.exp, torch.square, torch.ones_like):
        estimate = found.mean(f)
        assert abs(estimate.value - float(f(spectrum).mean())) < 4 * estimate.error + 1e-12


def test_a_width_can_be_chosen():
    found = density(symmetric(SPECTRA["bulk"]), 20, width=0.5, points=50)
    assert found.width == 0.5 and found.grid.shape == found.values.shape == found.error.shape == (50,)
    assert float(found.grid[0]) == pytest.approx(float(found.nodes.min()) - 1.5)


@pytest.mark.parametrize("value", [0.0, -7.0])
@pytest.mark.parametrize("n", [1, 50])
def test_a_matrix_of_one_value(value: float, n: int):
    found = density(value * torch.eye(n, dtype=Float))
    assert found.products == 5 and found.nodes.numpy() == pytest.approx(value)
    assert float(found.values.sum() * found.grid.diff()[0]) == pytest.approx(1, abs=0.01)


def test_all_follow_from_the_seed_alone():
    a = symmetric(falling())
    before = torch.get_rng_state()
    assert trace(a, 20, seed=1) == trace(a, 20, seed=1) != trace(a, 20, seed=2)
    assert torch.equal(diagonal(a, 5, seed=1).value, diagonal(a, 5, seed=1).value)
    assert torch.equal(density(a, 5, seed=1).values, density(a, 5, seed=1).values)
    assert torch.equal(torch.get_rng_state(), before)


def test_errors_say_what_to_do():
    a = torch.eye(9)
    for wrong in (lambda: trace(a, 0), lambda: diagonal(a, 0)):
        with pytest.raises(UsageError, match="at least one product"):
            wrong()
    for options in ({"steps": 0}, {"probes": 0}, {"points": 1}, {"width": 0.0}):
        with pytest.raises(UsageError, match="positive steps, probes and width"):
            density(a, **options)
    with pytest.raises(UsageError, match="square"):
        trace(torch.zeros(2, 3))
    broken = torch.full((200, 200), torch.nan)
    for estimate in (lambda: trace(broken), lambda: diagonal(broken), lambda: density(broken)):
        with pytest.raises(DataError, match="finite products"):
            estimate()
