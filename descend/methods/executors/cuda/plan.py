"""A job that can be run again with other gradients, without looking at every tensor anew."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from torch import Tensor

from descend.methods.executors.alike import alike
from descend.methods.executors.cuda.compiled import Launch
from descend.methods.executors.cuda.job import Job, on_device, stream_of
from descend.methods.executors.cuda.tables import Layout
from descend.methods.executors.cuda.writing import Variant
from descend.parameters.noise import base_word

_device = attrgetter("device")


class Plan:
    """One job of a rule without whole-tensor functions, to be run again with other gradients.

    Its totals are over its own tensors: it must be the only job of its method.

    Args:
        job: the job, which it may keep.
    """

    def __init__(self, job: Job):
        code = self.code = job.code
        g = job.places["g"]
        self.device = job.device
        self.sizes, self.as_before = job.sizes, alike(g)
        # A gradient must not be kept alive: whoever sets it to None wants the memory.
        self.places = {n: values for n, values in job.places.items() if n != "g" and n not in code.for_all}
        self.for_all = {n: job.own[n][0] for n in code.for_all}
        self.tensors = [x for values in self.places.values() for x in values]
        self.pointers: list[int] = []
        self.gradients: list[int] = []
        self.layout = Layout(self.sizes, code.machine, self.device)
        self.seed = None if job.stored is None else job.stored.seed
        job.who(self.layout)
        self.aligned: bool | None = None
        self.launches: list[tuple[Launch, int]] = []

    def ready(self, g: list[Tensor], step: int, h: Mapping[str, Any]) -> bool:
        """Make ready for a step; false where these gradients, or its path, are others than the plan's.

        Args:
            g: the gradients.
            step: the count of every tensor, this step included.
            h: the hyperparameters.
        """
        code = self.code
        try:
            gradients = list(map(Tensor.data_ptr, g))
            if not self.as_before(g) or not code.holds(h, step):
                return False
            pointers = list(map(Tensor.data_ptr, self.tensors))
        except (TypeError, RuntimeError, NotImplementedError):  # none, sparse, without memory
            return False
        if pointers != self.pointers:
            if not all(map(Tensor.is_contiguous, self.tensors)):
                return False
            if set(map(_device, self.tensors)) != {self.device}:
                return False
            for name, values in self.places.items():
                own_size = name in code.machine.kept or code.machine.is_exponents(name)
                if not own_size and list(map(Tensor.numel, values)) != self.sizes:
                    return False
        if gradients != self.gradients or pointers != self.pointers:
            if set(map(_device, g)) != {self.device}:
                return False
            self._addresses(gradients, pointers)
        if self.seed is not None:
            self.layout.words["noise"] = base_word(self.seed, step)
        self.layout.words.numbers[:] = code.numbers(h, step)
        return True

    def _addresses(self, gradients: list[int], pointers: list[int]) -> None:
        """Tell the device where everything is now."""
        machine, layout, n = self.code.machine, self.layout, len(self.sizes)
        layout.columns[machine.rows["g"]] = gradients
        if pointers != self.pointers:
            for k, name in enumerate(self.places):
                layout.columns[machine.rows[name]] = pointers[k * n : k * n + n]
            for name, place in self.for_all.items():
                layout.columns[machine.rows[name], 0] = place.data_ptr()
                if name in machine.into:
                    layout.columns[machine.into[name], 0] = place.data_ptr()
        layout.send()
        self.gradients, self.pointers = gradients, pointers
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
