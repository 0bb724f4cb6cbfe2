"""Number formats: how parameters, and what is kept for them, are stored in fewer bits than float32.

* **bfloat16 with stochastic rounding**: up or down with the odds that make the mean exact, so that steps far
  smaller than a digit are not lost but taken now and then.
* **eight bits**: a sign (not for what is never negative), an exponent and a mantissa of four bits for each
  number, beside one exponent for each block of 32 numbers of a row, that of the block's largest. The steps
  between codes are a sixteenth to a thirty-second of a number's own size, wherever in the block's range of
  8 octaves (16 where there is no sign) it lies. Rounded stochastically; but what is positive and has no
  sign is never rounded to zero, for quotients by √v must not explode.
* **bfloat16 and correction bits**: a parameter's float32 value, cut in two: the bfloat16 that the model
  computes with, the nearest one, and the rest, 16 bits (nothing is lost) or 8 (rounded stochastically),
  which the optimizer keeps.

All are computed by integer arithmetic on the bits of float32, the same in every executor: equal values give
equal codes, bit for bit. Sources: Gupta et al. 2015, arXiv:1502.02551 (stochastic rounding); Dettmers et al.
2022, arXiv:2110.02861 (eight-bit blocks with exponents of their own); Zamirai et al. 2020, arXiv:2010.06192
(correction of bfloat16 weights). ``docs/decisions.md`` says how the codes were chosen.
"""

from collections.abc import Mapping
from enum import Enum

import torch
from torch import Tensor

from descend.parameters import noise

BLOCK = 32
"""Numbers that share an exponent: of one row, so that sharding by rows cuts no block."""

SHIFT = 19
"""Bits of a float32 mantissa that an eight-bit code leaves out: four of 23 remain."""

LEAST_ROW = 8
"""Rows shorter than this are not worth an exponent."""

LOWEST, HIGHEST, NOT_FINITE = 16, 253, 255
"""The least and the largest exponent of a block, biased as in float32; that of a block with an ∞ or NaN."""

_EXPONENT = 0x7F800000
_MAGNITUDE = 0x7FFFFFFF


class Format(Enum):
    """How a place is stored; the number is the count of codes above zero of the eight-bit ones."""

    STOCHASTIC = "bfloat16"
    SIGNED = 127
    NON_NEGATIVE = 255
    SPLIT16 = "bfloat16+16"
    SPLIT8 = "bfloat16+8"

    @property
    def levels(self) -> int:
        """How many codes above zero an eight-bit format has."""
        return int(self.value)

    @property
    def coded(self) -> bool:
        """Whether it is one of the eight-bit formats, whose blocks have an exponent beside."""
        return self in (Format.SIGNED, Format.NON_NEGATIVE)

    @property
    def split(self) -> bool:
        """Whether it has correction bits beside."""
        return self in (Format.SPLIT8, Format.SPLIT16)


BESIDE: Mapping[Format, torch.dtype] = {
    Format.SIGNED: torch.uint8,
    Format.NON_NEGATIVE: torch.uint8,
    Format.SPLIT16: torch.int16,
    Format.SPLIT8: torch.int8,
}
"""The dtype of what a format keeps beside its place: exponents of blocks, or correction bits."""


def beside(place: str) -> str:
    """Return the name of what a place has beside it: correction bits of ``w``, exponents of what is kept."""
    return "w:correction" if place == "w" else f"{place}:exponents"


