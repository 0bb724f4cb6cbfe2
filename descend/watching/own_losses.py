"""Loss functions that a person wrote: which way their parts are pushed by what is descended."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LOGARITHMS = {torch.log_softmax, F.log_softmax, Tensor.log_softmax, F.logsigmoid}
PRODUCTS = {torch.mul, torch.multiply, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.multiply}
MOST = 512
"""How many parts of one loss are kept."""


class OwnLosses:
    """Parts of losses that are seen in one window."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self.parts: list[tuple[Tensor, Tensor | float]] = []
        self.log_probs: list[Tensor] = []
        self.surprises: list[Tensor] = []
        self.drawn: dict[int, Tensor] = {}

    def result(self, out: Any, towards: Tensor | float = 1.0) -> None:
        """See a part of a loss.

        Args:
            out: what the loss is made of.
            towards: its derivative has this sign, element by element, where it is descended as it should be.
        """
        if isinstance(out, Tensor) and out.requires_grad and len(self.parts) < MOST:
            self.parts.append((out, towards))

    def difference(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See what was predicted subtracted from what came, or the other way round."""
        if a.requires_grad != b.requires_grad and len(self.surprises) < 32:
            # What came less what was expected: an advantage, where values of states are learned.
            self.surprises.append((out if b.requires_grad else -out).detach().flatten())

    def draw(self, out: Any) -> None:
        """See an action drawn."""
        if isinstance(out, Tensor) and len(self.drawn) < MOST:
            self.drawn[id(out)] = out

    def acted(self, args: tuple[Any, ...]) -> bool:
        """Whether it is an action that was drawn whose probability is asked for: no target to learn."""
        return any(self.drawn.get(id(a)) is a for a in args if isinstance(a, Tensor))

    def log_prob(self, out: Any) -> None:
        """See the log-probability of an action (or of an observation)."""
        if isinstance(out, Tensor) and out.requires_grad and len(self.log_probs) < MOST:
            self.log_probs.append(out)

    def signs(self, loss: Tensor) -> tuple[int, float]:
        """Return how a loss descends its parts, and how it weighs actions.

        Returns:
            (1 where some part is descended, −1 where parts are only climbed, 0 where that differs among
            elements or is unknown; correlation between the weights of log-probabilities and the surprises
            that learned values had: −1 where actions that went better than expected become more
            probable; nan where there are none)
        """
        asked = [p for p, _ in self.parts] + self.log_probs
        if not asked or not loss.requires_grad or loss.numel() != 1:
            return 0, float("nan")
        try:
            found = torch.autograd.grad(loss, asked, retain_graph=True, allow_unused=True)
        except RuntimeError:
            return 0, float("nan")
        signs = set()
        for (_, towards), g in zip(self.parts, found, strict=False):
            if g is not None:
                along = g * towards
                low, high = float(along.min()), float(along.max())
                signs.add(1 if low >= 0 < high else -1 if high <= 0 > low else 0)
        sign = 1 if 1 in signs else -1 if signs == {-1} else 0
        weights = [g.flatten() for g in found[len(self.parts) :] if g is not None]
        return sign, self._correlation(torch.cat(weights)) if weights else float("nan")

    def _correlation(self, weights: Tensor) -> float:
        for came in self.surprises:
            if came.shape == weights.shape and len(came) >= 8:
                both = torch.stack([weights.double(), came.double()])
                return float(torch.corrcoef(both)[0, 1])
        return float("nan")
