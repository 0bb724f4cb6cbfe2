"""The methods' tests, as one table: a method joins every test by having a row here.

What a test needs to know about one method stands in its row, never in a branch on its name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
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
        reference: makes the same method from someone else's code, or from a text written out in
            ``references/``: ``(parameters, **hyperparameters) → something with step() and param_groups``.
        source: what ``reference`` is, as docs/parity.md names it.
        variants: our hyperparameters, beside the defaults, under which it must agree.
        theirs: our hyperparameters → the reference's; by default they have the same names.
        lr: the learning rate of the tests.
        shapes: ``any``, or ``matrices`` for a method that takes nothing else.
        cyclic: the hyperparameter that OneCycleLR cycles as momentum, if there is one.
        double: the largest relative difference allowed in float64 after 200 steps.
        ulp: how far parameters may be from the reference's after 200 steps, in units of the last place of
            the tensor's largest number.
        narrow: whether the reference can run in bfloat16 and means the same by it.
        whole_tensor: whether the method looks at a tensor as a whole, so that flattening changes it.
    """

    reference: Callable[..., Any]
    variants: tuple[dict[str, Any], ...] = ({},)
    source: str = "torch.optim"
    theirs: Callable[[dict[str, Any]], dict[str, Any]] = dict
    lr: float = LR
    shapes: str = "any"
    cyclic: str | None = None
    double: float = 1e-12
    ulp: dict[tuple[str, torch.dtype], float] = field(default_factory=lambda: dict(ULP))
    narrow: bool = True
    whole_tensor: bool = False


ULP: dict[tuple[str, torch.dtype], float] = {
    # Over eight seeds the worst of ``foreach`` was 0 with momentum and 2.5 with Adam in float32, 0 and 2.9
    # in bfloat16. ``reference`` rounds after every operation, which torch does not: 3.7 in float32, 7.5 in
    # bfloat16.
    ("foreach", torch.float32): 4.0,
    ("foreach", torch.bfloat16): 4.0,
    ("reference", torch.float32): 4.0,
    ("reference", torch.bfloat16): 16.0,
}

CASES: dict[str, Case] = {}
for family in ("cases_torch",):
    CASES.update(import_module(family).CASES)

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


def layouts(
    dtype: torch.dtype = torch.float64, seed: int = 0, shapes: str = "any"
) -> list[torch.nn.Parameter]:
    """Parameters of all shapes: a matrix, a vector, a number, none at all, not contiguous."""
    generator = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    if shapes == "matrices":  # wide, tall, square, not contiguous, one of more than two dimensions
        found = (some(4, 6), some(6, 4), some(5, 5), some(8, 6).t()[:, ::2], some(4, 3, 2, 2))
        return [torch.nn.Parameter(x) for x in found]
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
