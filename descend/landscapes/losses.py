"""The loss at many points: on one and the same examples, as fast as the machine can.

Points are computed one after the other, or several at once (``vmap``); with the examples in one piece, or in
pieces that stay in the processor's cache; on one worker that shares each operation among all cores, or on as
many workers as there are cores. What is fastest depends on the function: the first points are computed in all
of these ways, and the others as was fastest.
"""

import copy
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from descend.functions.data import Batch
from descend.functions.measures import cross_entropy
from descend.functions.problem import Problem
from descend.landscapes.shortcuts import Place, Shortcuts, layers_with_one_input
from descend.landscapes.vectors import Layout

FEW = 48
"""Points below which nothing is measured."""
STACKED = 256 << 20
"""Bytes that the parameters of points computed at once may take."""
PIECES = (256, 64)
STACKS = (8, 32)
CROSS_ENTROPIES = (cross_entropy, F.cross_entropy)
MANY_CLASSES = 128
"""Classes of which the softmax is taken row by row."""


@dataclass(frozen=True)
class Pace:
    """How points are computed.

    Attributes:
        stack: points at once.
        rows: examples at once; ``None`` for all.
        workers: threads that compute points, each alone; 1 shares each operation among all cores.
        shortcuts: whether layers that see the same input at every point are looked up
            (:mod:`descend.landscapes.shortcuts`).
        channels_last: whether pictures lie in memory pixel by pixel: torch pools them many times as fast.
    """

    stack: int = 1
    rows: int | None = None
    workers: int = 1
    shortcuts: bool = False
    channels_last: bool = False

    def __str__(self) -> str:
        points = f"{self.stack} points at once" if self.stack > 1 else "point by point"
        rows = "" if self.rows is None else f", {self.rows} examples at once"
        workers = f", {self.workers} workers" if self.workers > 1 else ""
        pixels = ", pixel by pixel in memory" if self.channels_last else ""
        return points + rows + workers + pixels + (", the first layer looked up" if self.shortcuts else "")


