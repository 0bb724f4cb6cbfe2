"""Noise from counters: the same number for the same place, whoever asks, in whatever order.

What is rounded stochastically needs a random number for each number stored. A generator with a state would
tie the result to the order of the work, the sharding and the device. Here it is a hash of what is rounded:
seed, step, parameter, and the element's index in the whole parameter. So a step gives the same bits on one
process or eight, in one pass or many, and after a resume.

:func:`base` and :func:`keys` are computed on the host, once a step and once a tensor; :func:`bits` is what
every executor computes for each element, in 32-bit arithmetic that wraps, and :func:`of_place` what it takes
from that for each place (``w``, ``m``, ...) of the element: one hash serves them all.
"""

from functools import cache
from zlib import crc32

import torch
from torch import Tensor

STRIDE = 0x9E3779B1
"""What the index is multiplied by: the golden ratio's share of 2³², odd."""
FIRST, SECOND = 0x7FEB352D, 0x846CA68B
"""Multipliers of the hash ``lowbias32`` (Wellons 2018), whose bits come out nearly without bias."""

STEP, START = 0x9E3779B97F4A7C15, 0x632BE59BD9B4E019
SEED = 0xD1342543DE82EF95
THIRD, FOURTH = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""What the words of a step begin with: multipliers of step and seed, and those of splitmix64."""

_32 = 0xFFFFFFFF
_64 = 0xFFFFFFFFFFFFFFFF


def mixed(x: int) -> int:
    """Return a 32-bit hash of 32 bits."""
    x = ((x ^ (x >> 16)) * FIRST) & _32
    x = ((x ^ (x >> 15)) * SECOND) & _32
    return x ^ (x >> 16)


def base(seed: int, step: int) -> tuple[int, int]:
    """Return the two words that all noise of a step begins with (splitmix64)."""
    x = (seed * SEED + step * STEP + START) & _64
    x = ((x ^ (x >> 30)) * THIRD) & _64
    x = ((x ^ (x >> 27)) * FOURTH) & _64
    x ^= x >> 31
    return x & _32, x >> 32


def base_word(seed: int, step: int) -> int:
    """Return both words of :func:`base` in one of 64 bits, with a sign."""
    low, high = base(seed, step)
    return _signed_word(low | high << 32)


def start_word(seed: int) -> int:
    """Return what :func:`base` adds the step to, in a word of 64 bits with a sign."""
    return _signed_word((seed * SEED + START) & _64)


def _signed_word(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


@cache
def name_word(place: str) -> int:
    """Return the word of a place's name, odd."""
    return crc32(place.encode()) | 1


def keys(base: tuple[int, int], number: int) -> tuple[int, int]:
    """Return the two keys of a tensor.

    Args:
        base: of the step.
        number: of the parameter, among those of the optimizer.
    """
    first = mixed(base[0] ^ mixed((number * STRIDE) & _32))
    return first, mixed((base[1] + first) & _32)


def bits(key: tuple[int, int], index: Tensor) -> Tensor:
    """Return 32 random bits for each element, as int32.

    Args:
        key: of the tensor.
        index: the elements' indices in the whole parameter, as int32; above 2³² they repeat.
    """
    x = index * _signed(STRIDE) + _signed(key[0])
    x = (x ^ upper(x, 16)) * _signed(FIRST)
    x = (x ^ upper(x, 15) ^ _signed(key[1])) * _signed(SECOND)
    return x ^ upper(x, 16)


def of_place(random: Tensor, place: str) -> Tensor:
    """Return the random bits of one place, whose upper ones are to be used, from those of its element.

    Args:
        random: from :func:`bits`.
        place: its name: ``w``, or that of what is kept.
    """
    return random * _signed(name_word(place))


def upper(x: Tensor, shift: int) -> Tensor:
    """Shift int32 to the right as if it had no sign."""
    return (x >> shift) & ((1 << (32 - shift)) - 1)


def _signed(x: int) -> int:
    return x - (1 << 32) if x >= 1 << 31 else x


def indices(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the index of each element of a whole tensor, as int32 that wraps."""
    count = 1
    for n in shape:
        count *= n
    if count < 1 << 31:
        return torch.arange(count, dtype=torch.int32, device=device).view(shape)
    return torch.arange(count, device=device).to(torch.int32).view(shape)
