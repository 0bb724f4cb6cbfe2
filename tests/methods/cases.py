"""The methods' tests, as one table: a method joins every test by having a row here.

What a test needs to know about one method stands in its row, never in a branch on its name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from descend.methods import TABLE
from descend.methods.method import EXECUTORS

LR = 0.01


@dataclass(frozen=True)
class Case:
    """What one method is compared with.

    A reference from ``torch.optim`` is driven as it stands. Any other is only asked to descend real
    parameters along given gradients: climbing, complex numbers, closures and groups are done for it
    (:class:`pairs.Reference`).

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
        ulp: how far parameters may be from torch.optim's after 200 steps, in units of the last place of
            the tensor's largest number.
        narrow: whether the reference can run in bfloat16 and means the same by it.
        whole_tensor: whether the method looks at a tensor as a whole, so that flattening changes it.
        graph: whether gradients must come with their graph, because the method differentiates them.
        together: whether something is decided for all parameters at once: when to do rare work, a number.
        evaluation: takes the reference to its point of evaluation and back: ``(into, back)``.
        passes: the most passes over memory that the portable program of one parameter may make, at the
            defaults, where somebody has counted them by hand.
        programs: how many programs at most the step count makes in 50 steps (1 where the rule does not
            branch on it).
        temporaries: how many temporaries as large as all parameters a step of the portable executor may have
            in use at once; torch's own allow themselves one to five.
        rounding: how much farther than the surer side ours may be from the truth in float32 and bfloat16,
            as a factor: 2, or more where a sign or an orthogonalisation makes much of little.
        on_device: the largest relative difference to the oracle in float32 on a GPU: larger where parts are
            computed in bfloat16 there, in stacks whose sums have another order.
        without: names of tests that do not apply → why, in words. The names are those of :data:`WITHOUT`.
        generic: names of PyTorch's own generic tests that do not apply → why (``optimizer_infos.py``).
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
    graph: bool = False
    together: bool = False
    evaluation: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None
    passes: int | None = None
    programs: int = 1
    temporaries: float = 4.5
    rounding: float = 2.0
    on_device: float = 1e-5
    without: Mapping[str, str] = field(default_factory=dict)
    generic: Mapping[str, str] = field(default_factory=dict)

    @property
    def native(self) -> bool:
        """Whether the reference is one of torch's own, with all that torch's have."""
        return self.source.startswith("torch.optim")


WITHOUT = {
    "closure": "agreement where the loss is evaluated by a closure",
    "compiled": "a compiled network descends",
    "complex": "agreement for complex parameters",
    "direction": "down a sum of squares under a schedule, and up it",
    "decay": "agreement with weight decay",
    "empty": "agreement for tensors without elements",
    "number": "agreement for tensors without dimensions",
    "experts": "agreement where some parameters often have no gradient",
    "float32": "agreement in float32",
    "bfloat16": "agreement in bfloat16",
    "groups": "agreement where groups have their own hyperparameters",
    "maximize": "climbing is descending along the negative gradient",
    "mixed": "parameters of two dtypes in one group",
    "permutation": "permuting the parameters permutes the results",
    "scaler": "agreement under torch's GradScaler",
    "schedulers": "agreement under torch's schedules",
    "still": "a learning rate of zero moves nothing",
    "tiny": "agreement for gradients near 1e-8",
    "wide": "float32 state beside bfloat16 parameters",
}
"""What a row may say does not apply to its method, if it says why."""

ULP: dict[tuple[str, torch.dtype], float] = {
    # Over eight seeds the worst of ``foreach`` was 0 with momentum and 2.5 with Adam in float32, 0 and 2.9
    # in bfloat16. ``reference`` rounds after every operation, which torch does not: 3.7 in float32, 7.5 in
    # bfloat16.
    ("foreach", torch.float32): 4.0,
    ("foreach", torch.bfloat16): 4.0,
    ("reference", torch.float32): 4.0,
    ("reference", torch.bfloat16): 16.0,
}


