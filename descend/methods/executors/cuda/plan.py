"""A job that can be run again with other gradients, without looking at every tensor anew."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from torch import Tensor

from descend.methods.executors.addresses import Addresses
from descend.methods.executors.cuda.compiled import Launch
from descend.methods.executors.cuda.driver import on_device, stream_of
from descend.methods.executors.cuda.job import Job
from descend.methods.executors.cuda.tables import Layout
from descend.methods.executors.cuda.writing import Variant
from descend.parameters.noise import base_word

_device = attrgetter("device")

MANY = 1024
"""Of fewer tensors, LLVM is not loaded: the tenth of a second that it takes is more than it saves."""


class Plan:
    """One job of a rule without whole-tensor functions, to be run again with other gradients.

    Its totals are over its own tensors: it must be the only job of its method.

    Args:
        job: the job, which it may keep.

    Attributes:
        looks: whether it finds the gradients by itself.
    """

    def __init__(self, job: Job):
        code = self.code = job.code
        self.device = job.device
        machine = code.machine
        self.for_all = {n: job.own[n][0] for n in code.for_all}
        self.for_all_at: list[int] = []
        places = {name: values for name, values in job.places.items() if name not in code.for_all}
        other_sizes = [n for n in places if n in machine.kept or machine.is_exponents(n)]
        self.addresses = Addresses(places, other_sizes, MANY)
        self.looks = self.addresses.looks
        self.layout = Layout(job.sizes, machine, self.device)
        self.seed = None if job.stored is None else job.stored.seed
        job.who(self.layout)
        self.aligned: bool | None = None
        self.launches: list[tuple[Launch, int]] = []

    def ready(self, g: list[Tensor] | None, step: int, h: Mapping[str, Any]) -> bool:
        """Make ready for a step; false where these gradients, or its path, are others than the plan's.

        Args:
            g: the gradients; not needed where it looks for them itself.
            step: the count of every tensor, this step included.
            h: the hyperparameters.
        """
        code = self.code
        if not code.holds(h, step):
            return False
        moved = self.addresses.look(g)
        if moved is None:
            return False
        for_all_at = [x.data_ptr() for x in self.for_all.values()] if self.for_all else []
        if moved or for_all_at != self.for_all_at:
            if not {self.device}.issuperset(map(_device, self.for_all.values())):
                return False
            self._addresses(for_all_at)
        if self.seed is not None:
            self.layout.words["noise"] = base_word(self.seed, step)
        self.layout.words.numbers[:] = code.numbers(h, step)
        return True

    def _addresses(self, for_all_at: list[int]) -> None:
        """Tell the device where everything is now."""
        machine, layout = self.code.machine, self.layout
        for name, addresses in self.addresses.tell().items():
            layout.columns[machine.rows[name]] = addresses
        for name, address in zip(self.for_all, for_all_at, strict=True):
            layout.columns[machine.rows[name], 0] = address
            if name in machine.into:
                layout.columns[machine.into[name], 0] = address
        self.for_all_at = for_all_at
        layout.send()
        places = {place for found in machine.places.values() for place in found}
        aligned = layout.aligned([machine.rows[place] for place in places])
        if aligned != self.aligned:
            self._bind(Variant(aligned))
            self.aligned = aligned

    def _bind(self, variant: Variant) -> None:
        """Have the launches of a step ready."""
        code, words = self.code, self.layout.words
        self.launches = []
        for made in code.load(variant, self.device):
            for function in (made.scalars, *made.passes.values(), made.sums):
                if function is not None:
                    kernel = code.kernel(function, self.device)
                    self.launches.append((kernel.bind(words), self.layout.programs(function)))

    def go(self) -> None:
        """Take the step that was made ready."""
        stream = stream_of(self.device)
        with on_device(self.device):
            for launch, programs in self.launches:
                launch(programs, stream)
