"""A method of ours beside its reference, both driven along the same gradients."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from cases import CASES, SAME_TEXT, Case, apart, give, gradients, lr, shares

from descend.methods import TABLE

Parameters = list[torch.nn.Parameter]


def real(x: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


class Reference:
    """The reference, with what it lacks done for it.

    One of torch's own is left to itself. For another, climbing is descending along −g, a complex parameter
    is its real and imaginary parts, a closure is called beforehand, and each group has an optimizer of its
    own (but for methods that keep numbers for all parameters together).

    Attributes:
        parameters: its own parameters, in the order of ours.
    """

    def __init__(self, name: str, groups: list[tuple[Parameters, dict[str, Any]]]):
        self.case = case = CASES[name]
        self.parameters: Parameters = []
        self.signs: list[float] = []
        made = []
        for tensors, h in groups:
            h = {**lr(name), **h}
            climbs = not case.native and h.pop("maximize", False)
            own = [torch.nn.Parameter(self._own(p)) for p in tensors]
            self.parameters += own
            self.signs += [-1.0 if climbs else 1.0] * len(own)
            made.append({"params": own, **case.theirs(h)})
        one = case.native or shares(name)
        self.optimizers = [self._make(made)] if one else list(map(self._alone, made))

    def _own(self, p: torch.Tensor) -> torch.Tensor:
        p = p.detach() if self.case.native else real(p.detach())
        return p.clone(memory_format=torch.preserve_format)

    def _alone(self, group: dict[str, Any]) -> Any:
        return self.case.reference(group.pop("params"), **group)

    def _make(self, groups: list[dict[str, Any]]) -> Any:
        if len(groups) == 1 and not self.case.native:
            return self._alone(groups[0])
        text = SAME_TEXT.get(groups[0]["params"][0].dtype, {})
        if not self.case.native or "foreach" not in inspect.signature(self.case.reference).parameters:
            text = {}
        shared = {k: v for k, v in groups[0].items() if k != "params"}  # a default that groups may change
        return self.case.reference(groups, **shared, **text)

    def step(self, found: Sequence[torch.Tensor | None], closure: Callable | None = None) -> Any:
        """Take a step along these gradients, which are for the parameters that were given."""
        if found:
            for p, g, sign in zip(self.parameters, found, self.signs, strict=True):
                p.grad = None if g is None else sign * (g if self.case.native else real(g))
                if p.grad is not None:
                    p.grad = p.grad.resolve_conj().clone()
        return self.go(closure)

    def along(self, found: Sequence[torch.Tensor | None]) -> None:
        """Take a step along these gradients, from a loss where the method needs their graph."""
        if self.case.graph:
            signed = [None if g is None else s * g for g, s in zip(found, self.signs, strict=True)]
            give_some(self.case, self.parameters, signed)
            self.go()
        else:
            self.step(found)

    def go(self, closure: Callable | None = None) -> Any:
        """Take a step along the gradients that its parameters have."""
        if closure is not None and self.case.native:
            return self.optimizers[0].step(closure)
        loss = None
        if closure is not None:
            loss = closure()
            for p, sign in zip(self.parameters, self.signs, strict=True):
                if p.grad is not None and sign < 0:
                    p.grad.neg_()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def update(self, **hyperparameters: Any) -> None:
        """Change hyperparameters of all groups, under our names."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group.update(self.case.theirs(hyperparameters))

    def evaluate(self, entering: bool) -> None:
        """Go to where it evaluates, or back to where it trains."""
        assert self.case.evaluation is not None
        for optimizer in self.optimizers:
            self.case.evaluation[not entering](optimizer)


class Pair:
    """A method of ours, ``mine``, and its reference, ``sure``.

    Args:
        name: of the method.
        parameters: ours; the reference has copies, perhaps in another dtype.
        executor: ours.
        dtype: of the reference's parameters, where another.
        **hyperparameters: ours, beside the row's learning rate.
    """

    def __init__(
        self,
        name: str,
        parameters: Parameters,
        executor: str = "foreach",
        dtype: torch.dtype | None = None,
        **hyperparameters: Any,
    ):
        self.case, self.parameters = CASES[name], parameters
        theirs = [torch.nn.Parameter(p.detach().to(dtype or p.dtype)) for p in parameters]
        self.sure = Reference(name, [(theirs, hyperparameters)])
        self.mine = TABLE[name](parameters, executor=executor, **{**lr(name), **hyperparameters})

    def step(self, found: list[torch.Tensor]) -> None:
        """Take a step on both sides."""
        feed(self.case, self.parameters, found)
        self.mine.step()
        self.sure.along([g.to(p.dtype) for g, p in zip(found, self.sure.parameters, strict=True)])

    def descend(self, steps: int, seed: int = 1) -> "Pair":
        """Take steps along random gradients."""
        for _, found in zip(range(steps), gradients(self.parameters, seed), strict=False):
            self.step(found)
        return self

    def apart(self, start: list[torch.Tensor] | None = None) -> list[float]:
        """Return how far each parameter is from the reference's, relative to its largest number."""
        return distances(self.parameters, self.sure.parameters, start)

    def agree(self, bound: float | None = None, start: list[torch.Tensor] | None = None) -> None:
        """Hold every parameter to the row's bound in float64, or to another."""
        agree(self.parameters, self.sure.parameters, self.case.double if bound is None else bound, start)


def feed(case: Case, parameters: Parameters, found: Sequence[torch.Tensor]) -> None:
    """Give gradients, or take them from a quadratic loss where the method needs their graph.

    Its Hessian is diagonal, so that an estimate from random signs is exact.
    """
    if not case.graph:
        give(parameters, found)
        return
    for p in parameters:
        p.grad = None
    with torch.enable_grad():
        both = zip(parameters, found, strict=True)
        curved = [(0.5 * (g.abs() + 0.5) * p**2 + g * p).sum() for p, g in both]
        torch.stack(curved).sum().backward(create_graph=True)


def give_some(case: Case, parameters: Parameters, found: Sequence[torch.Tensor | None]) -> None:
    """Give gradients to some parameters, and none to the others."""
    for p in parameters:
        p.grad = None
    some = [(p, g) for p, g in zip(parameters, found, strict=True) if g is not None]
    feed(case, [p for p, _ in some], [g for _, g in some])


def distances(mine: Any, others: Any, start: Any = None) -> list[float]:
    """Return how far each tensor is from the other, relative to its largest number."""
    result = []
    for i, (p, other) in enumerate(zip(mine, others, strict=True)):
        p, other = real(p.detach()), real(other.detach())
        scale = 0.0 if start is None or not p.numel() else start[i].detach().abs().max()
        result.append(apart(p, other, scale))
    return result


def agree(mine: Any, others: Any, bound: float = 1e-12, start: Any = None) -> None:
    """Hold tensors to be equal, relative to their largest number."""
    for i, found in enumerate(distances(mine, others, start)):
        assert found <= bound, f"parameter {i}: {found:.2g} apart, of {bound:.2g} allowed"
