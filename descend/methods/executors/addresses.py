"""Where the memory of a plan's tensors is, found out anew for every step.

Parameters and state hardly ever move, but they can (``p.data = ...``, ``module.to()``), and a kernel that is
told a stale address writes into somebody else's memory. So every address is looked at before every launch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from torch import Tensor

from descend.methods.executors.alike import alike
from descend.methods.executors.glance import glance

_dtype, _device = attrgetter("dtype"), attrgetter("device")


class Addresses:
    """The tensors of a plan, and where they were when somebody was told last.

    Args:
        places: the plan's tensors by the name of the place, ``w`` and ``g`` among them; gradients are not
            kept, for whoever sets one to ``None`` wants the memory.
        other_sizes: places whose tensors have another number of elements than the parameters.
        many: from how many tensors on it is worth its while not to ask Python (:mod:`.glance`).

    Attributes:
        places: without the gradients.
        looks: whether it finds the gradients by itself.
    """

    def __init__(
        self,
        places: dict[str, list[Tensor]],
        other_sizes: Collection[str],
        many: int,
    ):
        g, self.device = places["g"], places["w"][0].device
        self.places = {name: values for name, values in places.items() if name != "g"}
        self.sizes = list(map(Tensor.numel, places["w"]))
        self._of_sizes = [values for name, values in self.places.items() if name not in other_sizes]
        self.tensors = [x for values in self.places.values() for x in values]
        self._formats = list(map(_dtype, self.tensors))
        found = glance(places["w"], self.tensors, g) if len(self.tensors) >= many else None
        self.looks = found is not None
        self._seen = found or _Asked(self.tensors, g, self.device)
        self._all = True

    def look(self, g: Sequence[Tensor] | None) -> bool | None:
        """See where everything is, and return whether any of it is elsewhere than was told.

        Args:
            g: the gradients; not needed where it looks by itself.

        Returns:
            ``None`` where a gradient or a tensor is not what it was.
        """
        moved = self._seen.look(g)
        if moved:
            self._all = self._seen.moved()
            if self._all and not self._as_before():
                return None
        return moved

    def _as_before(self) -> bool:
        """Whether tensors that moved are as they were in everything else."""
        return (
            set(map(_device, self.tensors)) == {self.device}
            and list(map(_dtype, self.tensors)) == self._formats
            and all(list(map(Tensor.numel, values)) == self.sizes for values in self._of_sizes)
        )

    def tell(self) -> dict[str, Any]:
        """Return the addresses by the name of the place, of places where any is elsewhere than was told."""
        seen, n = self._seen, len(self.sizes)
        found = {"g": seen.gradients}
        if self._all:
            found |= {name: seen.pointers[k * n : k * n + n] for k, name in enumerate(self.places)}
        seen.know()
        return found


class _Asked:
    """Addresses that Python is asked for, as :class:`.Glance`."""

    def __init__(self, tensors: list[Tensor], g: Sequence[Tensor], device: Any):
        self.tensors, self.alike, self.device = tensors, alike(g), device
        self.gradients: list[int] = []
        self.pointers: list[int] = []
        self.known: tuple[list[int], list[int]] = ([], [])

    def look(self, g: Sequence[Tensor] | None) -> bool | None:
        """See where everything is."""
        assert g is not None
        try:
            self.gradients = list(map(Tensor.data_ptr, g))
            if not self.alike(g):
                return None
            if not all(map(Tensor.is_contiguous, self.tensors)):
                return None
            self.pointers = list(map(Tensor.data_ptr, self.tensors))
        except (TypeError, RuntimeError, NotImplementedError):  # none, sparse, without memory
            return None
        known, pointers = self.known
        if self.gradients == known and self.pointers == pointers:
            return False
        return True if set(map(_device, g)) == {self.device} else None

    def moved(self) -> bool:
        """Whether any tensor, beside the gradients, is elsewhere than known."""
        return self.pointers != self.known[1]

    def know(self) -> None:
        """Take for known where everything is."""
        self.known = self.gradients, self.pointers
