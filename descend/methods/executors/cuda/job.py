"""Tensors that one compiled rule can take together, and a step of them.

Nothing in a step waits for the device: addresses and numbers go there by copies that it takes in its own
time, and what is computed there is used there.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.executors.cuda import replaying
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.driver import on_device, stream_of
from descend.methods.executors.cuda.tables import Layout
from descend.methods.executors.cuda.writing import Function, Variant
from descend.methods.executors.flat import flat
from descend.methods.executors.stages import Call, Phase
from descend.methods.rule import Replayed, Stored
from descend.methods.stacks import over
from descend.methods.trace import Value
from descend.parameters.formats import BLOCK, beside
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

    Attributes:
        alone: whether there is no other job in this step, so that its totals are over these tensors.
        scale: of the gradients, if they have one; set before the step.
        found_inf: not zero where a gradient is infinite, so that nothing may move.
        replayed: what a step needs that a CUDA graph can replay; set before it.
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
        self.own = places
        self.places, self.copied = flat(places, code.graph.kept, code.temporaries)
        self.device = places["w"][0].device
        self.sizes = list(map(Tensor.numel, self.places["w"]))
        self.alone = False
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.scale: Tensor | None = None
        self.found_inf: Tensor | None = None
        self.replayed: Replayed | None = None

    def _layouts(self) -> list[Layout]:
        """Return the tables for tensors of these sizes that no job is using, on this stream."""
        return self.code.layouts.setdefault((tuple(self.sizes), self.device, stream_of(self.device)), [])

    def _new_layout(self) -> Layout:
        """Return tables for these tensors, which nobody else is using."""
        if self.replayed is not None and self.replayed.captured:
            return replaying.layout(self)
        try:
            return self._layouts().pop()
        except IndexError:
            return Layout(self.sizes, self.code.machine, self.device)

    def phases(self) -> Generator[Tensor, Tensor, None]:
        """Run phase after phase; at each total, give this job's share and take the whole."""
        code, machine = self.code, self.code.machine
        self._layout = layout = self._new_layout()
        if self.stored is not None:
            self.who(layout)
        if self.replayed is not None and self.replayed.counts is not None:
            self._variant = variant = replaying.counted(self, layout)
        else:
            self._variant = variant = self._counted(layout)
        if self.scale is not None and self.found_inf is not None:
            layout.words["scale"], layout.words["found_inf"] = (
                self.scale.data_ptr(),
                self.found_inf.data_ptr(),
            )
        for name in self.places:
            self._address(name)
        for name, row in machine.into.items():
            place = self.own[name][0]
            if not self.alone:  # other jobs have yet to read it
                place = place.clone()  # which stays if gradients are infinite
                if self.writes:
                    self.waiting.append((self.own[name][0], place))
            layout.columns[row, 0] = place.data_ptr()
        with on_device(self.device):
            launches = code.load(variant, self.device)
            for p, phase in enumerate(code.stages.phases):
                made = launches[p]
                layout.send()
                if made.counts is not None:
                    self._launch(made.counts)
                if made.scalars is not None:
                    self._launch(made.scalars)
                for name, function in made.passes.items():
                    self._pass(p, name, function)
                if made.sums is not None:
                    self._launch(made.sums)
                if made.shares is not None:
                    self._launch(made.shares)
                    for total in phase.totals:
                        share = layout.shared[machine.shared[id(total)]]
                        share.copy_((yield share.clone()))
                if phase.calls:
                    self._call(phase)
            if self.replayed is not None and self.replayed.captured:
                layout.end_capture()
                # The gradients are the graph's own.
                self.replayed.kept.append((layout, {n: x for n, x in self.own.items() if n != "g"}))
                return
        self._layouts().append(layout)

    def _counted(self, layout: Layout) -> Variant:
        """Send what follows from step counts that the host knows."""
        code = self.code
        one_row = min(self.steps) == max(self.steps)
        if one_row:
            layout.words.numbers[:] = code.numbers(self.h, self.steps[0])
        else:
            known = {step: k for k, step in enumerate(dict.fromkeys(self.steps))}
            layout.set_rows([known[s] for s in self.steps], [code.numbers(self.h, s) for s in known])
        if self.stored is not None:
            bases = {step: base_word(self.stored.seed, step) for step in set(self.steps)}
            if one_row:
                layout.words["noise"] = bases[self.steps[0]]
            else:
                layout.columns[code.machine.who + 2] = [bases[step] for step in self.steps]
        return Variant(True, one_row, self.alone, self.scale is not None)

    def who(self, layout: Layout) -> None:
        """Put each tensor's number, and where it begins in its parameter, into the table."""
        if self.stored is not None:
            row = self.code.machine.who
            layout.columns[row] = self.stored.numbers
            layout.columns[row + 1] = 0 if self.offsets is None else self.offsets

    def finish(self) -> None:
        """Write what must wait until every job has read."""
        for place, value in self.waiting:
            place.copy_(value)
        for place, value in self.copied:
            place.copy_(value)

    def _address(self, name: str) -> None:
        """Put a place's addresses into its row of the table."""
        if name not in self.code.machine.rows:  # no kernel touches it
            return
        row, values = self._layout.columns[self.code.machine.rows[name]], self.places[name]
        row[: len(values)] = list(map(Tensor.data_ptr, values))

    def _launch(self, function: Function) -> None:
        kernel, words = self.code.kernel(function, self.device), self._layout.words
        kernel.bind(words)(self._layout.programs(function), stream_of(self.device))

    def _pass(self, p: int, name: str, function: Function) -> None:
        """Run one kernel over the elements of the tensors of one shape class."""
        machine, layout = self.code.machine, self._layout
        places = machine.places[p, name]
        for place in places:
            if place not in self.places:
                like = next(x for x in places if x in self.places) if name != "w" else "w"
                self.places[place] = [torch.empty_like(x, dtype=machine.kind) for x in self.places[like]]
                self._address(place)
        sizes = self.sizes
        if name != "w":  # another shape than the parameters': its own pieces
            sizes = [x.numel() for x in self.places[places[0]]]
            layout.cut(name, sizes)
        for place in places:  # else a kernel would write beyond a tensor's end
            expected = [-(-n // BLOCK) for n in sizes] if machine.is_exponents(place) else sizes
            if list(map(Tensor.numel, self.places[place])) != expected:
                raise UsageError(
                    "tensors of one shape for elementwise words",
                    f"{place} of {[tuple(x.shape) for x in self.places[place]]} beside {sizes} elements",
                    "if a parameter was given another shape, forget its state",
                )
        layout.send()
        if not layout.aligned([machine.rows[place] for place in places]):
            function = self.code.load(replace(self._variant, aligned=False), self.device)[p].passes[name]
        self._launch(function)

    # Functions of whole tensors -------------------------------------------------------------------
    def _call(self, phase: Phase) -> None:
        """Apply functions of whole tensors: those of one shape together, where there is such a form."""
        code, kind = self.code, self.code.machine.kind
        arguments = {step: code.arguments(self.h, step) for step in set(self.steps)}
        for call in phase.calls:
            number = code.call_number[id(call)]
            columns = [self._arguments(a) for a in call.args]
            numbers = [arguments[step][number] for step in self.steps]
            results = self._results(call, columns, numbers)
            if call.place is None:
                self._put(call.value, results)
            elif call.in_place:
                place = self.places[call.place]
                moved = [
                    i
                    for i, (x, y) in enumerate(zip(place, results, strict=True))
                    if x.data_ptr() != y.data_ptr()
                ]
                if moved:  # of another format, or made together
                    torch._foreach_copy_([place[i] for i in moved], [results[i] for i in moved])
            else:
                self.places[call.place] = [x.to(kind).contiguous() for x in results]
                self._address(call.place)

    def _arguments(self, a: Any) -> list[Tensor]:
        """Return an argument of a function, for each tensor."""
        machine, layout = self.code.machine, self._layout
        if isinstance(a, str):
            return [x.to(machine.kind) for x in self.places[a]]
        slot = machine.slots.get(id(a))
        if slot is None:
            return [layout.shared[machine.shared[id(a)]].to(machine.kind)] * len(self.sizes)
        return list(layout.slots[slot].to(machine.kind).unbind())

    def _results(self, call: Call, columns: list[list[Tensor]], numbers: list[Any]) -> list[Tensor]:
        """Return what a function makes of each tensor."""
        function = self.code.functions[call.function]
        batched = getattr(function, "batched", None) if len(columns) == 1 and call.place else None
        if batched is not None and len(set(numbers)) == 1:
            return list(batched(columns[0], *numbers[0]))
        groups: dict[Any, list[int]] = {}
        for i, own in enumerate(numbers):  # those of one step count
            groups.setdefault(own, []).append(i)
        results: list[Any] = [None] * len(numbers)
        for own, index in groups.items():
            found = over(function, [[column[i] for i in index] for column in columns], own, call.in_place)
            for i, x in zip(index, found, strict=True):
                results[i] = x
        return results

    def _put(self, v: Value, results: list[Tensor]) -> None:
        """Have a number that a function made of each tensor among the scalars."""
        machine, layout = self.code.machine, self._layout
        slot = machine.slots.get(id(v))
        if slot is None:
            layout.shared[machine.shared[id(v)]].copy_(results[-1])
        else:
            layout.slots[slot].copy_(torch.stack([x.reshape(()).to(torch.float64) for x in results]))
