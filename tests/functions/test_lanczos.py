"""Eigenvalues by Lanczos's method: those of the matrix, with a bound that holds, in few vectors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from descend.errors import DataError, UsageError
from descend.functions.lanczos import (
    ORDERS,
    Eigenvalues,
    Recurrence,
    Symmetric,
    distinct,
    eigenvalues,
    generator_for,
    random_direction,
    room_for,
)

Float = torch.float64


def symmetric(spectrum: Tensor, seed: int = 0, dtype: torch.dtype = Float) -> Tensor:
    """A matrix with these eigenvalues, in directions at random."""
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), dtype=Float, generator=generator))
    return ((q * spectrum) @ q.T).to(dtype)


def outlying() -> Tensor:
    """As a network's: some far outside on both sides, one of them twice, and a bulk around zero."""
    outside = torch.tensor([50, 20, 10, 10, 9.5, 5, 4.9, -3, -5, -6.9, -7, -8, -30], dtype=Float)
    return torch.cat((outside, torch.linspace(-0.5, 0.9, 187, dtype=Float)))


def ordered(spectrum: Tensor, which: str) -> Tensor:
    return spectrum[ORDERS[which](spectrum).argsort(descending=True)]


class Counted:
    """A matrix that counts its products."""

    def __init__(self, matrix: Tensor):
        self.matrix, self.made = matrix, 0
        self.shape, self.dtype, self.device = matrix.shape, matrix.dtype, matrix.device

    def __matmul__(self, v: Tensor) -> Tensor:
        assert v.ndim == 1 and abs(float(v.norm()) - 1) < 1e-3
        self.made += 1
        return self.matrix @ v


def within_residuals(found: Eigenvalues, spectrum: Tensor, rounding: float) -> bool:
    off = (found.values[:, None] - spectrum).abs().min(1).values
    return bool((off <= found.residuals + rounding * spectrum.abs().max()).all())


