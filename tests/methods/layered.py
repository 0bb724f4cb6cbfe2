"""Small networks of layers for the tests of K-FAC, in float64, and their matrices."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from descend.methods.kfac import KFAC

PLAIN = {"momentum": 0.0, "kl_clip": 0.0}
"""A step along the natural gradient itself."""

FIXED = {"lr": 0.03, "momentum": 0.9, "kl_clip": 1e-3}
"""What is usual where the step is not searched for."""

WAYS = [FIXED, {**FIXED, "loss": "cross_entropy"}, {"loss": "cross_entropy"}]
"""Empirical, and with a loss that is known; and with a step that is searched for."""

CONVOLUTIONS = [
    (nn.Conv2d(2, 3, (3, 2), padding=1), (4, 2, 5, 6)),
    (nn.Conv2d(2, 3, 3, stride=2, dilation=2, padding=(2, 1), bias=False), (4, 2, 9, 8)),
    (nn.Conv2d(2, 3, 4, padding="same"), (3, 2, 6, 5)),
    (nn.Conv2d(2, 3, 3, padding=2, padding_mode="circular"), (3, 2, 6, 5)),
    (nn.Conv2d(2, 3, 3, padding="valid"), (3, 2, 6, 5)),
    (nn.Conv1d(2, 3, 3, stride=2, padding=1), (4, 2, 9)),
    (nn.Conv1d(2, 3, 4, padding="same", padding_mode="reflect"), (4, 2, 9)),
]


def network(
    *sizes: int, between: type[nn.Module] = nn.Tanh, bias: bool = True, seed: int = 0
) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m, bias), between()]
    return nn.Sequential(*layers[:-1]).double()


def examples(
    n: int = 12, inputs: int = 3, classes: int = 0, seed: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, inputs, generator=g, dtype=torch.float64)
    if classes:
        return x, torch.randint(classes, (n,), generator=g)
    return x, torch.randn(n, 1, generator=g, dtype=torch.float64)


def homogeneous(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)


def as_one(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.cat([weight.flatten(1), bias[:, None]], 1)


def gradients(model: nn.Module, loss: torch.Tensor) -> None:
    model.zero_grad()
    loss.backward()


def descended(model: nn.Module, opt: KFAC, steps: int, seed: int = 0) -> None:
    for k in range(steps):
        x, y = examples(seed=100 * seed + k, classes=2)
        gradients(model, F.cross_entropy(model(x), y))
        opt.step()


def same(model: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))


def closure_of(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], torch.Tensor]:
    def closure() -> torch.Tensor:
        loss = F.mse_loss(model(x), y)
        gradients(model, loss)
        return loss

    return closure


def flat(values: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.cat([v.flatten() for v in values])


class Turned(nn.Module):
    """Positions before or behind the examples, in its second layer."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other, self.shape = nn.Linear(3, 4).double(), nn.Linear(4, 1).double(), shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(self.one(x).tanh().view(*self.shape, 4)).reshape(len(x), -1)
