"""One kernel under construction: what every kernel's text is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from descend.methods.executors.cuda.words import Text
from descend.methods.trace import Host

if TYPE_CHECKING:
    from descend.methods.executors.cuda.kernels import Kernels

TILE = 1024
"""Elements of one piece: with 4 warps two loads of 128 bits of float32 a thread and place."""
WARPS = 4
BLOCK = 128
"""Tensors whose scalars one program computes side by side, and partial sums that are added at once."""

STORED = {
    torch.float32: "tl.float32",
    torch.float64: "tl.float64",
    torch.bfloat16: "tl.int16",  # taken by its bits, which the interpreter cannot round by itself
    torch.float16: "tl.float16",
}


@dataclass(frozen=True)
class Variant:
    """Which form of the kernels a step needs.

    Attributes:
        aligned: whether every place of every tensor begins at a multiple of 16 bytes.
        one_row: whether all tensors have one step count. Then host scalars are parameters, which a launch
            takes along by itself; else they are a table, which has to be sent to the device before.
        alone: whether a job's totals are the whole totals.
        scaled: whether gradients come multiplied by a scale, and may be found to be infinite.
        counted: where steps are counted on the device, how each hyperparameter lies there; ``""`` for a plain
            number. Host scalars are then computed there, a row a tensor.
    """

    aligned: bool = True
    one_row: bool = True
    alone: bool = True
    scaled: bool = False
    counted: tuple[str, ...] | None = None


@dataclass
class Function:
    """A kernel.

    Attributes:
        name: of the function.
        text: Triton's.
        parameters: the names of its words, in order.
        programs: how many are launched: the name of a count, or a number.
    """

    name: str
    text: str
    parameters: list[str]
    programs: str | int


class Writer:
    """One kernel under construction: its text and the words that it is given."""

    def __init__(self, kernels: Kernels, p: int, variant: Variant):
        self.kernels, self.stages, self.p, self.variant = kernels, kernels.stages, p, variant
        self.wide = kernels.kind == torch.float64
        self.text = Text()
        self.parameters: list[str] = []
        if variant.scaled:  # found to be infinite: nothing moves
            self.text.do(f"if tl.load({self.address('found_inf', 'tl.float32')}) != 0:")
            self.text.do("    return")

    def parameter(self, name: str) -> str:
        """Return a word that the kernel is given."""
        if name not in self.parameters:
            self.parameters.append(name)
        return name

    def address(self, name: str, kind: str = "tl.float64") -> str:
        """Return an address that the kernel is given."""
        return f"{self.parameter(name)}.to(tl.pointer_type({kind}))"

    def entry(self, row: int, t: str, mask: str = "") -> str:
        """Return the address of a place of tensor ``t``, as a number."""
        masked = f", mask={mask}, other=0" if mask else ""
        return f"tl.load({self.address('table', 'tl.int64')} + ({row} * {self.parameter('n')} + {t}){masked})"

    def number(self, text: Text, host: Host, row: str | None) -> str:
        """Load a host scalar in double: a parameter, or from the table of rows."""
        k = self.kernels.host(host)
        if row is None:
            return text.new(f"{self.parameter(f'h{k}')}.to(tl.int64).to(tl.float64, bitcast=True)")
        columns = len(self.kernels.hosts)
        return text.new(f"tl.load({self.address('numbers')} + ({row} * {columns} + {k}))")

    def row(self, inside: str = "") -> None:
        """Write which row of the table of host scalars tensor ``t`` has, where there is such a table."""
        if self.variant.counted is not None:
            self.text.do("row = t")
        elif not self.variant.one_row:
            self.text.do(f"row = tl.load({self.address('rows', 'tl.int64')} + t{inside})")

    def opened(self, place: str, loaded: str, kind: str) -> str:
        """Return what makes numbers of this kind of what was loaded from a place."""
        if self.kernels.formats.get(place) is torch.bfloat16:  # the upper half of a float32
            loaded = f"({loaded}.to(tl.int32) << 16).to(tl.float32, bitcast=True)"
        return f"{loaded}.to({kind})"

    def closed(self, place: str, x: str) -> str:
        """Return what makes of a number that which is stored in a place, rounded once, to even."""
        if self.kernels.formats.get(place) is not torch.bfloat16:
            return f"({x}).to({self.kernels.stored(place)})"
        narrow = self.text.new(f"({x}).to(tl.float32)")
        bits = self.text.new(f"{narrow}.to(tl.int32, bitcast=True)")
        rounded = f"(({bits} + (({bits} >> 16) & 1) + 0x7FFF) >> 16)"
        return f"tl.where({narrow} != {narrow}, 0x7FC0, {rounded}).to(tl.int16)"

    def finished(self, name: str, programs: str | int) -> Function:
        """Put the function together."""
        head = f"def {name}({', '.join(self.parameters)}):"
        if not self.text.lines:  # totals alone, which come from elsewhere
            self.text.do("pass")
        return Function(name, "\n".join([head, *self.text.lines, ""]), self.parameters, programs)