def package(module: str, name: str, **fixed: Any) -> Callable[..., Any]:
    """Return a class of another package that is imported when it is first used: some take seconds."""

    def make(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **{**fixed, **kwargs})

    return make


CASES: dict[str, Case] = {}
for family in sorted(Path(__file__).parent.glob("cases_*.py")):
    CASES.update(import_module(family.stem).CASES)

compared = [name for name in TABLE if name in CASES]  # that these are all is a test of its own
methods = pytest.mark.parametrize("name", compared)
# In bfloat16 the order of operations shows: compared is torch's form of the same order.
SAME_TEXT: dict[torch.dtype, dict[str, Any]] = {torch.bfloat16: {"foreach": True}}

executors = pytest.mark.parametrize("executor", list(EXECUTORS))
variants = pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(name, variant, id="-".join([name, *variant]))
        for name in compared
        for variant in CASES[name].variants
    ],
)

every_executor = pytest.mark.parametrize(
    ("name", "variant", "executor"),
    [
        pytest.param(name, variant, executor, id="-".join([executor, name, *variant]))
        for name in compared
        for executor in EXECUTORS
        for variant in (CASES[name].variants if executor == "foreach" else ({},))
    ],
)
"""Every variant by the portable executor, the defaults by the others."""


def unless(name: str, *tests: str) -> None:
    """Leave a test out where the method's row says that it does not apply, and why."""
    for test in tests:
        if test in CASES[name].without:
            pytest.skip(f"{test}: {CASES[name].without[test]}")


def shares(name: str) -> bool:
    """Whether a method keeps numbers for all parameters together: they are sums, in some order."""
    return any(kept.kind == "all" for kept in TABLE[name].rule.kept.values())


def together(name: str) -> bool:
    """Whether no parameter goes on as it would alone."""
    return CASES[name].together or shares(name)


def lr(name: str) -> dict[str, Any]:
    """Return the learning rate of a method's tests, as it is given to ours."""
    return {"lr": CASES[name].lr} if "lr" in TABLE[name].defaults else {}


def has(name: str, hyperparameter: str) -> bool:
    """Whether a method has a hyperparameter of this name."""
    return hyperparameter in TABLE[name].defaults


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


def laid_out(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> list[torch.nn.Parameter]:
    """Return :func:`layouts` of the shapes that a method takes."""
    found = layouts(dtype, seed, CASES[name].shapes)
    takes, without = TABLE[name].takes or (lambda p: True), CASES[name].without
    if "empty" in without:
        found = [p for p in found if p.numel()]
    if "number" in without:
        found = [p for p in found if p.dim()]
    return [p for p in found if takes(p)]


def gradients(parameters: list[torch.nn.Parameter], seed: int = 1):
    """An endless sequence of gradients; the last parameter's are near 1e-8."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        found = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        found[-1] = found[-1] * 1e-8
        yield [g.to(p.dtype) for g, p in zip(found, parameters, strict=True)]


def copies(parameters: list[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    """Copy parameters, gaps between their numbers included: a norm is summed in the order of memory."""
    laid = [torch.empty_strided(p.shape, p.stride(), dtype=p.dtype, device=p.device) for p in parameters]
    return [torch.nn.Parameter(x.copy_(p.detach())) for x, p in zip(laid, parameters, strict=True)]


def give(parameters: Sequence[torch.nn.Parameter], found: Sequence[torch.Tensor]) -> None:
    for p, g in zip(parameters, found, strict=True):
        p.grad = g.clone()


def apart(mine: torch.Tensor, other: torch.Tensor, scale: torch.Tensor | float = 0.0) -> float:
    """Largest difference, relative to the largest number of the tensor, or to ``scale`` where larger."""
    if mine.numel() == 0:
        return 0.0
    mine, other = mine.detach().double(), other.detach().double()
    return float((mine - other).abs().max() / max(float(other.abs().max()), float(scale), 1e-300))
