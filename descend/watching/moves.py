"""How a step moves each parameter: the true Δw, of whichever optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.watching.facts import ParameterFacts
from descend.watching.later import Later
from descend.watching.observations import Moved
from descend.watching.samples import local, moments, norm, numbers, share, some, spread, stride

COUNT = 24
"""How many parameters of an optimizer are looked at in one step."""
UNITS, INPUTS = 256, 64
"""How many of a weight's units are compared, and how many of their inputs."""
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


class Before:
    """Some parameters of an optimizer before its step, and the gradients that it finds.

    Args:
        optimizer: it.
        asks: whether the step asks a closure for gradients: those that are there are of the step before.
    """

    def __init__(self, optimizer: Optimizer, asks: bool = False):
        every = [p for group in optimizer.param_groups for p in group["params"]]
        self.missing = [] if asks else [p for p in every if p.grad is None]
        moving = [p for p in every if (p.requires_grad if p.grad is None else _dense(p.grad))]
        moving = [p for p in moving if not p.is_complex() and (asks or p.grad is not None)]
        moving = spread(moving, COUNT)
        self.parameters = moving
        self.w = [numbers(p).copy() for p in moving]
        self.g = [_gradient(p) for p in moving]
        self._followed = True

    def asked(self, once: bool) -> None:
        """Take the gradients that the step was given: where it asked once, else those that it began with.

        Those that a step with several calls began with are what the step before was given last.
        """
        had = [g is not None and not once for g in self.g]
        self._followed = once or all(had)
        own = [g if kept else _gradient(p) for p, g, kept in zip(self.parameters, self.g, had, strict=True)]
        self.missing = [p for p, g in zip(self.parameters, own, strict=True) if g is None]
        there = [i for i, g in enumerate(own) if g is not None]
        self.parameters = [self.parameters[i] for i in there]
        self.w, self.g = [self.w[i] for i in there], [own[i] for i in there]

    def few(self, moved: list[Moved]) -> list[tuple[Tensor, Moved, np.ndarray]]:
        """Return some of the gradients, to compare the next ones with."""
        if not self._followed:
            return []
        pairs = [(p, m, g) for p, m, g in zip(self.parameters, moved, self.g, strict=True) if g is not None]
        return pairs[:: max(1, len(pairs) // 6)]


@dataclass
class Followed:
    """Gradients that those of the next step are compared with.

    Attributes:
        optimizer: its number.
        asked: whether a step asks for its gradient once: then the next one is there after the next step.
        pairs: parameters, where what is found is noted, and the gradients.
    """

    optimizer: int
    asked: bool
    pairs: list[tuple[Tensor, Moved, np.ndarray]]

    @torch.no_grad()
    def compare(self, later: Later) -> None:
        """See how far gradients of two steps, one after the other, point the same way."""
        for p, moved, old in self.pairs:
            new = _gradient(p)
            if new is not None:
                later.put(compared, moved, old, new)


def _dense(t: Tensor) -> bool:
    return t.layout == torch.strided


def _gradient(p: Tensor) -> np.ndarray | None:
    return numbers(p.grad).copy() if p.grad is not None and _dense(p.grad) else None


def moves(
    before: Before, clipping: Mapping[int, np.ndarray], names: Mapping[int, str], later: Later
) -> tuple[list[Moved], list[str]]:
    """Return how parameters moved, once ``later`` is settled, and the names of those without a gradient.

    Args:
        before: the step.
        clipping: (samples of) gradients as backward left them, by id.
        names: of parameters, by id.
        later: computes it.
    """
    found = []
    for p, w, g in zip(before.parameters, before.w, before.g, strict=True):
        assert g is not None
        moved = Moved(names.get(id(p), ""))
        later.put(_fill, moved, w, g, numbers(p).copy(), clipping.get(id(p)), share(p))
        found.append(moved)
    return found, [names.get(id(p), "") for p in before.missing]


def _fill(
    moved: Moved, w: np.ndarray, g: np.ndarray, now: np.ndarray, before: np.ndarray | None, scale: float
) -> None:
    w, g = w.astype(np.float64), g.astype(np.float64)
    delta = now - w
    weight, gradient, update = norm(w), norm(g), norm(delta)
    moved.weight, moved.gradient, moved.update = weight * scale, gradient * scale, update * scale
    if before is not None:
        moved.before_clipping = norm(before) * scale
    if update * gradient > 0:
        moved.along = float(np.dot(delta, g)) / (update * gradient)
    if update * weight > 0:
        moved.decayed = float(np.dot(delta, w)) / (update * weight)
    moved.zero = float((g == 0).mean())
    moved.finite = gradient - gradient == 0


def compared(moved: Moved, old: np.ndarray, new: np.ndarray) -> None:
    """Note how far the next gradient points the same way."""
    size = norm(new) * norm(old) if new.shape == old.shape else 0.0
    if size > 0:
        moved.cosine = float(np.dot(new.astype(np.float64), old)) / size


def facts_of(
    name: str, p: Tensor, kind: str, registered: bool, later: Later, module: nn.Module | None = None
) -> ParameterFacts:
    """Return what is told of a parameter at first sight, its numbers once ``later`` is settled."""
    facts = ParameterFacts(name, tuple(p.shape), kind, requires_grad=p.requires_grad, registered=registered)
    facts.role = _role(name, p, module)
    if not p.is_complex() and p.device.type != "meta" and local(p).numel():
        facts.first = some(p, 512).to("cpu", copy=True)
        rows = None
        own = local(p).detach()
        if own.dim() >= 2 and len(own) > 1 and facts.role == "weight":
            units = own[:UNITS].flatten(1)
            units = units[:, :: stride(units.shape[1], INPUTS)]
            rows = numbers(units, UNITS * INPUTS).reshape(units.shape).copy()
        later.put(_known, facts, numbers(p).copy(), rows)
    return facts


def _known(facts: ParameterFacts, x: np.ndarray, rows: np.ndarray | None) -> None:
    facts.mean, facts.std = moments(x)
    facts.constant = bool((x == x[0]).all())
    if rows is not None:
        facts.equal_rows = bool((rows == rows[:1]).all(1).mean() > 0.5)


def _role(name: str, p: Tensor, module: nn.Module | None) -> str:
    if isinstance(module, _NORMS):
        return "norm"
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    if p.dim() <= 1:
        return "bias" if "bias" in name.rpartition(".")[2] else "other"
    return "weight"