def rows(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return a tensor's rows and their length: a matrix (out, rest) of a weight of any order."""
    if len(shape) < 2:
        return 1, torch.Size(shape).numel()
    return shape[0], torch.Size(shape[1:]).numel()


def codable(shape: tuple[int, ...]) -> bool:
    """Whether eight bits are for tensors of this shape: vectors and short rows stay in float32."""
    return len(shape) >= 2 and rows(shape)[1] >= LEAST_ROW and shape[0] > 0


def exponents_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the shape of the exponents of a tensor's blocks: (rows, blocks of a row)."""
    n, length = rows(shape)
    return n, -(-length // BLOCK)


# Rounding ------------------------------------------------------------------------------------------
def rounded(x: Tensor, random: Tensor) -> Tensor:
    """Round float32 to bfloat16, up or down by chance.

    Args:
        x: float32.
        random: 32 random bits for each element, as int32.
    """
    return _upper_half(x.view(torch.int32), noise.upper(random, 16))


def _upper_half(a: Tensor, more: Tensor | int) -> Tensor:
    """Return the upper half of float32's bits, with something added to what is finite, as bfloat16."""
    other = torch.where((a & _MAGNITUDE) > _EXPONENT, a | 0x400000, a)  # what is not a number stays none
    return (torch.where(_finite(a), a + more, other) >> 16).to(torch.int16).view(torch.bfloat16)


def _finite(a: Tensor) -> Tensor:
    return (a & _EXPONENT) != _EXPONENT


def split(x: Tensor, form: Format, random: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cut float32 into the nearest bfloat16 and its correction bits.

    Args:
        x: float32.
        form: with 16 correction bits, or with 8.
        random: 32 random bits for each element, as int32; of no use with 16.
    """
    a = x.view(torch.int32)
    if form is Format.SPLIT8:
        assert random is not None
        a = torch.where(_finite(a), (a + noise.upper(random, 24)) & -256, a)
    # Halves are rounded away from zero, so that 16 signed bits hold every rest.
    high = _upper_half(a, 0x8000)
    rest = torch.where(_finite(a), a - (high.view(torch.int16).to(torch.int32) << 16), 0)
    return high, rest.to(torch.int16) if form is Format.SPLIT16 else (rest >> 8).to(torch.int8)


def joined(high: Tensor, rest: Tensor) -> Tensor:
    """Return the float32 of a bfloat16 and its correction bits."""
    shift = 8 if rest.dtype == torch.int8 else 0
    a = (high.view(torch.int16).to(torch.int32) << 16) + (rest.to(torch.int32) << shift)
    return a.view(torch.float32)


# Eight bits ----------------------------------------------------------------------------------------
def encoded(x: Tensor, form: Format, random: Tensor) -> tuple[Tensor, Tensor]:
    """Store float32 in eight bits.

    Args:
        x: float32, of a shape that is :func:`codable`.
        form: with or without a sign.
        random: 32 random bits for each element, as int32, of the shape of ``x``.

    Returns:
        The codes, uint8 in the shape of ``x``; and the exponents of the blocks, uint8.
    """
    n, length = rows(tuple(x.shape))
    a, h = (_in_blocks(t.reshape(n, length)) for t in (x.contiguous().view(torch.int32), random))
    negative = a < 0
    if form is Format.NON_NEGATIVE:
        a = a.clamp_min(0)
    a = a & _MAGNITUDE
    found = a.amax(-1, keepdim=True) >> 23
    exponent = torch.where(found == NOT_FINITE, NOT_FINITE, found.clamp(LOWEST, HIGHEST))
    least = _least(exponent, form)
    code = (((a - least) + noise.upper(h, 32 - SHIFT)) >> SHIFT) + 1
    if form is Format.NON_NEGATIVE:
        small = (a > 0).to(torch.int32)
    else:
        chance = noise.upper(h, 8).to(torch.float32) * least.view(torch.float32)
        small = (a.view(torch.float32) * 2.0**24 > chance).to(torch.int32)
    code = torch.where(a < least, small, code.clamp_max(form.levels))
    if form is Format.SIGNED:
        code = code | torch.where(negative, 0x80, 0)
    codes = code.to(torch.uint8).view(n, -1)[:, :length].reshape(x.shape).contiguous()
    return codes, exponent.to(torch.uint8).view(n, -1)


def decoded(codes: Tensor, exponents: Tensor, form: Format) -> Tensor:
    """Return the float32 of codes and exponents of blocks."""
    n, length = rows(tuple(codes.shape))
    code = _in_blocks(codes.reshape(n, length)).to(torch.int32)
    exponent = exponents.reshape(n, -1, 1).to(torch.int32)
    level = code & 0x7F if form is Format.SIGNED else code
    a = torch.where(level == 0, 0, _least(exponent, form) + ((level - 1) << SHIFT))
    a = torch.where(exponent == NOT_FINITE, 0x7FC00000, a)
    x = a.view(torch.float32)
    if form is Format.SIGNED:
        x = torch.where(code > 0x7F, -x, x)
    return x.view(n, -1)[:, :length].reshape(codes.shape)


def _least(exponent: Tensor, form: Format) -> Tensor:
    """Return the bits of the least number above zero of a block: the last code is 2 to the exponent + 1."""
    exponent = exponent.clamp_max(HIGHEST)
    return ((exponent + 1) << 23) - ((form.levels - 1) << SHIFT)


def _in_blocks(x: Tensor) -> Tensor:
    """Cut rows into blocks, the last one of each filled with zeros."""
    missing = -x.shape[1] % BLOCK
    if missing:
        x = torch.nn.functional.pad(x, (0, missing))
    return x.view(x.shape[0], -1, BLOCK)
