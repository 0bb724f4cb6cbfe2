"""One long row of tokens, as examples: pieces of it."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from descend.errors import DataError
from descend.functions.data import Batch, Batches, generator_at


class Windows:
    """Pieces of one long row of tokens, as examples.

    A training batch is pieces from random places, a function of (seed, step) alone, so that a position is
    one integer. A pass goes over pieces that do not overlap; up to ``context`` tokens at the end are left
    out.

    Args:
        tokens: shape (n,), any integer type.
        context: tokens in a piece; each has the token after it as its target.

    Raises:
        DataError: where there is not even one piece.
    """

    def __init__(self, tokens: Tensor, context: int):
        if len(tokens) <= context:
            raise DataError(
                f"more than {context} tokens, the context", f"{len(tokens)}", "take a shorter context"
            )
        self.tokens, self.context = tokens, context

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return batches of inputs and targets, each int64 of shape (size, context)."""
        return _RandomWindows(self.tokens.to(device), self.context, min(size, len(self)), seed, len(self))

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over the pieces once, in order."""
        n = len(self) * self.context
        x = self.tokens[:n].view(-1, self.context)
        y = self.tokens[1 : n + 1].view(-1, self.context)
        for inputs, targets in zip(x.split(size), y.split(size), strict=True):
            yield inputs.to(device).long(), targets.to(device).long()


class _RandomWindows:
    def __init__(self, tokens: Tensor, context: int, size: int, seed: int, pieces: int):
        self.tokens, self.context, self.size, self.seed = tokens, context, size, seed
        self.per_epoch = max(1, pieces // size)
        self.step = 0
        self._within = torch.arange(context + 1, device=tokens.device)

    def next(self) -> Batch:
        generator = generator_at(self.seed, self.step)
        self.step += 1
        last = len(self.tokens) - self.context
        start = torch.randint(last, (self.size, 1), generator=generator).to(self.tokens.device)
        pieces = self.tokens[start + self._within].long()
        return pieces[:, :-1], pieces[:, 1:]

    def state(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
