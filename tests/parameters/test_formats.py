"""Number formats beside their definition in float64: what they can hold, and that rounding has no bias."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.parameters import formats, noise
from descend.parameters.formats import BLOCK, HIGHEST, LOWEST, Format

SHAPES = [(3, 8), (7, 33), (64, 27), (5, 1000), (1, 32), (33, 4, 3, 3), (2, 64)]
EIGHT = [Format.SIGNED, Format.NON_NEGATIVE]


def chance(shape, step=1, number=0, place="m"):
    """Return noise."""
    index = noise.indices(tuple(shape), torch.device("cpu"))
    return noise.of_place(noise.bits(noise.keys(noise.base(0, step), number), index), place)


def numbers(shape, seed=0):
    """Return numbers of very different sizes from row to row, and within rows."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    rows = torch.randn(shape[0], generator=generator).mul(6).exp().view(-1, *[1] * (len(shape) - 1))
    return x * torch.randn(shape, generator=generator).mul(1.5).exp() * rows


def levels(exponent, form):
    """Return every number above zero that a block can hold, in float64, from the definition in words."""
    # Codes are sixteenths of octaves, evenly spaced within each octave; the last is 2 to the exponent + 1.
    found = []
    for below in range(form.levels):
        octave, sixteenth = divmod(-below, 16)
        found.append(2.0 ** (exponent - 127 + 1 + octave) * (1 + sixteenth / 16))
    return torch.tensor(found[::-1], dtype=torch.float64)


def rows_of(x):
    n, length = formats.rows(tuple(x.shape))
    return x.reshape(n, length)


@pytest.mark.parametrize("form", EIGHT)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_number_goes_to_a_neighbour_with_the_right_odds(form, shape):
    x = numbers(shape)
    if form is Format.NON_NEGATIVE:
        x = x.square()
    random = chance(shape)
    codes, exponents = formats.encoded(x, form, random)
    found = formats.decoded(codes, exponents, form)
    assert codes.shape == x.shape and codes.dtype == exponents.dtype == torch.uint8
    assert exponents.shape == formats.exponents_shape(shape)
    for row, got, e, u in zip(rows_of(x), rows_of(found), exponents, rows_of(random), strict=True):
        for k, exponent in enumerate(e.tolist()):
            block = slice(k * BLOCK, (k + 1) * BLOCK)
            sizes, results = row[block].double().abs(), got[block].double()
            assert exponent == min(max(math.frexp(float(sizes.max()))[1] - 1 + 127, LOWEST), HIGHEST)
            known = torch.cat([torch.zeros(1), levels(exponent, form)])
            place = torch.searchsorted(known, sizes, right=True).clamp_max(len(known) - 1)
            low, high = known[place - 1], known[place]
            share = (noise.upper(u[block], 8).double() + 0.5) / 2**24  # of what lies above, it goes up
            up = (sizes - low) / (high - low) > 1 - share
            if form is Format.SIGNED:
                small = place == 1
                up = torch.where(small, (sizes - low) / (high - low) > share, up)
            else:
                up = torch.where(place == 1, sizes > 0, up)
            wanted = torch.where(up, high, low)
            apart = (results.abs() != wanted) & ((sizes - low) / (high - low) - (1 - share)).abs().gt(1e-4)
            apart &= ((sizes - low) / (high - low) - share).abs().gt(1e-4)
            assert not apart.any()
            assert ((results == 0) | (results.sign() == row[block].sign())).all()


@pytest.mark.parametrize("form", EIGHT)
def test_the_mean_of_many_roundings_is_the_number(form):
    x = numbers((16, 96)).abs() if form is Format.NON_NEGATIVE else numbers((16, 96))
    times = 2000
    total = torch.zeros(x.shape, dtype=torch.float64)
    for step in range(times):
        total += formats.decoded(*formats.encoded(x, form, chance(x.shape, step)), form)
    error = (total / times - x.double()).abs()
    largest = x.abs().view(16, -1, BLOCK).amax(-1, keepdim=True).expand(16, -1, BLOCK).reshape(x.shape)
    least = largest * 2.0 ** (-15 if form is Format.NON_NEGATIVE else -6)
    spacing = torch.maximum(x.abs() / 16, least)
    good = error <= 5.5 * 0.5 * spacing / times**0.5
    if form is Format.NON_NEGATIVE:
        good |= x < least  # what is positive is never rounded to zero
    assert good.all()


def test_what_is_positive_is_never_rounded_to_zero():
    x = torch.cat([torch.ones(4, 1), torch.full((4, 31), 1e-30)], 1)
    for step in range(20):
        found = formats.decoded(
            *formats.encoded(x, Format.NON_NEGATIVE, chance(x.shape, step)), Format.NON_NEGATIVE
        )
        assert (found > 0).all()
        assert found.min() < 4e-5  # sixteen octaves below


