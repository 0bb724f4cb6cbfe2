"""Number formats in Triton's text: numbers are opened as they are loaded, and rounded as they are stored.

The same integer arithmetic on the bits of float32 as :mod:`descend.parameters.formats`, whose results these
are, bit for bit. Where a place is in eight bits, a tile is 32 blocks of 32 numbers, side by side: that is so
where rows are a multiple of 32 long, or where there is but one (:func:`in_flat_blocks`).
"""

from __future__ import annotations

from descend.methods.executors.cuda.words import Text
from descend.methods.executors.cuda.writing import TILE
from descend.parameters import noise
from descend.parameters.formats import BLOCK, HIGHEST, LOWEST, NOT_FINITE, SHIFT, Format, rows

EXPONENT, MAGNITUDE, QUIET = 0x7F800000, 0x7FFFFFFF, 0x7FC00000
"""The exponent's bits of a float32, which are all set in what is not finite; all but the sign; a NaN."""

BITS = {
    Format.STOCHASTIC: "tl.int16",
    Format.SPLIT8: "tl.int16",
    Format.SPLIT16: "tl.int16",
    Format.SIGNED: "tl.uint8",
    Format.NON_NEGATIVE: "tl.uint8",
}
"""How an element lies in memory."""

BESIDE = {
    Format.SPLIT8: "tl.int8",
    Format.SPLIT16: "tl.int16",
    Format.SIGNED: "tl.uint8",
    Format.NON_NEGATIVE: "tl.uint8",
}
"""How that lies in memory which a format has beside: correction bits, or exponents."""


def in_flat_blocks(shape: tuple[int, ...]) -> bool:
    """Whether no block of a tensor is cut short by the end of a row, but for the last one."""
    n, length = rows(shape)
    return n <= 1 or length % BLOCK == 0


# Noise ---------------------------------------------------------------------------------------------
def _mixed(text: Text, x: str) -> str:
    """Hash 32 bits, as :func:`.noise.mixed`."""
    x = text.new(f"({x} ^ ({x} >> 16)) * {noise.FIRST}")
    x = text.new(f"({x} ^ ({x} >> 15)) * {noise.SECOND}")
    return text.new(f"{x} ^ ({x} >> 16)")


def keys(text: Text, base: str, number: str, offset: str) -> tuple[str, str]:
    """Return two keys as :func:`.noise.keys`, but for indices that are counted from some element on.

    Args:
        text: the function.
        base: the two words of the step in one, of 64 bits.
        number: of the parameter.
        offset: that element's index in the whole parameter.
    """
    low, high = text.new(f"({base}).to(tl.uint32)"), text.new(f"(({base}) >> 32).to(tl.uint32)")
    own = _mixed(text, text.new(f"({number}).to(tl.uint32) * {noise.STRIDE}"))
    first = _mixed(text, text.new(f"{low} ^ {own}"))
    second = _mixed(text, text.new(f"{high} + {first}"))
    return text.new(f"({offset}).to(tl.uint32) * {noise.STRIDE} + {first}"), second


def random(text: Text, key: tuple[str, str]) -> str:
    """Return 32 random bits for each element ``i`` of a tile, as :func:`.noise.bits`."""
    x = text.new(f"i.to(tl.uint32) * {noise.STRIDE} + {key[0]}")
    x = text.new(f"({x} ^ ({x} >> 16)) * {noise.FIRST}")
    x = text.new(f"({x} ^ ({x} >> 15) ^ {key[1]}) * {noise.SECOND}")
    return text.new(f"{x} ^ ({x} >> 16)")


def of_place(text: Text, bits: str, place: str) -> str:
    """Return the random bits of a place, as :func:`.noise.of_place`."""
    return text.new(f"{bits} * {noise.name_word(place)}")


def _upper(x: str, shift: int) -> str:
    return f"({x} >> {shift}).to(tl.int32)"


# Opening -------------------------------------------------------------------------------------------
def opened(text: Text, form: Format, loaded: str, rest: str | None) -> str:
    """Return the float32 numbers of what was loaded.

    Args:
        text: the function.
        form: the format.
        loaded: a tile of the place.
        rest: its correction bits, or the exponents of its blocks.
    """
    if form.coded:
        return _decoded(text, form, loaded, rest or "")
    x = text.new(f"{loaded}.to(tl.int32) << 16")
    if rest is not None:
        rest = f"{rest}.to(tl.int32)"
        x = text.new(f"{x} + ({f'{rest} << 8' if form is Format.SPLIT8 else rest})")
    return f"{x}.to(tl.float32, bitcast=True)"


