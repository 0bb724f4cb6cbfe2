"""A function of a table's row: a line, and small networks that share nearly all their weights, added."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.functions.line import Line

QUICK = 3.0
"""How many times faster the features' weighing learns than all else."""


class SharedLinear(nn.Linear):
    """A linear layer of several members: one weight for all, whose outputs each scales and shifts on its own.

    Args:
        inputs: numbers that come in.
        outputs: numbers that go out.
        members: how many share the weight.

    Source: Wen, Tran & Ba 2020, BatchEnsemble, arXiv:2002.06715.
    """

    def __init__(self, inputs: int, outputs: int, members: int):
        super().__init__(inputs, outputs, bias=False)
        self.scale = nn.Parameter(torch.ones(members, outputs))
        self.shift = nn.Parameter(torch.randn(members, outputs) * max(inputs, 1) ** -0.5)

    def forward(self, input: Tensor) -> Tensor:
        """Return (rows, members, outputs) of (rows, 1 or members, inputs)."""
        return torch.addcmul(self.shift, super().forward(input), self.scale)


class WideAndDeep(nn.Module):
    """A linear function of the features, plus the mean of a few small MLPs of them.

    The line alone is ridge or logistic regression, the right answer for many a small table; the networks
    add what a line cannot say. Each is a member: they share all weights but scales and shifts of their hidden
    units, and the last layer. Members err differently, so that their mean errs less than one of them, and
    hold the shared weights back from learning rows by heart. Before the networks each feature is weighed by
    a number that learns fast, so that they soon look at those that matter.

    In training every member answers for itself and has a loss of its own
    (:class:`descend.functions.measures.OfEach`); otherwise the output is their mean, for classes the
    logarithm of their mean probabilities. All start with an output of zero: the mean of a standardised
    target, or equal chances for all classes.

    Args:
        features: numbers a row.
        outputs: numbers an answer; 0 gives a bare number, of shape (rows,).
        slots: for each embedded category, its levels, the unknown one (slot 0) included.
        dimension: length of an embedded level's vector.
        hidden: the networks' widths.
        dropout: the share of hidden units left out in training.
        members: how many networks.

    Sources: Cheng et al. 2016, Wide & Deep Learning for Recommender Systems, arXiv:1606.07792; Gorishniy,
    Kotelnikov & Babenko 2024, TabM, arXiv:2410.24210, whose members each scale the features, too; Holzmüller,
    Grinsztajn & Steinwart 2024, RealMLP, arXiv:2407.04491, for the weighing of the features.

    Example:
        >>> function = WideAndDeep(5, 3, members=8)
        >>> function(torch.zeros(7, 5)).shape, function.eval()(torch.zeros(7, 5)).shape
        (torch.Size([7, 8, 3]), torch.Size([7, 3]))
    """

    first: Tensor

    def __init__(
        self,
        features: int,
        outputs: int = 0,
        slots: Sequence[int] = (),
        dimension: int = 8,
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.1,
        members: int = 1,
    ):
        super().__init__()
        self.outputs, self.dropout, self.members = outputs, dropout, members
        # One embedding holds all columns, each from an offset of its own: one look-up a batch.
        self.embedding = nn.Embedding(sum(slots), dimension) if slots else None
        self.register_buffer("first", torch.tensor([0, *slots]).cumsum(0)[:-1], persistent=False)
        width = features + dimension * len(slots)
        self.wide = nn.Linear(width, max(outputs, 1))
        self.weighing = nn.Parameter(torch.full((width,), 1 / QUICK))
        widths = [width, *hidden]
        self.deep = nn.ModuleList(SharedLinear(a, b, members) for a, b in pairwise(widths))
        self.last = nn.Parameter(torch.zeros(members, widths[-1], max(outputs, 1)))
        with torch.no_grad():
            for weight in (self.wide.weight, self.wide.bias):
                weight.zero_()
            if self.embedding is not None:
                self.embedding.weight.normal_(std=0.1)
                self.embedding.weight[self.first] = 0  # nothing is known of an unknown level
            for i, scale in enumerate(layer.scale for layer in self.layers):
                # Signs make the members of the first layer differ as much as they can; the others follow.
                scale.copy_(torch.randn_like(scale).sign() if i == 0 else 1 + 0.1 * torch.randn_like(scale))

    @property
    def layers(self) -> list[SharedLinear]:
        """The hidden layers, first to last."""
        return [layer for layer in self.deep if isinstance(layer, SharedLinear)]

    def encoded(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Return the features with the vectors of embedded levels behind them, of shape (rows, width).

        Args:
            x: features of shape (rows, features).
            codes: slots of shape (rows, embedded columns), int64.
        """
        if self.embedding is None or codes is None:
            return x
        return torch.cat([x, self.embedding(codes + self.first).flatten(1)], 1)

    def begin_at(self, line: Line) -> None:
        """Start from a linear function of what :meth:`encoded` returns, for amounts."""
        with torch.no_grad():
            self.wide.weight.copy_(line.weight[None])
            self.wide.bias.fill_(line.bias)

    def forget(self, features: Tensor) -> None:
        """Give features that never vary in training no say: what is not learned must not be noise.

        Args:
            features: indices of shape (k,).
        """
        with torch.no_grad():
            self.layers[0].weight[:, features] = 0

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Return (rows,) or (rows, outputs); in training of several members (rows, members, ...).

        Args:
            x: features of shape (rows, features).
            codes: slots of shape (rows, embedded columns), int64.
        """
        x = self.encoded(x, codes)
        h = (x * (QUICK * self.weighing))[:, None]
        for layer in self.deep:
            h = F.dropout(F.silu(layer(h)), self.dropout, self.training)
        output = self.wide(x)[:, None] + torch.einsum("nmh,mho->nmo", h, self.last)
        if not self.outputs:
            output = output.squeeze(-1)
        if self.members == 1:
            return output.squeeze(1)
        if self.training:
            return output
        if not self.outputs:
            return output.mean(1)
        return output.log_softmax(-1).logsumexp(1) - math.log(self.members)