class Losses:
    """A problem's mean loss over fixed examples, as a function of the parameters.

    Args:
        problem: whose loss.
        function: with the problem's parameters; a copy of it is evaluated, in eval mode, with its buffers.
        batch: the examples; the empty batch for a function that is its own loss.
        device: where to compute.
        pace: how; by default as is fastest, by measuring.
        own_statistics: whether batch norms take the statistics of the examples at each point, all at once,
            and not those that the function has kept: away from it these are another function's.

    Attributes:
        layout: how parameters make up a vector.
        pace: how the last points were computed.
        evaluations: of the loss at a point, over all examples, so far.
        random: whether the function draws random numbers also in eval mode; it draws the same at each point.
    """

    def __init__(
        self,
        problem: Problem,
        function: nn.Module,
        batch: Batch,
        device: torch.device | None = None,
        pace: Pace | None = None,
        own_statistics: bool = False,
    ):
        self.device = device or torch.device("cpu")
        self._problem, self._whole = copy.copy(problem), _to(batch, self.device)
        if problem.loss is not None and problem.loss in CROSS_ENTROPIES:
            self._problem.loss = classes_first(problem.loss)
        self._modules = [copy.deepcopy(function).to(self.device).eval()]
        norms = batch_norms(self._modules[0]) if own_statistics else []
        for norm in norms:
            norm.running_mean = norm.running_var = norm.num_batches_tracked = None
            norm.track_running_stats = False
        self._together = bool(norms)
        self.layout = Layout(self._modules[0])
        self.pace = pace
        self.evaluations, self.random = 0, False
        self._stackable, self._best = True, Pace()
        self._layers: list[str] | None = None
        self._threads = torch.get_num_threads()

    @property
    def examples(self) -> int:
        """How many examples the loss is a mean over."""
        return len(self._whole[-1]) if self._whole else 1

    def at(self, points: Tensor) -> Tensor:
        """Return the loss at points (k, n): (k,), float64."""
        points = points.to(self.device, self.layout.dtype)
        return self._all(_Where(lambda which: points[list(which)], len(points)))

    def parts(self, count: int, ask: Callable[[], Tensor]) -> Tensor:
        """Return what is asked, over each of ``count`` parts of the examples: (..., count).

        Args:
            count: of parts of about the same size; fewer where there are not so many examples.
            ask: asks this very object for losses.
        """
        whole, found = self._whole, []
        try:
            for part in _split(whole, -(-self.examples // count)):
                self._whole = part
                found.append(ask())
        finally:
            self._whole = whole
        return torch.stack(found, -1)

    def on(self, origin: Tensor, axes: Tensor, coordinates: Tensor) -> Tensor:
        """Return the loss at ``origin + coordinates @ axes``.

        Args:
            origin: (n,).
            axes: (d, n).
            coordinates: (k, d).

        Returns:
            (k,), float64; NaN or infinite where the loss is.
        """
        dtype = self.layout.dtype
        origin, axes = origin.to(self.device, dtype), axes.to(self.device, dtype)
        at = coordinates.to(self.device, dtype)
        where = _Where(lambda which: torch.addmm(origin, at[list(which)], axes), len(at))
        where.plane = _OnPlane(origin, axes, torch.cat([torch.ones_like(at[:, :1]), at], 1))
        return self._all(where)

    def _all(self, where: "_Where") -> Tensor:
        todo: Sequence[int] = range(where.count)
        if where.count and not self.evaluations:
            todo = self._first(where)
        if self.pace is None and len(todo) >= FEW:
            self.pace, todo = self._measured(where, todo)
        self._compute(where, todo, self.pace or Pace())
        self.evaluations += where.count
        return where.losses

    # How ------------------------------------------------------------------------------------------
    def _first(self, where: "_Where") -> Sequence[int]:
        """Compute the first point, and see whether the function draws random numbers."""
        with torch.random.fork_rng():
            before = torch.get_rng_state()
            self._compute(where, range(1), Pace())
            self.random = not torch.equal(before, torch.get_rng_state())
        if self.random:
            self.pace = Pace()
        return range(0 if self.random else 1, where.count)

    def _measured(self, where: "_Where", todo: Sequence[int]) -> tuple[Pace, Sequence[int]]:
        """Compute the first points in each way; return the fastest, and the points that are left."""
        self._best, least = Pace(), float("inf")
        for pace in self._paces(where):
            count = max(2, pace.stack) * pace.workers
            if 2 * count > len(todo):
                break
            seconds = []
            for _ in range(2):  # the first time may be slower for once
                began = time.perf_counter()
                try:
                    self._compute(where, todo[:count], pace)
                except RuntimeError:  # as of a view that only one order in memory allows
                    if not pace.channels_last:
                        raise
                    break
                seconds.append((time.perf_counter() - began) / count)
                todo = todo[count:]
                if seconds[0] > 3 * least:
                    break
            if seconds and min(seconds) < least and (pace.stack == 1 or self._stackable):
                self._best, least = pace, min(seconds)
        return self._best, todo

    def _paces(self, where: "_Where") -> Iterator[Pace]:
        """Yield ways to compute, each with what turned out best so far."""
        yield Pace()
        if self.device.type == "cpu":
            if {p.ndim for p in self._modules[0].parameters()} & {4, 5} == {4}:
                yield Pace(channels_last=True)
            for rows in PIECES:
                if 2 * rows <= self.examples and not self._together:
                    yield replace(self._best, rows=rows)
            cores = min(self._threads, os.cpu_count() or 1)
            if cores > 1:
                yield replace(self._best, workers=cores)
                # What is too small for all cores together may be the right size for each alone.
                if self._best.workers > 1 and self._best.rows is None and not self._together:
                    yield replace(self._best, rows=PIECES[0])
        size = self.layout.count * self.layout.dtype.itemsize
        for stack in STACKS:
            if stack * size * self._best.workers <= STACKED and self._stackable:
                yield replace(self._best, stack=stack)
                if self._best.rows is not None:
                    yield replace(self._best, stack=stack, rows=None)
        if where.plane is not None and self._first_layers():
            best = self._best
            yield replace(best, shortcuts=True)
            for stack in STACKS:
                if stack != best.stack and stack * size * best.workers <= STACKED and self._stackable:
                    yield replace(best, shortcuts=True, stack=stack)

    # Computing --------------------------------------------------------------------------------------
    def _compute(self, where: "_Where", todo: Sequence[int], pace: Pace) -> None:
        """Compute the loss at some of the points, into ``where.losses``."""
        order = torch.channels_last if pace.channels_last else torch.contiguous_format
        pieces = [_ordered(piece, order) for piece in _split(self._whole, pace.rows)]
        chunks = [todo[k : k + pace.stack] for k in range(0, len(todo), pace.stack)]
        while len(self._modules) < pace.workers:
            self._modules.append(copy.deepcopy(self._modules[0]))
        for module in self._modules:
            cast(Any, module).to(memory_format=order)
        shortcuts = self._shortcuts(where, pieces, pace) if pace.shortcuts else None

        def work(worker: int) -> None:
            own = _Worker(self._modules[worker], self.layout.names)
            undo = shortcuts.put(own.module, own.place) if shortcuts is not None else None
            try:
                for chunk in chunks[worker :: pace.workers]:
                    self._chunk(own, where, chunk, pieces)
            finally:
                if undo is not None:
                    undo()

        if pace.workers == 1:
            work(0)
            return
        with _threads(1), ThreadPoolExecutor(pace.workers) as pool:
            for done in [pool.submit(work, k) for k in range(pace.workers)]:
                done.result()

    def _chunk(self, own: "_Worker", where: "_Where", chunk: Sequence[int], pieces: list[Batch]) -> None:
        with torch.no_grad():
            if len(chunk) > 1 and self._stackable:
                try:
                    where.losses[list(chunk)] = self._stacked(own, where, chunk, pieces)
                    return
                except (RuntimeError, NotImplementedError) as error:  # what vmap has no rule for
                    if "memory" in str(error):
                        raise
                    self._stackable = False
            for k in chunk:
                where.losses[k] = self._plain(own, where, k, pieces)

    def _plain(self, own: "_Worker", where: "_Where", k: int, pieces: list[Batch]) -> Tensor:
        torch._foreach_copy_(own.parameters, self.layout.pieces(where.points([k])[0]))
        own.place.at = None if where.plane is None else where.plane.at[k]
        with torch.random.fork_rng() if self.random else nullcontext():
            if self.random:
                torch.manual_seed(0)
            losses = []
            for own.place.piece, piece in enumerate(pieces):
                losses.append(self._problem.loss_of(own.module, piece))
        return self._mean(losses, pieces)

    def _stacked(self, own: "_Worker", where: "_Where", chunk: Sequence[int], pieces: list[Batch]) -> Tensor:
        loss, losses, points = self._problem.loss, [], where.points(chunk)
        at = points[:, :0] if where.plane is None else where.plane.at[list(chunk)]
        for own.place.piece, piece in enumerate(pieces):

            def of(point: Tensor, at: Tensor, piece: Batch = piece) -> Tensor:
                own.place.at = at
                inputs = piece if loss is None else piece[:-1]
                output = functional_call(own.module, self.layout.values(point), inputs)
                return output if loss is None else loss(output, piece[-1])

            losses.append(torch.vmap(of)(points, at))
        return self._mean(losses, pieces)

    # Shortcuts --------------------------------------------------------------------------------------
    def _first_layers(self) -> list[str]:
        if self._layers is None:
            module, piece = self._modules[0], next(_split(self._whole, 2))
            run = lambda module: self._problem.loss_of(module, piece)  # noqa: E731
            self._layers = layers_with_one_input(module, run, self.layout)
        return self._layers

    def _shortcuts(self, where: "_Where", pieces: list[Batch], pace: Pace) -> Shortcuts | None:
        """Return the outputs of first layers over these pieces, made once a plane."""
        if where.plane is None or not self._first_layers():
            return None
        key = (pace.rows, pace.channels_last)
        if key not in where.plane.shortcuts:
            run = lambda module, piece: self._problem.loss_of(module, piece)  # noqa: E731
            where.plane.shortcuts.clear()
            where.plane.shortcuts[key] = Shortcuts(
                *(self._modules[0], self._first_layers(), self.layout),
                *(where.plane.origin, where.plane.axes, pieces, run),
            )
        found = where.plane.shortcuts[key]
        return found if found.fits else None

    def _mean(self, losses: list[Tensor], pieces: list[Batch]) -> Tensor:
        """Return the mean over all examples of the means over pieces, on the CPU in float64."""
        if len(losses) == 1:
            return losses[0].double().cpu()
        sizes = torch.tensor([float(len(piece[-1])) for piece in pieces], dtype=torch.float64)
        return (torch.stack([x.double() for x in losses], -1).cpu() * sizes).sum(-1) / sizes.sum()


def classes_first(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a cross-entropy that has the examples side by side in memory where there are few classes.

    Torch takes the softmax over few neighbouring numbers one by one, and over rows many at once: 7 µs in the
    place of 150 for 1,000 × 10.

    Args:
        loss: the cross-entropy: what takes other shapes than (n, classes) and (n,).
    """

    def of(output: Tensor, target: Tensor) -> Tensor:
        if output.ndim != 2 or target.shape != output.shape[:1] or output.shape[1] > MANY_CLASSES:
            return loss(output, target)
        return F.cross_entropy(output.mT.contiguous().unsqueeze(0), target.unsqueeze(0))

    return of


def batch_norms(function: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return a function's batch norms."""
    return [m for m in function.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


class _Worker:
    """A copy of the function, its parameters in the layout's order, and where it is."""

    def __init__(self, module: nn.Module, names: Sequence[str]):
        known = dict(module.named_parameters())
        self.module, self.place = module, Place()
        self.parameters: list[Tensor] = [known[name] for name in names]


class _Where:
    """Points that are asked for, and what was found there: (count,), float64."""

    def __init__(self, points: Callable[[Sequence[int]], Tensor], count: int):
        self.points, self.count = points, count
        self.plane: _OnPlane | None = None
        self.losses = torch.full((count,), torch.nan, dtype=torch.float64)


@dataclass
class _OnPlane:
    """That points lie on a plane, (k, 1 + d) coordinates with a 1 before them, and what is known of it."""

    origin: Tensor
    axes: Tensor
    at: Tensor
    shortcuts: dict[tuple[int | None, bool], Shortcuts] = field(default_factory=dict)


def _split(batch: Batch, rows: int | None) -> Iterator[Batch]:
    if not batch or rows is None or rows >= len(batch[-1]):
        yield batch
        return
    for k in range(0, len(batch[-1]), rows):
        yield tuple(x[k : k + rows] if isinstance(x, Tensor) else x for x in batch)


def _ordered(batch: Batch, order: torch.memory_format) -> Batch:
    """Have pictures lie in memory in an order; where it is another one than they have, as copies."""
    pictures = [isinstance(x, Tensor) and x.ndim == 4 for x in batch]
    if order is torch.contiguous_format or not any(pictures):
        return batch
    found = zip(batch, pictures, strict=True)
    return tuple(x.contiguous(memory_format=order) if picture else x for x, picture in found)


def _to(batch: Batch, device: torch.device) -> Batch:
    return tuple(x.to(device) if isinstance(x, Tensor) else x for x in batch)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
