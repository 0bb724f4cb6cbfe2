"""Small problems that the tests of the loop share."""

import torch
from torch import nn

from descend import Problem


def classes(
    n: int = 240, *, dropout: float = 0.2, norm: bool = True, validation: bool = True, seed: int = 0
) -> Problem:
    """A network with dropout (it draws random numbers) and batch norm (it keeps buffers)."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 8, generator=g)
    y = (x[:, :3] + 0.3 * torch.randn(n, 3, generator=g)).argmax(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Linear(8, 16), *([nn.BatchNorm1d(16)] if norm else []), nn.ReLU(), nn.Dropout(dropout)]
        model = nn.Sequential(*layers, nn.Linear(16, 3))
    held_out = (x[:60], y[:60]) if validation else None
    return Problem(
        model, "cross_entropy", train=(x[60:], y[60:]), validation=held_out, metric="accuracy", name="classes"
    )


def bowl(dimension: int = 3) -> Problem:
    """A quadratic whose minimum, at (1, 1, ...), has the value 2."""
    scale = torch.arange(1, dimension + 1, dtype=torch.float64)

    def value(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return (scale * (parameters["x"] - 1) ** 2).sum() / 2 + 2

    return Problem(
        value, parameters={"x": torch.zeros(dimension, dtype=torch.float64)}, name="bowl", minimum=2.0
    )
