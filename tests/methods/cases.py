"""The methods' tests, as one table: a method joins every test by having a row here.

What a test needs to know about one method stands in its row, never in a branch on its name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch

from descend.methods import TABLE
from descend.methods.method import EXECUTORS

LR = 0.01


@dataclass(frozen=True)
class Case:
    """What one method is compared with.

    Attributes:
        reference: the same method from torch.optim.
        variants: hyperparameters beside the defaults under which it must agree.
        cyclic: the hyperparameter that OneCycleLR cycles as momentum, if there is one.
        ulp: how far parameters may be from torch's after 200 steps, in units of the last place of the
            tensor's largest number. Over eight seeds the worst of ``foreach`` was 0 with momentum and 2.5
            with Adam in float32, 0 and 2.9 in bfloat16. ``reference`` rounds after every operation, which
            torch does not: 3.7 in float32, 7.5 in bfloat16.
    """

    reference: Callable[..., torch.optim.Optimizer]
    variants: tuple[dict[str, Any], ...]
    cyclic: str | None = None
    ulp: dict[tuple[str, torch.dtype], float] = field(
        default_factory=lambda: {
            ("foreach", torch.float32): 4.0,
            ("foreach", torch.bfloat16): 4.0,
            ("reference", torch.float32): 4.0,
            ("reference", torch.bfloat16): 16.0,
        }
    )


_ADAM = (
    {},
    {"weight_decay": 0.1},
    {"amsgrad": True, "betas": (0.8, 0.99), "eps": 1e-6},
    {"maximize": True, "betas": (0.0, 0.9)},
    {"weight_decay": 0.1, "amsgrad": True, "maximize": True},
)

CASES: dict[str, Case] = {
    "sgd": Case(
        torch.optim.SGD,
        (
            {},
            {"weight_decay": 0.1},
            {"momentum": 0.9, "dampening": 0.3},
            {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True, "maximize": True},
        ),
        cyclic="momentum",
    ),
    "momentum": Case(
        partial(torch.optim.SGD, momentum=0.9),
        ({}, {"momentum": 0.5, "weight_decay": 0.1}, {"nesterov": True}),
        cyclic="momentum",
    ),
    "nesterov": Case(
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        ({}, {"momentum": 0.5, "weight_decay": 0.1}, {"maximize": True}),
        cyclic="momentum",
    ),
    "adam": Case(torch.optim.Adam, _ADAM, cyclic="betas"),
    "adamw": Case(torch.optim.AdamW, _ADAM, cyclic="betas"),
}

methods = pytest.mark.parametrize("name", list(TABLE))
# In bfloat16 the order of operations shows: compared is torch's form of the same order.
SAME_TEXT: dict[torch.dtype, dict[str, Any]] = {torch.bfloat16: {"foreach": True}}

executors = pytest.mark.parametrize("executor", list(EXECUTORS))
variants = pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(name, variant, id="-".join([name, *variant]))
        for name, case in CASES.items()
        for variant in case.variants
    ],
)


def layouts(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[torch.nn.Parameter]:
    """Parameters of all shapes: a matrix, a vector, a number, none at all, not contiguous."""
    generator = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    return [torch.nn.Parameter(x) for x in (some(4, 3), some(5), some(), some(0), some(6, 4).t()[:, ::2])]


def gradients(parameters: list[torch.nn.Parameter], seed: int = 1):
    """An endless sequence of gradients; the last parameter's are near 1e-8."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        found = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        found[-1] = found[-1] * 1e-8
        yield [g.to(p.dtype) for g, p in zip(found, parameters, strict=True)]


def copies(parameters: list[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(p.detach().clone(memory_format=torch.preserve_format)) for p in parameters]


def give(parameters: list[torch.nn.Parameter], found: list[torch.Tensor]) -> None:
    for p, g in zip(parameters, found, strict=True):
        p.grad = g.clone()


def apart(mine: torch.Tensor, other: torch.Tensor, scale: torch.Tensor | float = 0.0) -> float:
    """Largest difference, relative to the largest number of the tensor, or to ``scale`` where larger."""
    if mine.numel() == 0:
        return 0.0
    mine, other = mine.detach().double(), other.detach().double()
    return float((mine - other).abs().max() / max(float(other.abs().max()), float(scale), 1e-300))
