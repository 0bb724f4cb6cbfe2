"""Examples, and the random subsets of them that a stochastic descent is fed with.

Everything here answers one question: which examples come next? A :class:`Data` holds examples; its
:meth:`Data.batches` hands out training batches without end, from a position that can be saved in a
few numbers and found again exactly; its :meth:`Data.passes` goes over all examples once, in order.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from descend.errors import DataError

Batch = tuple[Any, ...]
"""What one step sees: inputs first, the target last. An empty batch belongs to a function without data."""


def generator_at(seed: int, step: int) -> torch.Generator:
    """Return a generator for what is drawn at a step: a function of both alone, so that no state is kept."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)


class Batches(Protocol):
    """Training batches without end, from a position that can be saved."""

    per_epoch: int
    """Batches in one pass over the data."""

    def next(self) -> Batch:
        """Return the next batch."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the position: numbers and tensors only."""
        ...

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a position that :meth:`state` returned."""
        ...


@runtime_checkable
class Data(Protocol):
    """Examples that a descent can draw batches from."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return training batches of ``size`` examples, shuffled anew every epoch by ``seed``."""
        ...

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every example once, in order, ``size`` at a time."""
        ...


class InMemory:
    """Tensors whose first dimension counts examples, batched by index.

    Args:
        tensors: inputs first, the target last; each of shape (examples, ...).

    Raises:
        DataError: where the tensors disagree about the number of examples, or there is none.
    """

    def __init__(self, *tensors: Tensor):
        lengths = [len(t) if t.ndim else 0 for t in tensors]
        if len(set(lengths)) > 1:
            raise DataError(
                "inputs and target with as many rows each",
                " and ".join(str(n) for n in lengths) + " rows",
                "give each example one input and one target",
            )
        if not tensors or lengths[0] == 0:
            raise DataError("at least one example", "none", "check the file or the tensors")
        for i, t in enumerate(tensors):
            # A sum is finite only if all are (or overflows, which the slower look then clears).
            if t.is_floating_point() and not t.sum().isfinite() and not (finite := t.isfinite()).all():
                row = int((~finite.flatten(1).all(1) if t.ndim > 1 else ~finite).nonzero()[0])
                what = "the target" if 0 < i == len(tensors) - 1 else "the inputs"
                came = f"NaN or infinity in row {row} of {what}"
                raise DataError("finite numbers", came, "leave such rows out, or fill them")
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return batches by index; ``size`` ≥ the number of examples is full-batch descent."""
        return _IndexedBatches([t.to(device) for t in self.tensors], size, seed)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every example once, in order."""
        for start in range(0, len(self), size):
            yield tuple(t[start : start + size].to(device) for t in self.tensors)


class _Permutations:
    """The order of the examples in each epoch, a function of (seed, epoch) alone.

    So a position is two integers, and a resumed or forked descent sees the very same batches.
    """

    def __init__(self, length: int, size: int, seed: int, device: torch.device):
        self.length, self.size, self.seed, self.device = length, min(size, length), seed, device
        # The last, incomplete batch of an epoch is left out: its examples come in another epoch's
        # order, and no step is noisier than the others.
        self.per_epoch = max(1, length // self.size)
        self.epoch, self.position = 0, 0
        self._order = self._shuffled()

    def _shuffled(self) -> Tensor:
        generator = generator_at(self.seed, self.epoch)
        return torch.randperm(self.length, generator=generator).to(self.device)

    def next_indices(self) -> Tensor:
        if self.position == self.per_epoch:
            self.epoch, self.position = self.epoch + 1, 0
            self._order = self._shuffled()
        start = self.position * self.size
        self.position += 1
        return self._order[start : start + self.size]

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position}

    def load_state(self, state: dict[str, Any]) -> None:
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
        self._order = self._shuffled()


class _IndexedBatches(_Permutations):
    def __init__(self, tensors: Sequence[Tensor], size: int, seed: int):
        super().__init__(len(tensors[0]), size, seed, tensors[0].device)
        self.tensors = tensors
        self._whole = tuple(tensors) if self.size == self.length else None

    def next(self) -> Batch:
        if self._whole is not None:  # full batch: no order to draw, nothing to gather
            self.epoch += 1
            return self._whole
        index = self.next_indices()
        return tuple([t.index_select(0, index) for t in self.tensors])


class Whole:
    """No data: the function is the loss itself, as with a surface."""

    per_epoch = 1

    def __len__(self) -> int:
        return 1

    def batches(self, size: int, seed: int, device: torch.device) -> "Whole":
        """Return itself: every step sees the same, empty batch."""
        return self

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Yield the one empty batch."""
        yield ()

    def next(self) -> Batch:
        """Return the empty batch."""
        return ()

    def state(self) -> dict[str, Any]:
        """Return an empty position."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Do nothing: there is no position."""