@pytest.mark.parametrize("form", EIGHT)
def test_edges(form):
    x = torch.zeros(6, 40)
    x[1], x[2], x[3, 0], x[4, 39], x[5] = 1e-45, 3e38, float("nan"), float("inf"), -1.0
    for step in range(3):
        found = formats.decoded(*formats.encoded(x, form, chance(x.shape, step)), form)
        assert (found[0] == 0).all()
        assert (found[1] >= 0).all() and (found[1] < 1e-32).all()
        assert torch.isfinite(found[2]).all() and (found[2] > 1e38).all()
        assert found[3, :32].isnan().all() and (found[3, 32:] == 0).all()
        assert found[4, 32:].isnan().all() and (found[4, :32] == 0).all()
        assert (found[5] == (-1.0 if form is Format.SIGNED else 0.0)).all()


@pytest.mark.parametrize("form", EIGHT)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 9), length=st.integers(8, 70))
@settings(max_examples=30, deadline=None)
def test_what_can_be_held_is_held(form, seed, rows, length):
    """A second rounding of what came from a first changes nothing, unless the largest of a block went up."""
    x = numbers((rows, length), seed)
    x = x.abs() if form is Format.NON_NEGATIVE else x
    codes, exponents = formats.encoded(x, form, chance(x.shape, 1))
    held = formats.decoded(codes, exponents, form)
    again, after = formats.encoded(held, form, chance(x.shape, 2))
    same = (after == exponents).repeat_interleave(BLOCK, 1)[:, :length]
    assert torch.equal(again[same], codes[same])


def test_bfloat16_is_rounded_without_bias_and_to_a_neighbour():
    x = numbers((50, 40))
    down = (x.view(torch.int32) & -65536).view(torch.float32)
    up = (x.view(torch.int32) + 65535 & -65536).view(torch.float32)
    total = torch.zeros(x.shape, dtype=torch.float64)
    for step in range(500):
        found = formats.rounded(x, chance(x.shape, step)).float()
        assert ((found == down) | (found == up)).all()
        total += found
    step_size = (up - down).abs().double().clamp_min(1e-300)
    assert ((total / 500 - x.double()).abs() / step_size).max() < 0.5 * 5.5 / 500**0.5


def test_bfloat16_holds_what_it_can():
    x = torch.tensor([0.0, 1.0, -2.5, float("inf"), -float("inf"), 3.3895e38]).bfloat16().float()
    for step in range(20):
        assert torch.equal(formats.rounded(x, chance(x.shape, step)).float(), x)
    nan = torch.tensor([0x7F800001, 0x7FFFFFFF, -1], dtype=torch.int32).view(torch.float32)
    assert formats.rounded(nan, chance(nan.shape)).isnan().all()


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
@settings(max_examples=200, deadline=None)
def test_sixteen_correction_bits_lose_nothing(values):
    x = torch.tensor(values, dtype=torch.float32)
    high, rest = formats.split(x, Format.SPLIT16, None)
    assert rest.dtype == torch.int16
    assert torch.equal(formats.joined(high, rest).view(torch.int32), x.view(torch.int32))
    finite = x.isfinite() & (x.abs() < 3.38e38)
    nearest = x.bfloat16()
    apart = (high.double() - x.double()).abs() - (nearest.double() - x.double()).abs()
    assert (apart[finite] == 0).all()  # the model sees the nearest bfloat16


def test_eight_correction_bits_hold_a_sixty_four_thousandth():
    x = numbers((50, 40))
    total = torch.zeros(x.shape, dtype=torch.float64)
    for step in range(500):
        high, rest = formats.split(x, Format.SPLIT8, chance(x.shape, step))
        found = formats.joined(high, rest)
        assert ((found - x).abs() <= x.abs() * 2.0**-15).all()
        total += found
    size = 2.0 ** torch.frexp(x)[1].double() * 2.0**-16  # a digit of 16 bits
    assert ((total / 500 - x.double()).abs() / size).max() < 0.5 * 5.5 / 500**0.5
    nan = torch.tensor([float("nan"), float("inf"), -float("inf")])
    for form in (Format.SPLIT8, Format.SPLIT16):
        again = formats.joined(*formats.split(nan, form, chance(nan.shape)))
        assert again[0].isnan() and torch.equal(again[1:], nan[1:])


def test_small_steps_are_not_lost():
    """A step of a thousandth of a digit, a thousand times: one digit, where rounding to the nearest stays."""
    x = torch.full((1, 4096), 1.0)
    digit = 2.0**-7
    stochastic, nearest = x.bfloat16(), x.bfloat16()
    for step in range(1000):
        stochastic = formats.rounded(stochastic.float() + digit / 1000, chance(x.shape, step))
        nearest = (nearest.float() + digit / 1000).bfloat16()
    assert (nearest == 1).all()
    assert abs(float(stochastic.float().mean() - 1) / digit - 1) < 0.1
