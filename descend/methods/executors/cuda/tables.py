"""What kernels find in device memory: pieces of tensors, addresses, scalars; all made once and kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from descend.methods.executors.cuda import pokes
from descend.methods.executors.cuda.compiled import Words
from descend.methods.executors.cuda.kernels import Kernels
from descend.methods.executors.cuda.writing import BLOCK, TILE, Function

_WORDS = (
    *("n", "blocks", "table", "rows", "numbers", "slots", "shared", "sums", "scale", "found_inf"),
    *("noise", "noises"),
)
_OF_CLASS = ("pieces", "sizes", "starts", "partial", "count")


def upload(values: np.ndarray, into: Tensor) -> None:
    """Send numbers to the device, without waiting for it to have taken them."""
    if into.is_cuda:
        # From memory that the device can read by itself; torch keeps it until the device has.
        waiting = torch.empty(into.shape, dtype=into.dtype, pin_memory=True)
        waiting.numpy()[...] = values
        into.copy_(waiting, non_blocking=True)
    else:
        into.copy_(torch.from_numpy(values))


def sent(values: np.ndarray, device: torch.device) -> Tensor:
    """Return numbers on the device, without waiting for it to have taken them."""
    into = torch.empty(values.shape, dtype=torch.from_numpy(values).dtype, device=device)
    upload(values, into)
    return into


class Cut:
    """Tensors of one shape class, cut into pieces.

    Args:
        sizes: how many elements each tensor has.
        sums: how many sums there are.
        device: where to.
    """

    def __init__(self, sizes: Sequence[int], sums: int, device: torch.device):
        self.sizes = list(sizes)
        lengths = np.array(self.sizes, dtype=np.int64)
        # An empty tensor has an empty piece, so that its sums are zero.
        pieces = np.maximum((lengths + TILE - 1) // TILE, 1)
        starts = np.concatenate([[0], np.cumsum(pieces)])
        self.count = int(starts[-1])
        tensor = np.repeat(np.arange(len(pieces)), pieces)
        tile = np.arange(self.count) - starts[tensor]
        self.tensors = {
            "pieces": sent(tile << 32 | tensor, device),
            "sizes": sent(lengths, device),
            "starts": sent(starts, device),
        }
        if sums:
            self.tensors["partial"] = torch.empty((sums, self.count), dtype=torch.float64, device=device)


class Layout:
    """The tables of tensors of some sizes, and the words that tell kernels where they are.

    Args:
        sizes: how many elements each tensor has.
        kernels: what is to be launched with them.
        device: where to.
    """

    def __init__(self, sizes: Sequence[int], kernels: Kernels, device: torch.device):
        self.device, n = device, len(sizes)
        asked = [f"q{k}" for k in range(len(kernels.hyperparameters))]
        names = [*_WORDS, *asked, *(f"{what}_{name}" for name in kernels.classes for what in _OF_CLASS)]
        self.words = words = Words(names, len(kernels.hosts))
        self._sums = len(kernels.stages.sums)
        self.cuts: dict[str, Cut] = {}
        self.cut("w", sizes)

        def doubles(*shape: int) -> Tensor:
            return torch.empty(shape, dtype=torch.float64, device=device)

        self.slots, self.shared = doubles(max(len(kernels.slots), 1), n), doubles(max(len(kernels.shared), 1))
        self.sums = doubles(max(self._sums, 1), n)
        self.aside = doubles(max(len(kernels.into), 1))  # numbers for all that must wait for other jobs
        self._counted: tuple[Tensor, Tensor] | None = None
        self._before: np.ndarray | None = None  # what the device knew when a capture began
        self._first: np.ndarray | None = None  # the rows that its first send sent
        self._stream = 0
        self.columns = np.zeros((kernels.columns, n), dtype=np.int64)
        self._known = np.full_like(self.columns, -1)
        self.table = torch.empty(self.columns.shape, dtype=torch.int64, device=device)
        words["n"], words["blocks"] = n, -(-n // BLOCK)
        for name in ("table", "slots", "shared", "sums"):
            words[name] = getattr(self, name).data_ptr()

    def cut(self, name: str, sizes: Sequence[int]) -> None:
        """Have the pieces of a shape class ready."""
        found = self.cuts.get(name)
        if found is None or found.sizes != list(sizes):
            found = self.cuts[name] = Cut(sizes, self._sums, self.device)
            for what, tensor in found.tensors.items():
                self.words[f"{what}_{name}"] = tensor.data_ptr()
            self.words[f"count_{name}"] = found.count

    def programs(self, function: Function) -> int:
        """Return how many programs of a kernel are launched."""
        programs = function.programs
        return self.words[programs] if isinstance(programs, str) else programs

    def send(self) -> None:
        """Send the addresses that are others than the device knows."""
        changed = np.flatnonzero((self.columns != self._known).any(axis=1))
        if self._before is not None:
            if self._first is None:
                self._first = changed
            self._poke(changed)
            return
        if not len(changed):
            return
        first, stop = int(changed[0]), int(changed[-1]) + 1
        upload(self.columns[first:stop], self.table[first:stop])
        self._known[first:stop] = self.columns[first:stop]

    # A step that a CUDA graph replays ---------------------------------------------------------------
    def count(self, hosts: int) -> None:
        """Have memory for host scalars that are computed on the device, a row a tensor."""
        if self._counted is None:
            n = self.columns.shape[1]
            numbers = torch.empty(n * max(hosts, 1), dtype=torch.float64, device=self.device)
            noises = torch.empty(n, dtype=torch.int64, device=self.device)
            self._counted = numbers, noises
        for name, tensor in zip(("numbers", "noises"), self._counted, strict=True):
            self.words[name] = tensor.data_ptr()

    def begin_capture(self, stream: int) -> None:
        """Send what is sent from now on as part of the graph."""
        self._before, self._first, self._stream = self._known.copy(), None, stream

    def end_capture(self) -> None:
        """Leave the table as the next replay is to find it: as it was, but for what it sends at first."""
        if self._before is not None and self._first is not None:
            moved = np.flatnonzero((self._known != self._before).any(axis=1))
            moved = np.setdiff1d(moved, self._first)
            self.columns[moved] = self._before[moved]
            self._poke(moved)
        self._before = None

    def _poke(self, changed: np.ndarray) -> None:
        for row in changed:
            pokes.poke(self.columns[row], self.table[row], self._stream)
            self._known[row] = self.columns[row]

    def aligned(self, rows: Sequence[int]) -> bool:
        """Whether every address in these rows is a multiple of 16 bytes."""
        return not int(np.bitwise_or.reduce(self.columns[rows], axis=None)) & 15

    def set_rows(self, rows: Sequence[int], numbers: Sequence[Sequence[float]]) -> None:
        """Set the host scalars of tensors of several step counts."""
        self._rows = sent(np.array(rows, dtype=np.int64), self.device)
        self._numbers = sent(np.array(numbers, dtype=np.float64).reshape(-1), self.device)
        self.words["rows"], self.words["numbers"] = self._rows.data_ptr(), self._numbers.data_ptr()
