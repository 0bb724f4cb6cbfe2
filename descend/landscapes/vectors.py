"""A function's parameters as one vector."""

import functools
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Layout:
    """Where each parameter of a function lies in one vector (n,): all that are not frozen, in their order.

    Args:
        function: whose parameters.

    Attributes:
        names: of the parameters.
        shapes: of each.
        dtype: of the vector: the widest of the parameters'.
        count: n.

    Example:
        >>> layout = Layout(nn.Linear(2, 1))
        >>> layout.count, {name: tuple(p.shape) for name, p in layout.values(torch.zeros(3)).items()}
        (3, {'weight': (1, 2), 'bias': (1,)})
    """

    def __init__(self, function: nn.Module):
        own = {name: p for name, p in function.named_parameters() if p.requires_grad}
        self.names = list(own)
        self.shapes = [p.shape for p in own.values()]
        self._sizes = [p.numel() for p in own.values()]
        self._dtypes = [p.dtype for p in own.values()]
        self.dtype = functools.reduce(torch.promote_types, self._dtypes)
        self.count = sum(self._sizes)

    def vector(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return tensors by name as a vector (n,), a copy."""
        return torch.cat([values[name].detach().reshape(-1).to(self.dtype) for name in self.names])

    def of(self, function: nn.Module) -> Tensor:
        """Return where a function's parameters are, (n,)."""
        return self.vector(dict(function.named_parameters()))

    def pieces(self, vector: Tensor) -> list[Tensor]:
        """Return a vector (n,) as tensors in the parameters' shapes and formats."""
        parts = vector.split(self._sizes)
        return [
            part.view(shape).to(dtype)
            for part, shape, dtype in zip(parts, self.shapes, self._dtypes, strict=True)
        ]

    def values(self, vector: Tensor) -> dict[str, Tensor]:
        """Return a vector (n,) as tensors by name."""
        return dict(zip(self.names, self.pieces(vector), strict=True))
