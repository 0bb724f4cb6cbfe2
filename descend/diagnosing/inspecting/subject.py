"""What is inspected: copies of a problem's function, and examples that are always the same."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from descend.descent.descent import Descent
from descend.diagnosing.examples import Kept
from descend.errors import DataError, UsageError
from descend.functions.data import Batch, InMemory, Loaded, Whole
from descend.functions.problem import Problem

EXAMPLES, READ = 4096, 512
"""Training examples that are enough to know what a constant answer costs; fewer where each must be read."""


class Same:
    """One batch, again and again.

    Args:
        batch: it.
    """

    per_epoch = 1

    def __init__(self, batch: Batch):
        self.batch = batch

    def __len__(self) -> int:
        return length(self.batch)

    def batches(self, size: int, seed: int, device: torch.device) -> Same:
        """Return itself: every step sees the same batch."""
        return self

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Yield the one batch."""
        yield self.batch

    def next(self) -> Batch:
        """Return the one batch."""
        return self.batch

    def state(self) -> dict[str, Any]:
        """Return an empty position."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Do nothing: there is no position."""


@dataclass
class Subject:
    """A problem, and what every part of its inspection needs.

    Attributes:
        problem: it; never changed.
        descent: as it would begin, by the problem's own settings; no step of it is taken.
        batch: the first training batch, on the device.
        kept: some :data:`EXAMPLES` training examples.
        seed: what all chance is drawn from.
    """

    problem: Problem
    descent: Descent
    batch: Batch
    kept: Kept
    seed: int

    @classmethod
    def of(cls, problem: Problem, seed: int, device: str | None) -> Subject:
        """Take a first batch, and some examples.

        Args:
            problem: it.
            seed: as above.
            device: where to compute; the first GPU, or the CPU.
        """
        descent = Descent(problem, seed=seed, device=device)
        most = EXAMPLES if isinstance(problem.train, InMemory | Whole) else READ
        kept = Kept(problem.train, descent.device, most)
        return cls(problem, descent, descent.batches.next(), kept, seed)

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self.descent.device

    @property
    def examples(self) -> int:
        """How many examples the batch has."""
        return length(self.batch)

    def function(self) -> nn.Module:
        """Return a copy of the function, in training, without what compiles it."""
        copied = self.problem.fresh_function().to(self.device).train()
        return getattr(copied, "_orig_mod", copied)

    @contextlib.contextmanager
    def random(self) -> Iterator[None]:
        """Draw the same numbers inside each such block: dropout leaves out the same values."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed)
            yield

    def target(self) -> Tensor | None:
        """Return the targets of the kept examples, one after another; ``None`` where they are no tensors."""
        targets = [batch[-1] for batch in self.kept.kept if batch]
        if self.problem.loss is None or not targets or not all(isinstance(t, Tensor) for t in targets):
            return None
        if len({t.shape[1:] for t in targets}) > 1 or any(t.ndim == 0 for t in targets):
            return None
        return torch.cat(targets)


def length(batch: Any) -> int:
    """Return how many examples a batch has: the first dimension of its last tensor; 1 without any."""
    tensors = list(tensors_of(batch))
    return len(tensors[-1]) if tensors and tensors[-1].ndim else 1


def tensors_of(batch: Any) -> Iterator[Tensor]:
    """Go over all tensors in nested tuples, lists and dictionaries."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, dict):
        for value in batch.values():
            yield from tensors_of(value)
    elif isinstance(batch, tuple | list):
        for value in batch:
            yield from tensors_of(value)


def some(batch: Any, most: int) -> Any:
    """Return the first examples of a batch; what is no tensor of examples stays as it is."""
    whole = length(batch)

    def cut(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[:most] if value.ndim and len(value) == whole else value
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        if isinstance(value, tuple | list) and type(value) in (tuple, list):
            return type(value)(cut(inner) for inner in value)
        return value

    return cut(batch)


@contextlib.contextmanager
def untouched(problem: Problem) -> Iterator[None]:
    """Leave random generators and the number of threads as they were, those of a data loader too."""
    own = [part.loader for part in (problem.train, problem.validation) if isinstance(part, Loaded)]
    states = [(o.generator, o.generator.get_state()) for o in own if o.generator is not None]
    threads, python, numpy = torch.get_num_threads(), random.getstate(), np.random.get_state()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(cuda), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)
        for generator, state in states:
            generator.set_state(state)


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Say of what torch raises at the first call that it is about this function, loss and data."""
    try:
        yield
    except (RuntimeError, TypeError, IndexError, ValueError) as error:
        if "memory" in str(error) or isinstance(error, UsageError):
            raise
        raise DataError(
            "a function and a loss that take the examples",
            f"{type(error).__name__}: {error}".splitlines()[0],
            "check the shapes and types of the inputs, the output and the target",
        ) from error
