"""A function of a table's row: a line and a small network, added."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WideAndDeep(nn.Module):
    """A linear function of the features plus a small MLP of them.

    The line alone is ridge or logistic regression, the right answer for many a small table; the network
    adds what a line cannot say. After Cheng et al., "Wide & Deep Learning for Recommender Systems",
    arXiv:1606.07792. Both start with an output of zero: the mean of a standardised target, or equal
    chances for all classes.

    Args:
        features: numbers a row.
        outputs: numbers an answer; 0 gives a bare number, of shape (rows,).
        slots: for each embedded category, its levels, the unknown one (slot 0) included.
        dimension: length of an embedded level's vector.
        hidden: the network's widths.
        dropout: the share of hidden units left out in training.
    """

    first: Tensor

    def __init__(
        self,
        features: int,
        outputs: int = 0,
        slots: Sequence[int] = (),
        dimension: int = 8,
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.3,
    ):
        super().__init__()
        self.outputs, self.dropout = outputs, dropout
        # One embedding holds all columns, each from an offset of its own: one look-up a batch.
        self.embedding = nn.Embedding(sum(slots), dimension) if slots else None
        self.register_buffer("first", torch.tensor([0, *slots]).cumsum(0)[:-1], persistent=False)
        width = features + dimension * len(slots)
        self.wide = nn.Linear(width, max(outputs, 1))
        widths = [width, *hidden]
        self.deep = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.last = nn.Linear(widths[-1], max(outputs, 1), bias=False)
        with torch.no_grad():
            for weight in (self.wide.weight, self.wide.bias, self.last.weight):
                weight.zero_()
            if self.embedding is not None:
                self.embedding.weight.normal_(std=0.1)
                self.embedding.weight[self.first] = 0  # nothing is known of an unknown level

    def forget(self, features: Tensor) -> None:
        """Give features that never vary in training no say: what is not learned must not be noise.

        Args:
            features: indices of shape (k,).
        """
        with torch.no_grad():
            next(self.deep.parameters())[:, features] = 0

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Return (rows,) or (rows, outputs).

        Args:
            x: features of shape (rows, features).
            codes: slots of shape (rows, embedded columns), int64.
        """
        if self.embedding is not None and codes is not None:
            x = torch.cat([x, self.embedding(codes + self.first).flatten(1)], 1)
        h = x
        for layer in self.deep:
            h = F.dropout(F.silu(layer(h)), self.dropout, self.training)
        output = self.wide(x) + self.last(h)
        return output if self.outputs else output.squeeze(-1)
