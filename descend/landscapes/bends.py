"""A curve of low loss from one solution to another."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from descend.descent.descent import Descent
from descend.descent.until import Until
from descend.functions.problem import Problem, Settings
from descend.landscapes.vectors import Layout


class Bend(nn.Module):
    """A function at a point drawn anew, each time it is called, from a curve between two solutions.

    The curve is Bézier's of second degree, (1 − t)² A + 2 t (1 − t) M + t² B; its parameter is M. Descending
    the mean loss over all t finds a curve of low loss, where there is one (Garipov et al. 2018,
    arXiv:1802.10026).

    Args:
        function: whose parameters A and B are.
        a: where the curve begins, (n,).
        b: where it ends.
    """

    start: Tensor
    end: Tensor

    def __init__(self, function: nn.Module, a: Tensor, b: Tensor):
        super().__init__()
        self.layout = Layout(function)
        self.function = copy.deepcopy(function).requires_grad_(False)
        self.register_buffer("start", a.clone())
        self.register_buffer("end", b.clone())
        self.middle = nn.Parameter((a + b) / 2)

    def at(self, t: Tensor) -> Tensor:
        """Return points (k, n) of the curve at t (k,)."""
        t = t[:, None].to(self.start.dtype)
        return (1 - t) ** 2 * self.start + 2 * t * (1 - t) * self.middle + t**2 * self.end

    def forward(self, *inputs: Any) -> Any:
        """Return the function at a point of the curve; in the middle of it in eval mode."""
        t = torch.rand(1) if self.training else torch.tensor([0.5])
        point = self.at(t.to(self.start.device))[0]
        return functional_call(self.function, self.layout.values(point), inputs)


def bend(
    problem: Problem, function: nn.Module, a: Tensor, b: Tensor, *, steps: int | None = None, seed: int = 0
) -> Bend:
    """Find a curve of low loss between two solutions.

    Args:
        problem: whose training loss is descended.
        function: with its buffers.
        a: one solution, (n,).
        b: the other.
        steps: of the descent; by default as many as the problem's own has.
        seed: of the batches, and of where on the curve they are evaluated.
    """
    own = problem.settings
    settings = replace(Settings(method="adam", lr=3e-3), batch_size=own.batch_size, steps=steps or own.steps)
    curve = Problem(
        Bend(function, a, b), problem.loss, train=problem.train, settings=settings, name="a curve"
    )
    descent = Descent(curve, seed=seed)
    descent.run(Until(steps=settings.steps))
    found = descent.function
    assert isinstance(found, Bend)
    return found.eval()
