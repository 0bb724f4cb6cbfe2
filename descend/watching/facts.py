"""What is known of the parts of a run: parameters, optimizers, modules and loaders."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class ParameterFacts:
    """One parameter of a module or of an optimizer.

    Attributes:
        name: as its module names it, or ``group.i`` where no module is known to have it.
        shape: of the tensor.
        module: the class of the module that owns it; empty where none is known.
        role: ``weight``, ``bias``, ``norm`` (of a normalisation), ``embedding`` or ``other``.
        requires_grad: whether a gradient is wanted, when it was seen last.
        registered: whether the root module lists it; False for a layer hidden in a plain Python list.
        optimizer: which optimizer's ``step`` moves it, by position in ``Observations.optimizers``; -1: none.
        std: standard deviation of its elements before the first step that was seen; nan where unknown.
        mean: their mean.
        constant: whether all its elements were equal then.
        equal_rows: whether most of its rows (units) were equal.
        first: its first elements then (at most 4,096 of them), to see whether it has moved.
        moved: the first step in a window after which it had moved; 0: never.
        gradients: in how many windows of its optimizer (or of any) it had a gradient.
        windows: in how many windows it was looked at.
        trained_before: whether another optimizer had moved it, or a state was loaded into it.
        order: its place in the order in which modules were called; -1 where that is unknown.
        reached: whether a loss's graph led to it where that was looked at, or it had a gradient at the end.
        changed: whether it differs from ``first`` at the end, whoever moved it; None where unknown.
    """

    name: str
    shape: tuple[int, ...]
    module: str = ""
    role: str = "other"
    requires_grad: bool = True
    registered: bool = True
    optimizer: int = -1
    std: float = float("nan")
    mean: float = float("nan")
    constant: bool = False
    equal_rows: bool = False
    first: Tensor | None = None
    moved: int = 0
    gradients: int = 0
    windows: int = 0
    trained_before: bool = False
    order: int = -1
    reached: bool = False
    changed: bool | None = None


@dataclass
class OptimizerFacts:
    """One optimizer object.

    Attributes:
        kind: the name of its class.
        first: its first step, among all steps.
        last: its last.
        steps: how many it took.
        parameters: the names of its parameters.
        stateful: whether it keeps anything for its parameters.
        maximize: whether it climbs.
        again: how many of its parameters (the very tensors) another optimizer had before.
        resets: how often its own state was seen to have been lost between its steps.
        looked: after how many of its first steps it was seen whether gradients were cleared; windows apart.
        stale: after how many of them they were not.
        least_cleared: (how often it was looked at, how often it was not) of the gradient cleared least often.
        settings: (step, hyperparameters of each group) whenever the rate changed: ``lr``, ``momentum``,
            ``betas``, ``weight_decay``, as floats and tuples of floats.
    """

    kind: str
    first: int
    last: int = 0
    steps: int = 0
    parameters: list[str] = field(default_factory=list)
    stateful: bool = False
    maximize: bool = False
    again: int = 0
    resets: int = 0
    looked: int = 0
    stale: int = 0
    least_cleared: tuple[int, int] = (0, 0)
    settings: list[tuple[int, list[dict[str, object]]]] = field(default_factory=list)

    def lr(self, step: int | None = None) -> float:
        """Return the largest learning rate of its groups in a step; by default the last."""
        found = [s for at, s in self.settings if step is None or at <= step] or [
            s for _, s in self.settings[:1]
        ]
        return max((float(g.get("lr", 0.0)) for g in found[-1]), default=0.0) if found else 0.0  # type: ignore[arg-type]


@dataclass
class RootFacts:
    """A module that a person calls.

    Attributes:
        kind: the name of its class.
        parameters: the names of all its parameters.
        mode_matters: the names of submodules to which training or evaluation makes a difference (dropout,
            normalisation over the batch).
        calls: calls with gradients enabled.
        calls_without: calls without.
        calls_in_eval: calls with gradients enabled, in evaluation mode.
        trained: those that a backward followed.
        trained_in_eval: those of them in evaluation mode.
        modes_set: how often ``train()`` or ``eval()`` was called on it.
        asked: in how many steps after it was set to evaluation it was asked for its mode.
        asked_in_eval: in how many of them it was in evaluation mode.
        calls_after: calls with gradients enabled after the last backward: an evaluation that does not say so.
        training_after: those of them in training mode.
        always: functions that act as in training though the module is set to evaluation (``dropout``).
        ignores: which of its arguments (by position) can be shuffled among the examples of a batch without
            any change of its output, whatever its parameters are.
        inputs: how many tensors it is given, at most.
        looks_ahead: of sequences, whether outputs for early places depend on the last place of the input.
        reach: how strongly the last output depends on each place of a sequence (the size of the gradient
            there, relative to the largest), at the end; empty where the input is no sequence.
        copies: (argument, how many places further on, share) where targets stand in the inputs themselves.
        features: numbers of an example in the first argument that vary in a batch; 0 for indices.
        unused_features: those of them that the output's gradient does not reach, whatever its parameters are.
        tokens: different indices in a first argument of indices that an embedding takes.
        unused_tokens: those of them that the output's gradient reaches nowhere, whatever its parameters are.
        silent: the names of parameters that no gradient reaches and that make no difference to the output.
        shapes: of its parameters in order, where it is only called without gradients; they are not known by
            name then.
    """

    kind: str
    parameters: list[str] = field(default_factory=list)
    mode_matters: list[str] = field(default_factory=list)
    calls: int = 0
    calls_without: int = 0
    calls_in_eval: int = 0
    trained: int = 0
    trained_in_eval: int = 0
    modes_set: int = 0
    asked: int = 0
    asked_in_eval: int = 0
    calls_after: int = 0
    training_after: int = 0
    always: list[str] = field(default_factory=list)
    ignores: list[int] = field(default_factory=list)
    inputs: int = 0
    looks_ahead: bool = False
    reach: tuple[float, ...] = ()
    copies: tuple[int, int, float] | None = None
    features: int = 0
    unused_features: int = 0
    tokens: int = 0
    unused_tokens: int = 0
    silent: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()


@dataclass
class LoaderFacts:
    """A ``DataLoader``.

    Attributes:
        batches: how many it has; 0 where it cannot tell.
        examples: of its data set; 0 where unknown.
        shuffled: whether its sampler is random.
        iterators: how often it was begun.
    """

    batches: int
    examples: int
    shuffled: bool
    iterators: int = 0
