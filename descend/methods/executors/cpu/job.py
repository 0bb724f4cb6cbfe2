"""Tensors that one compiled rule can take together, and a step of them."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.executors.cpu.code import Code, Layout, add_up, cut, table
from descend.methods.executors.cpu.threads import APART, each, on_threads
from descend.methods.executors.cpu.words import Frame
from descend.methods.executors.flat import flat
from descend.methods.executors.stages import Call, Kernel, Phase
from descend.methods.rule import Stored
from descend.methods.stacks import SMALL, over
from descend.methods.trace import Value
from descend.parameters.formats import BLOCK, beside, rows
from descend.parameters.noise import base_word


class Job:
    """Tensors that one code can take, and what one step of them needs.

    Args:
        code: the compiled rule.
        places: tensors by the name of the place.
        steps: the step count of each tensor.
        h: the hyperparameters.
        writes: whether it writes the numbers kept for all.
        stored: of places in number formats of their own.
        offsets: where each tensor begins in the whole parameter, where it is but a part.
    """

    def __init__(
        self,
        code: Code,
        places: dict[str, list[Tensor]],
        steps: list[int],
        h: Any,
        writes: bool,
        stored: Stored | None = None,
        offsets: Sequence[int] | None = None,
    ):
        self.stored, self.offsets = stored, offsets
        if stored is not None:
            places = places | {beside(name): values for name, values in stored.beside.items()}
        self.code, self.steps, self.h, self.writes = code, steps, h, writes
        self.own, self.alone = places, False
        self.places, self.copied = flat(places, code.graph.kept, code.temporaries)
        self.sizes: list[int] = []
        self.columns: dict[str, list[int]] = {}
        self.alive: list[Any] = []
        self.for_all: list[tuple[Tensor, float]] = []

    def phases(self) -> Generator[Tensor, Tensor, None]:
        """Run phase after phase; at each total, give this job's share and take the whole."""
        code, machine = self.code, self.code.machine
        self.sizes = list(map(Tensor.numel, self.places["w"]))
        lengths = self.lengths()
        pool = code.layouts.setdefault((*self.sizes, *lengths), [])
        try:  # a layout is used by one job at a time
            layout = pool.pop()
        except IndexError:
            layout = Layout(self.sizes, code, lengths)
        self.layout, frame = layout, layout.frame
        if (who := self.who()) is not None:
            self.alive.append(who)
            frame[Frame.WHO] = who.buffer_info()[0]
        frame[Frame.NUMBERS] = self._numbers(layout)
        if machine.kept:
            kept = table(map(self._column, machine.kept))
            self.alive.append(kept)
            frame[Frame.KEPT] = kept.buffer_info()[0]
        for name, column in code.before:
            layout.shared[column] = float(self.places[name][0])
        for p, phase in enumerate(code.stages.phases):
            if (scalars := code.scalars[p]) is not None:
                scalars(layout.address)
            for name, kernel in phase.kernels.items():
                self._pass(p, name, kernel, layout)
            for total in phase.totals:
                found = share(code, layout, total)
                layout.shared[machine.shared[id(total)]] = found if self.alone else float((yield _one(found)))
            if phase.calls:
                self._call(phase, layout)
        if self.writes:
            self.for_all = [(self.own[name][0], float(layout.shared[column])) for name, column in code.after]
        pool.append(layout)

    def lengths(self) -> list[int]:
        """Return the length of each tensor's rows, where the code goes by blocks."""
        return [rows(tuple(w.shape))[1] for w in self.places["w"]] if self.code.machine.in_blocks else []

    def blocks(self) -> list[int]:
        """Return how many blocks of numbers each tensor has."""
        pairs = zip(self.sizes, self.lengths(), strict=True)
        return [n // max(length, 1) * -(-length // BLOCK) for n, length in pairs]

    def who(self) -> array | None:
        """Return each tensor's number and where it begins in its parameter, where something is rounded."""
        if self.stored is None:
            return None
        numbers = self.stored.numbers
        return table([numbers, self.offsets or [0] * len(numbers)])

    def finish(self) -> None:
        """Write what must wait until every job has read."""
        for place, value in self.for_all:
            place.fill_(value)
        for place, value in self.copied:
            place.copy_(value)

    def _numbers(self, layout: Layout) -> int:
        code, steps = self.code, self.steps
        if self.stored is not None:
            bases = array("q", [base_word(self.stored.seed, step) for step in dict.fromkeys(steps)])
            self.alive.append(bases)
            layout.frame[Frame.NOISE] = bases.buffer_info()[0]
        if min(steps) == max(steps):
            layout.rows[:] = 0
            table = array("d", code.numbers(self.h, steps[0]))
        else:
            known = {step: k for k, step in enumerate(dict.fromkeys(steps))}
            layout.rows[:] = [known[step] for step in steps]
            table = array("d", chain.from_iterable(code.numbers(self.h, step) for step in known))
        self.alive.append(table)
        return table.buffer_info()[0]

    def _column(self, place: str) -> list[int]:
        found = self.columns.get(place)
        if found is None:
            found = self.columns[place] = list(map(Tensor.data_ptr, self.places[place]))
        return found

    def _pass(self, p: int, name: str, kernel: Kernel, layout: Layout) -> None:
        """Run one kernel over the elements of the tensors of one shape class."""
        code = self.code
        places = code.machine.places[p, name]
        for place in places:
            if place not in self.places:
                like = next(x for x in places if x in self.places) if name != "w" else "w"
                self.places[place] = [torch.empty_like(x, dtype=code.machine.kind) for x in self.places[like]]
        frame, elements = layout.frame, layout.elements
        pieces, starts, partial = layout.pieces, layout.starts, layout.partial
        sizes = self.sizes
        if name != "w":  # another shape than the parameters': its own segments
            sizes = [x.numel() for x in self.places[places[0]]]
            elements = sum(sizes)
            pieces, starts = cut(sizes, code.machine)
            partial = np.zeros((len(pieces), partial.shape[1]))
            layout.counts[:, code.machine.classes.index(name)] = sizes
        for place in places:  # else a kernel would write beyond a tensor's end
            numel = list(map(Tensor.numel, self.places[place]))
            if numel != (self.blocks() if code.machine.is_exponents(place) else sizes):
                raise UsageError(
                    "tensors of one shape for elementwise words",
                    f"{place} of {[tuple(x.shape) for x in self.places[place]]} beside {sizes} elements",
                    "if a parameter was given another shape, forget its state",
                )
        pointers = table(map(self._column, places))
        frame[Frame.COUNTER], frame[Frame.POINTERS] = 0, pointers.buffer_info()[0]
        frame[Frame.SEGMENTS], frame[Frame.PIECES] = len(pieces), pieces.ctypes.data
        frame[Frame.PARTIAL] = partial.ctypes.data
        on_threads(code.passes[p, name], layout.address, elements)
        add_up(layout, kernel, partial, starts)

    def _call(self, phase: Phase, layout: Layout) -> None:
        """Apply functions of whole tensors, tensor by tensor."""
        code, kind = self.code, self.code.machine.kind
        arguments = {step: code.arguments(self.h, step) for step in set(self.steps)}
        for call in phase.calls:
            function, number = code.functions[call.function], code.call_number[id(call)]
            results: list[Any] = [None] * len(self.steps)
            if call.in_place:
                function = getattr(function, "in_place")  # noqa: B009

            def one(
                i: int,
                call: Call = call,
                function: Any = function,
                number: int = number,
                results: list[Any] = results,
            ) -> None:
                tensors = [self._argument(a, i, layout) for a in call.args]
                result = function(*tensors, *arguments[self.steps[i]][number])
                if call.place is not None and call.in_place:
                    place = self.places[call.place][i]
                    if result.data_ptr() != place.data_ptr():  # of another format
                        place.copy_(result)
                elif call.place is None:
                    slot = code.machine.slots.get(id(call.value))
                    if slot is None:
                        layout.shared[code.machine.shared[id(call.value)]] = float(result)
                    else:
                        layout.slots[i, slot] = float(result)
                else:
                    results[i] = result.to(kind).contiguous()

            if len(arguments) == 1 and call.place is not None and self._go_together(call):
                columns = [[self._argument(a, i, layout) for i in range(len(self.steps))] for a in call.args]
                numbers = arguments[self.steps[0]][number]
                if len(columns) == 1 and hasattr(function, "batched"):
                    results = getattr(function, "batched")(columns[0], *numbers)  # noqa: B009
                else:
                    results = over(code.functions[call.function], columns, numbers, call.in_place)
                if call.in_place:
                    for place, x in zip(self.places[call.place], results, strict=True):
                        if x.data_ptr() != place.data_ptr():
                            place.copy_(x)
                else:
                    results = [x.to(kind).contiguous() for x in results]
            else:
                each(one, self.sizes)
            if call.place is not None and not call.in_place:
                self.places[call.place] = results

    def _go_together(self, call: Call) -> bool:
        """Whether a function takes all tensors at once: they are few, or small."""
        function, elements = self.code.functions[call.function], sum(self.sizes)
        if hasattr(function, "batched") and len(call.args) == 1:
            return elements <= APART
        return hasattr(function, "stacked") and elements <= max(APART, SMALL["cpu"] * len(self.sizes) // 2)

    def _argument(self, a: Any, i: int, layout: Layout) -> Tensor:
        machine = self.code.machine
        if isinstance(a, str):
            return self.places[a][i].to(machine.kind)
        slot = machine.slots.get(id(a))
        found = layout.shared[machine.shared[id(a)]] if slot is None else layout.slots[i, slot]
        return torch.tensor(found, dtype=machine.kind)


def share(code: Code, layout: Layout, total: Value) -> float:
    """Return these tensors' share of a total."""
    of = total.args[0]
    if total in code.stages.sums:
        return layout.sums[:, code.stages.sums[total]].sum()
    if id(of) in code.machine.slots:
        return layout.slots[:, code.machine.slots[id(of)]].sum()
    # What is one for all counts once a tensor.
    return layout.shared[code.machine.shared[id(of)]] * len(layout.rows)


def _one(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)