@pytest.mark.parametrize("which", list(ORDERS))
@pytest.mark.parametrize("dtype", [torch.float32, Float], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_eigenvalues_are_those_of_the_matrix(which: str, dtype: torch.dtype, seed: int):
    spectrum = outlying()
    a = Counted(symmetric(spectrum, seed, dtype))
    rounding = 50 * torch.finfo(dtype).eps
    found = eigenvalues(a, 5, which, seed=seed)
    assert found.converged and found.products == a.made and found.vectors is None
    assert (found.values - ordered(spectrum, which)[:5]).abs().max() < rounding * 50
    assert within_residuals(found, spectrum, rounding)


@pytest.mark.parametrize("which", list(ORDERS))
@pytest.mark.parametrize("dtype", [torch.float32, Float], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_two_vectors_suffice(which: str, dtype: torch.dtype, seed: int):
    """Each eigenvalue once, though the recurrence finds it many times over."""
    spectrum = outlying()
    a = Counted(symmetric(spectrum, seed, dtype))
    once = ordered(spectrum.unique(), which)
    for tolerance in (1e-4, 1e-6):
        found = eigenvalues(a, 5, which, memory=2, seed=seed, tolerance=tolerance)
        assert found.converged
        assert (found.values - once[:5]).abs().max() < (1e-5 if dtype == torch.float32 else tolerance) * 50
        assert within_residuals(found, spectrum, 50 * torch.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (Float, 1e-4), (Float, 1e-8)])
def test_copies_are_told_from_eigenvalues_for_as_long_as_one_likes(dtype: torch.dtype, tolerance: float):
    spectrum = outlying()
    outside = spectrum[spectrum.abs() > 2].unique()
    a = symmetric(spectrum, 5, dtype)
    recurrence = Recurrence(a, random_direction(a, generator_for(a, 0)))
    seen: set[int] = set()
    for _ in range(160):
        recurrence.step()
        ritz = recurrence.ritz()
        values, residuals, allowed = distinct(*ritz, torch.finfo(dtype).eps, tolerance)
        found = values[(values.abs() > 2) & (residuals <= allowed)]
        nearest = (found[:, None] - outside).abs().min(1)
        assert (nearest.values <= allowed).all() and len(nearest.indices.unique()) == len(found)
        seen |= set(nearest.indices.tolist())
    assert len(seen) == len(outside) == 12
    assert int((ritz[0].abs() > 2).sum()) > 60  # most of them copies


def test_eigenvectors():
    spectrum = outlying()
    a = symmetric(spectrum)
    for memory, tolerance in ((None, 1e-10), (8, 1e-6)):
        found = eigenvalues(a, 5, vectors=True, tolerance=tolerance, memory=memory, budget=2000)
        assert found.converged and found.vectors is not None and found.vectors.shape == (200, 5)
        torch.testing.assert_close(found.vectors.T @ found.vectors, torch.eye(5, dtype=Float))
        residuals = (a @ found.vectors - found.vectors * found.values).norm(dim=0)
        assert (residuals <= found.residuals + 1e-12).all()
        assert (found.residuals <= tolerance * 50).all()


@given(n=st.integers(1, 24), k=st.integers(1, 24), rank=st.integers(0, 24), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_small_matrix_is_known_whole(n: int, k: int, rank: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.randn(n, dtype=Float, generator=generator).round(decimals=1)  # some of them equal
    spectrum[rank:] = 0
    k = min(n, k)
    a = symmetric(spectrum, seed)
    for which in ORDERS:
        found = eigenvalues(a, k, which, seed=seed)
        assert found.converged and len(found.values) == k
        expected = ORDERS[which](ordered(spectrum, which)[:k])
        torch.testing.assert_close(ORDERS[which](found.values), expected, rtol=0, atol=1e-10)
    alone = eigenvalues(a, k, memory=2, budget=40)
    assert within_residuals(alone, spectrum, 1e-10)


@given(
    k=st.integers(1, 6),
    budget=st.integers(1, 70),
    memory=st.sampled_from([None, 2, 12]),
    seed=st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)
def test_a_budget_holds_and_so_does_the_bound(k: int, budget: int, memory: int | None, seed: int):
    spectrum = outlying()
    a = Counted(symmetric(spectrum, 1))
    found = eigenvalues(a, k, budget=budget, memory=memory, seed=seed, tolerance=1e-8)
    assert a.made == found.products <= budget
    assert len(found.values) <= k and (len(found.values) == k or not found.converged)
    assert within_residuals(found, spectrum, 1e-9)


def test_a_matrix_of_one_value():
    found = eigenvalues(2 * torch.eye(100, dtype=Float), 3)
    assert found.converged and found.values.tolist() == pytest.approx([2, 2, 2])
    assert found.products < 40
    once = eigenvalues(2 * torch.eye(100, dtype=Float), 3, memory=2)
    assert once.values.tolist() == pytest.approx([2]) and not once.converged and once.products == 1
    assert eigenvalues(torch.zeros(100, 100), 2).values.tolist() == [0, 0]


def test_it_follows_from_the_seed_alone():
    a = symmetric(outlying())
    before = torch.get_rng_state()
    first, again = eigenvalues(a, 3, seed=4), eigenvalues(a, 3, seed=4)
    assert torch.equal(first.values, again.values) and torch.equal(torch.get_rng_state(), before)


def test_the_recurrence_is_a_quadrature():
    spectrum = outlying()
    a = symmetric(spectrum)
    start = random_direction(a, generator_for(a, 0))
    moments = [float(start @ torch.linalg.matrix_power(a, p) @ start) for p in range(20)]
    recurrence = Recurrence(a, start.clone())
    for _ in range(10):
        recurrence.step()
    nodes, weights, _ = recurrence.ritz()
    for power, moment in enumerate(moments):  # up to the degree 2 · 10 − 1
        assert float((weights * nodes**power).sum()) == pytest.approx(moment, rel=1e-10)


def test_memory_by_itself():
    class Large:
        shape, dtype, device = (10_000_000, 10_000_000), torch.float32, torch.device("cpu")

        def __matmul__(self, v: Tensor) -> Tensor:
            raise NotImplementedError

    large: Symmetric = Large()
    assert room_for(large, None) == 2 and room_for(large, 9) == 9
    assert room_for(torch.zeros(10, 10), None) > 100_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"k": 0}, "k from 1 to 9"),
        ({"k": 10}, "k from 1 to 9"),
        ({"which": "larges"}, "did you mean largest"),
        ({"budget": 0}, "positive budget"),
        ({"tolerance": 0.0}, "positive budget and tolerance"),
        ({"memory": 1}, "at least 2 vectors"),
        ({"memory": 5, "k": 3, "vectors": True}, "at least 6 vectors"),
    ],
)
def test_errors_say_what_to_do(options: dict, says: str):
    with pytest.raises(UsageError, match=says):
        eigenvalues(torch.eye(9), **{"k": 2, **options})


def test_no_matrix():
    with pytest.raises(UsageError, match="square"):
        eigenvalues(torch.zeros(3, 4), 1)
    for memory in (None, 2):
        with pytest.raises(DataError, match="finite products"):
            eigenvalues(torch.full((30, 30), torch.nan), 1, memory=memory)
