"""Noise from counters: what it is keyed by, and that it looks like chance."""

import itertools

import pytest
import torch

from descend.parameters import noise

N = 1 << 18
PLACES = ["w", "m", "v", "peak", "before", "slow", "pulls", "mean"]


def drawn(seed=0, step=1, number=0, place="w", count=N):
    """Return the upper 24 bits of some elements' noise."""
    index = noise.indices((count,), torch.device("cpu"))
    random = noise.bits(noise.keys(noise.base(seed, step), number), index)
    return noise.upper(noise.of_place(random, place), 8)


def test_bits_are_those_of_the_definition():
    """In plain integers, one element after the other."""
    key, mask = noise.keys(noise.base(7, 3), 5), 0xFFFFFFFF
    index = torch.tensor([0, 1, 2, 999, 2**31 - 1, -1], dtype=torch.int32)
    for i, found in zip(index.tolist(), noise.bits(key, index).tolist(), strict=True):
        x = ((i & mask) * noise.STRIDE + key[0]) & mask
        x = ((x ^ (x >> 16)) * noise.FIRST) & mask
        x = ((x ^ (x >> 15) ^ key[1]) * noise.SECOND) & mask
        assert found & mask == x ^ (x >> 16)


def test_it_stays_what_it_is():
    """Runs of another day resume on the same bits."""
    assert noise.base(0, 1) == (0x776902BA, 0x5CC60547)
    assert noise.keys(noise.base(0, 1), 0) == (0x4904A147, 0x773CCBDD)
    assert drawn(count=3).tolist() == drawn(count=100)[:3].tolist()


def uniform(counts):
    """Whether counts of equally likely cells are as chance would have them, but for one case in 10⁶."""
    expected = counts.sum() / counts.numel()
    found = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.numel() - 1
    return abs(found - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("place", PLACES)
def test_every_value_is_equally_likely(place):
    assert uniform(torch.bincount(drawn(place=place) >> 16, minlength=256).double())


def pairs():
    yield from (
        (f"{p} and {q}", drawn(place=p), drawn(place=q)) for p, q in itertools.combinations(PLACES, 2)
    )
    for a, b in ((1, 2), (1, 3), (10, 11), (999, 1000)):
        yield f"steps {a} and {b}", drawn(step=a), drawn(step=b)
        yield f"parameters {a} and {b}", drawn(number=a), drawn(number=b)
        yield f"seeds {a} and {b}", drawn(seed=a), drawn(seed=b)
    for lag in (1, 2, 3, 16, 32, 768, 4096):
        x = drawn(count=N + lag)
        yield f"elements {lag} apart", x[:-lag], x[lag:]


@pytest.mark.parametrize(("_name", "x", "y"), [pytest.param(*case, id=case[0]) for case in pairs()])
def test_nothing_foretells_anything_else(_name, x, y):
    """Two places, steps, parameters, seeds or elements: all 256 pairs of sixteenths are equally likely."""
    assert uniform(torch.bincount((x >> 20) * 16 + (y >> 20), minlength=256).double())