def _decoded(text: Text, form: Format, loaded: str, exponents: str) -> str:
    code = text.new(f"{loaded}.to(tl.int32)")
    exponent = text.new(f"{exponents}.to(tl.int32)")
    level = text.new(f"{code} & 0x7F") if form is Format.SIGNED else code
    least = text.new(f"tl.where({exponent} == {NOT_FINITE}, {QUIET}, {_least(exponent, form)})")
    least = _of_blocks(text, least)
    a = text.new(f"{least} + (({level} - 1) << {SHIFT})")
    # No finite block's least number has the bits of the NaN.
    a = text.new(f"tl.where({least} == {QUIET}, {QUIET}, tl.where({level} == 0, 0, {a}))")
    if form is Format.SIGNED:
        a = text.new(f"{a} | (({code} & 0x80) << 24)")
    return f"{a}.to(tl.float32, bitcast=True)"


def _least(exponent: str, form: Format) -> str:
    """Return the bits of the least number above zero of a block: the last code is 2 to the exponent + 1."""
    return f"((tl.minimum({exponent}, {HIGHEST}) + 1) << 23) - {(form.levels - 1) << SHIFT}"


def _of_blocks(text: Text, x: str) -> str:
    """Return a number of each block as one of each element."""
    return text.new(f"tl.reshape(tl.broadcast_to({x}[:, None], ({TILE // BLOCK}, {BLOCK})), ({TILE},))")


# Closing -------------------------------------------------------------------------------------------
def closed(text: Text, form: Format, x: str, bits: str | None, mask: str) -> tuple[str, str | None]:
    """Return what is to be stored for float32 numbers: in the place, and beside it.

    Args:
        text: the function.
        form: the format.
        x: the numbers.
        bits: random bits of the place; of no use with 16 correction bits.
        mask: which elements there are; empty for all.
    """
    a = text.new(f"({x}).to(tl.float32).to(tl.int32, bitcast=True)")
    if form.coded:
        return _encoded(text, form, a, bits or "", mask)
    if form is Format.STOCHASTIC:
        return f"{_upper_half(text, a, _upper(bits or '', 16))[0]}.to(tl.int16)", None
    if form is Format.SPLIT8:
        raised = f"({a} + {_upper(bits or '', 24)}) & -256"
        a = text.new(f"tl.where(({a} & {EXPONENT}) != {EXPONENT}, {raised}, {a})")
    # Halves are rounded away from zero, so that 16 signed bits hold every rest.
    high, finite = _upper_half(text, a, str(0x8000))
    rest = text.new(f"tl.where({finite}, {a} - ({high} << 16), 0)")
    rest = f"({rest} >> 8).to(tl.int8)" if form is Format.SPLIT8 else f"{rest}.to(tl.int16)"
    return f"{high}.to(tl.int16)", rest


def _upper_half(text: Text, a: str, more: str) -> tuple[str, str]:
    """Return the upper half of bits with something added to what is finite, and what that is."""
    finite = text.new(f"({a} & {EXPONENT}) != {EXPONENT}")
    none = f"({a} & {MAGNITUDE}) > {EXPONENT}"  # what is not a number stays none
    return text.new(f"tl.where({finite}, {a} + {more}, tl.where({none}, {a} | 0x400000, {a})) >> 16"), finite


def _encoded(text: Text, form: Format, a: str, bits: str, mask: str) -> tuple[str, str]:
    signed = form is Format.SIGNED
    if mask:
        a = text.new(f"tl.where({mask}, {a}, 0)")
    sign = text.new(f"({a} >> 24) & 0x80") if signed else ""
    a = text.new(f"{a} & {MAGNITUDE}" if signed else f"tl.maximum({a}, 0)")
    found = text.new(f"tl.max(tl.reshape({a}, ({TILE // BLOCK}, {BLOCK})), axis=1) >> 23")
    clamped = f"tl.minimum(tl.maximum({found}, {LOWEST}), {HIGHEST})"
    exponent = text.new(f"tl.where({found} == {NOT_FINITE}, {NOT_FINITE}, {clamped})")
    least = _of_blocks(text, text.new(_least(exponent, form)))
    code = text.new(f"((({a} - {least}) + {_upper(bits, 32 - SHIFT)}) >> {SHIFT}) + 1")
    if signed:
        chance = f"{_upper(bits, 8)}.to(tl.float32) * {least}.to(tl.float32, bitcast=True)"
        small = text.new(f"({a}.to(tl.float32, bitcast=True) * {2.0**24}) > ({chance})")
    else:
        small = text.new(f"{a} > 0")
    code = text.new(f"tl.where({a} < {least}, {small}.to(tl.int32), tl.minimum({code}, {form.levels}))")
    if signed:
        code = text.new(f"{code} | {sign}")
    return f"{code}.to(tl.uint8)", f"{exponent}.to(tl.uint8)"