class Mapped:
    """A map-style ``torch.utils.data.Dataset``, read example by example.

    Args:
        dataset: any dataset with ``__len__`` and ``__getitem__``.
    """

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        if len(self) == 0:
            raise DataError("a dataset with at least one example", "an empty one", "check how it is made")

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def _collate(self, index: Sequence[int], device: torch.device) -> Batch:
        return _to(default_collate([self.dataset[int(i)] for i in index]), device)

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return shuffled batches, collated as a DataLoader would."""
        return _MappedBatches(self, size, seed, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every example once, in order."""
        for start in range(0, len(self), size):
            yield self._collate(range(start, min(start + size, len(self))), device)


class _MappedBatches(_Permutations):
    def __init__(self, data: Mapped, size: int, seed: int, device: torch.device):
        super().__init__(len(data), size, seed, torch.device("cpu"))
        self.data, self.target_device = data, device

    def next(self) -> Batch:
        return self.data._collate(self.next_indices().tolist(), self.target_device)


class Loaded:
    """A ``torch.utils.data.DataLoader``, whose own batch size and order are kept.

    Args:
        loader: the loader. Its position is saved as (epoch, batch, the generator's state at the
            epoch's start), and found again by replaying the epoch up to that batch.
    """

    def __init__(self, loader: DataLoader):
        self.loader = loader
        # A loader with a generator of its own starts every descent from the same place in it.
        self._start = None if loader.generator is None else loader.generator.get_state()

    def __len__(self) -> int:
        try:
            return len(self.loader.dataset)  # type: ignore[arg-type]
        except TypeError:
            return 0

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return the loader's own batches; ``size`` and ``seed`` are the loader's to choose."""
        if self._start is not None and self.loader.generator is not None:
            self.loader.generator.set_state(self._start)
        return _LoadedBatches(self.loader, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go once through the loader."""
        for batch in self.loader:
            yield _to(batch, device)


class _LoadedBatches:
    def __init__(self, loader: DataLoader, device: torch.device):
        self.loader, self.device = loader, device
        try:
            self.per_epoch = len(loader)
        except TypeError:  # an iterable dataset of unknown length
            self.per_epoch = 1000
        self.epoch, self.position = 0, 0
        self._begin()

    def _generator_state(self) -> Tensor:
        own = self.loader.generator
        return own.get_state() if own is not None else torch.get_rng_state()

    def _set_generator_state(self, state: Tensor) -> None:
        own = self.loader.generator
        own.set_state(state) if own is not None else torch.set_rng_state(state)

    def _begin(self) -> None:
        self.started = self._generator_state()
        self._iterator = iter(self.loader)

    def next(self) -> Batch:
        try:
            batch = next(self._iterator)
        except StopIteration:
            if self.position == 0:
                raise DataError("a loader with at least one batch", "an empty one", "check it") from None
            self.epoch, self.position = self.epoch + 1, 0
            self._begin()
            batch = next(self._iterator)
        self.position += 1
        return _to(batch, self.device)

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "position": self.position,
            "started": self.started.clone(),
            "now": self._generator_state().clone(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
        self._set_generator_state(state["started"])
        self._begin()
        for _ in range(self.position):
            next(self._iterator)
        self._set_generator_state(state["now"])


def as_data(data: object, what: str = "train") -> Data:
    """Take whatever holds a person's examples.

    Args:
        data: ``None`` (no data), a tensor, a tuple of tensors (inputs..., target), a ``Dataset``, a
            ``DataLoader``, or anything with :class:`Data`'s methods.
        what: the argument's name, for the error.

    Raises:
        DataError: where it is none of these.
    """
    if data is None:
        return Whole()
    if isinstance(data, Tensor):
        return InMemory(data)
    if isinstance(data, TensorDataset):
        return InMemory(*data.tensors)
    if isinstance(data, DataLoader):
        return Loaded(data)
    if isinstance(data, tuple | list) and data and all(hasattr(t, "__array__") for t in data):
        return InMemory(*[torch.as_tensor(t) for t in data])
    if isinstance(data, Data):
        return data
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return Mapped(data)  # type: ignore[arg-type]
    raise DataError(
        f"{what} as tensors (inputs, target), a Dataset or a DataLoader",
        f"a {type(data).__name__}",
        "wrap it in one of these",
    )


def _to(batch: Any, device: torch.device) -> Batch:
    """Bring a collated batch to a device, as a tuple."""
    if isinstance(batch, Tensor):
        return (batch.to(device),)
    if isinstance(batch, tuple | list):
        return tuple(b.to(device) if isinstance(b, Tensor) else b for b in batch)
    return (batch,)
