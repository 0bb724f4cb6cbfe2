"""Changes of a problem: of its function, its loss or its data, each returning another problem.

What is not changed is shared with the problem that was given; that one stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from descend.diagnosing.examples import Kept
from descend.functions.data import Loaded, as_data
from descend.functions.perceptron import Standardise
from descend.functions.problem import Problem, Settings

Change = Callable[[Problem, Settings, str], tuple[Problem, Settings]]
"""(problem, settings, where the cause was found) → those with the remedy."""


class NotApplicable(Exception):
    """A remedy that this problem or these settings leave no room for; the text says why."""


def _changed(problem: Problem, **changes: Any) -> Problem:
    other = copy.copy(problem)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def shuffled(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Read the data of an unshuffled loader in a new order each epoch."""
    if not isinstance(problem.train, Loaded):
        raise NotApplicable("its examples are shuffled already")
    loader = problem.train.loader
    try:
        data = as_data(loader.dataset)
        len(data)
    except (TypeError, AttributeError) as error:
        raise NotApplicable(f"the loader's data cannot be shuffled ({error})") from None
    return _changed(problem, train=data), replace(settings, batch_size=loader.batch_size or 1)


def _examples(problem: Problem) -> Kept:
    if not problem.has_data:
        raise NotApplicable("the function is not fed with examples")
    return Kept(problem.train, torch.device("cpu"))


def _labels(problem: Problem) -> Tensor:
    y = torch.cat([batch[-1] for batch in _examples(problem).kept])
    if y.dim() > 1 and y.shape[-1] == 1:
        y = y.squeeze(-1)
    if y.dim() != 1 or (y.is_floating_point() and len(y.unique()) != 2):
        raise NotApplicable("the targets are no classes")
    return y


def inputs_standardised(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Put a fixed layer in front that standardises: each feature of flat inputs, all numbers of others."""
    inputs = [batch[0] for batch in _examples(problem).kept if len(batch) > 1]
    if not inputs or not inputs[0].is_floating_point() or inputs[0].dim() < 2:
        raise NotApplicable("the inputs are no numbers")
    x = torch.cat(inputs).double()
    mean, std = (x.mean(0), x.std(0)) if x.dim() == 2 else (x.mean(), x.std())
    std = torch.where(std > 1e-12 * (mean.abs() + 1e-30), std, torch.ones_like(std))
    layer = Standardise(mean.to(inputs[0].dtype), std.to(inputs[0].dtype))
    return _changed(problem, function=_Behind(layer, problem.fresh_function())), settings


class _Behind(nn.Module):
    """A function whose first input goes through a layer before."""

    def __init__(self, layer: nn.Module, function: nn.Module):
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x: Tensor, *rest: Any) -> Any:
        return self.function(self.layer(x), *rest)


def targets_standardised(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Have the function predict standardised targets; what it gives is in the targets' own units again."""
    loss = problem.loss
    y = torch.cat([batch[-1] for batch in _examples(problem).kept])
    if loss is None or not y.is_floating_point():
        raise NotApplicable("the targets are no numbers")
    mean, std = float(y.double().mean()), float(y.double().std())
    if not std > 0:
        raise NotApplicable("the targets are all equal")

    def standardised(output: Tensor, target: Tensor) -> Tensor:
        return loss((output - mean) / std, (target - mean) / std)

    function = _Rescaled(problem.fresh_function(), mean, std)
    return _changed(problem, function=function, loss=standardised), settings


class _Rescaled(nn.Module):
    """A function whose output is brought to another mean and spread."""

    def __init__(self, function: nn.Module, mean: float, std: float):
        super().__init__()
        self.function, self.mean, self.std = function, mean, std

    def forward(self, *inputs: Any) -> Tensor:
        return self.function(*inputs) * self.std + self.mean


def loss_of_probabilities(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Give the loss the scores that the probabilities it is given stand for."""
    loss, batch = problem.loss, _examples(problem).kept[0]
    if loss is None:
        raise NotApplicable("the loss is computed inside the function")
    with torch.no_grad():
        p = problem.fresh_function().eval()(*batch[:-1])
    if not isinstance(p, Tensor) or not bool(((p >= 0) & (p <= 1)).all()):
        raise NotApplicable("the function's outputs are no probabilities")
    several = p.dim() > 1 and p.shape[-1] > 1
    softmax = several and bool(((p.sum(-1) - 1).abs() < 1e-3).all())

    def on_scores(output: Tensor, target: Tensor) -> Tensor:
        tiny = torch.finfo(output.dtype).tiny if softmax else torch.finfo(output.dtype).eps
        score = output.clamp_min(tiny).log()
        return loss(score if softmax else score - (1 - output).clamp_min(tiny).log(), target)

    return _changed(problem, loss=on_scores), settings


def classes_balanced(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Weight classes by inverse frequency, whatever the loss: as a mean over each class's examples."""
    loss = problem.loss
    if loss is None:
        raise NotApplicable("the loss is computed inside the function")
    classes, counts = _labels(problem).unique(return_counts=True)
    weights = {
        c: float(counts.sum() / (len(counts) * n)) for c, n in zip(classes.tolist(), counts, strict=True)
    }

    def balanced(output: Tensor, target: Tensor) -> Tensor:
        whole = output.new_zeros(())
        for c in target.unique().tolist():
            of = (target == c).flatten()
            share = float(of.sum()) / len(target)
            whole = whole + weights.get(c, 1.0) * share * loss(output[of], target[of])
        return whole

    return _changed(problem, loss=balanced), settings


def loss_negated(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Descend the negative of the loss."""
    loss = problem.loss
    if loss is None:
        raise NotApplicable("the loss is computed inside the function")
    return _changed(problem, loss=lambda output, target: -loss(output, target)), settings


def initialised(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Draw initial values as torch's layers do: of the layer found, or of all where it names none."""
    function = problem.fresh_function()
    layers = {name: part for name, part in function.named_modules() if hasattr(part, "reset_parameters")}
    if not layers:
        raise NotApplicable("the function has no layers that can draw initial values")
    found = [part for name, part in layers.items() if where in (name, f"{name}.weight", f"{name}.bias")]
    for part in found or layers.values():
        part.reset_parameters()  # type: ignore[operator]
    return _changed(problem, function=function), settings


def activations_swapped(old: tuple[type[nn.Module], ...], new: Callable[[], nn.Module]) -> Change:
    """Return the change of all activations of some kinds, but for one that is the last of all."""

    def change(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
        function = problem.fresh_function()
        last = list(function.modules())[-1]
        places = [
            (parent, name)
            for parent in function.modules()
            for name, part in parent.named_children()
            if isinstance(part, old) and part is not last
        ]
        if not places:
            raise NotApplicable("its activations are not modules that can be exchanged")
        for parent, name in places:
            setattr(parent, name, new())
        return initialised(_changed(problem, function=function), settings, "")

    return change


def activations_added(problem: Problem, settings: Settings, where: str) -> tuple[Problem, Settings]:
    """Put a rectifier between linear layers that follow each other."""
    function = problem.fresh_function()
    linear, put = (nn.Linear, nn.modules.conv._ConvNd), 0
    for row in [part for part in function.modules() if type(part) is nn.Sequential]:
        for place in reversed(range(len(row) - 1)):
            if isinstance(row[place], linear) and isinstance(row[place + 1], linear):
                row.insert(place + 1, nn.ReLU())
                put += 1
    if not put:
        raise NotApplicable("no two linear layers follow each other in an nn.Sequential")
    return _changed(problem, function=function), settings
