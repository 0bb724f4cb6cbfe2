"""What was seen of a training loop: plain values, from which causes are concluded.

A *step* is one call of an optimizer's ``step``, counted over all optimizers from 1. Losses are known for
every step; everything else in *windows*, which are single steps that were looked at closely.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from descend.watching.facts import LoaderFacts, OptimizerFacts, ParameterFacts, RootFacts


@dataclass
class Moved:
    """One parameter in one step, from a sample of at most 4,096 of its elements, scaled up to all.

    Attributes:
        name: of the parameter.
        weight: its norm before the step.
        gradient: the norm of the gradient as the step finds it; nan where there is none.
        before_clipping: the norm as the last backward left it; nan where unknown.
        update: the norm of the true move, new minus old.
        along: cosine between move and gradient (−1: straight down).
        cosine: cosine between this gradient and that of the same optimizer's next step; nan where unknown.
        zero: the share of the gradient's elements that are zero.
        finite: whether the gradient is.
        decayed: cosine between move and the weight itself (−1: it only shrinks).
    """

    name: str
    weight: float = float("nan")
    gradient: float = float("nan")
    before_clipping: float = float("nan")
    update: float = float("nan")
    along: float = 0.0
    zero: float = 0.0
    finite: bool = True
    decayed: float = 0.0
    cosine: float = float("nan")


@dataclass
class LayerCall:
    """One call of a module without children, or of an activation function.

    Attributes:
        name: its path in the root module; of a function ``relu`` and the like with its place: ``relu:0``.
        kind: the class, or the function's name.
        training: the module's mode; None of a function.
        grad: whether gradients were enabled.
        shape: of the output.
        mean: of (a sample of) the output.
        std: of it.
        largest: of its absolute values.
        zero: the share that is zero.
        saturated: the share beyond 0.97 of a sigmoid's or tanh's range; of a softmax the share of rows that
            give more than 0.97 to one place; nan for others.
        units: for (batch, units, ...) outputs of rectifiers: how many units there are; 0 else.
        dead: how many of these gave zero for the whole batch.
        follows: the name of the layer whose output, the very tensor, is its input; empty where none is.
        finite: whether the output is.
        input_std: the standard deviation of its input.
    """

    name: str
    kind: str
    training: bool | None
    grad: bool
    shape: tuple[int, ...]
    mean: float
    std: float
    largest: float
    zero: float
    saturated: float
    units: int
    dead: int
    follows: str
    finite: bool
    input_std: float
    alive: Tensor | None = None


@dataclass
class CriterionCall:
    """One call of a loss function of torch, or of what a person writes as one.

    Attributes:
        name: ``cross_entropy``, ``mse_loss``, ...; ``difference`` for a subtraction of shapes that broadcast.
        prediction: the shape.
        target: the shape.
        value: of the loss, its mean; nan where it is none.
        grad: whether gradients were enabled.
        classes: how many there are; 0 for a regression.
        probabilities: whether the prediction is non-negative and sums to one over the classes.
        unit_interval: whether all predictions are in [0, 1].
        log_probabilities: whether exp(prediction) sums to one over the classes.
        weighted: whether it was given weights of classes or examples.
        target_mean: of the target, as numbers.
        target_std: of it.
        prediction_mean: of the prediction.
        prediction_std: of it.
        accuracy: of the largest, for classes; of the sign, for a binary cross-entropy with logits; nan else.
        counts: how often each class was the target (classes up to 1,000).
        predicted: how often each was predicted.
        hits: how often each was predicted where it was the target.
        labels: the targets themselves in order, of at most 256 examples; None for dense targets.
        step: in which it was called.
        made_by: the operation that made the prediction: ``softmax``, ``addmm``; empty where unknown.
    """

    name: str
    prediction: tuple[int, ...]
    target: tuple[int, ...]
    value: float
    grad: bool
    classes: int = 0
    probabilities: bool = False
    unit_interval: bool = False
    log_probabilities: bool = False
    weighted: bool = False
    target_mean: float = float("nan")
    target_std: float = float("nan")
    prediction_mean: float = float("nan")
    prediction_std: float = float("nan")
    accuracy: float = float("nan")
    counts: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    labels: Tensor | None = None
    step: int = 0
    made_by: str = ""


@dataclass
class Batch:
    """What a root module was given.

    Attributes:
        fingerprint: of the first tensor, from its numbers.
        shape: of it.
        examples: its first dimension.
        floating: whether it holds numbers rather than indices.
        of_larger: whether it is a part of a tensor with more examples.
        step: in which it came.
        grad: whether gradients were enabled.
        root: which root module.
        of: how many examples that larger tensor has; 0 where there is none.
    """

    fingerprint: int
    shape: tuple[int, ...]
    examples: int
    floating: bool
    of_larger: bool
    step: int
    grad: bool
    root: int = 0
    of: int = 0


@dataclass
class Backward:
    """One call of ``backward``.

    Attributes:
        step: the step that comes next.
        value: of what was differentiated; nan where it is no single number.
        sign: that with which the criterion's value enters it: −1 where the negative is descended; 0: unknown.
        criterion: the criterion's name; empty where none is in its graph.
        policy: correlation between the weights of actions' log-probabilities and how much better they went
            than a learned value expected (−1: what went well becomes more probable); nan where unknown.
    """

    step: int
    value: float
    sign: int = 0
    criterion: str = ""
    policy: float = float("nan")


@dataclass
class Window:
    """One step, looked at closely.

    Attributes:
        step: its number.
        optimizer: whose step it was.
        moved: its parameters.
        layers: calls of layers and activation functions with gradients enabled, in order.
        criteria: calls of loss functions with gradients enabled.
        backwards: calls of ``backward``.
        batches: what root modules were given.
        stale: the share of parameters whose gradient the step before had used already, and which was never
            cleared in between (invariant: 0).
        missing: names of its parameters without a gradient.
        modes: root → whether it was in training mode, where gradients were enabled.
        seconds: how long the step took, what was looked at included.
    """

    step: int
    optimizer: int
    moved: list[Moved] = field(default_factory=list)
    layers: list[LayerCall] = field(default_factory=list)
    criteria: list[CriterionCall] = field(default_factory=list)
    backwards: list[Backward] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    stale: float = 0.0
    missing: list[str] = field(default_factory=list)
    modes: dict[int, bool] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Evaluation:
    """Forward passes without gradients, between two steps.

    Attributes:
        step: the last step before.
        calls: of root modules.
        training: in how many of them the module was in training mode.
        root: which root module.
        examples: how many examples were seen.
        criteria: calls of loss functions, in those that were looked at.
        accuracy: the share of equal integers in comparisons of predictions with labels; nan where none.
        layers: calls of layers, in those that were looked at.
        batches: what the root module was given, in those that were looked at.
    """

    step: int
    root: int
    calls: int = 0
    training: int = 0
    examples: int = 0
    criteria: list[CriterionCall] = field(default_factory=list)
    accuracy: float = float("nan")
    layers: list[LayerCall] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)


@dataclass
class Samples:
    """Examples that were trained on, as rows.

    Attributes:
        x: shape (n, features), float32: inputs of the root module flattened, at most 1,024 features each.
        y: shape (n,) of class indices, or (n, k) of numbers.
        steps: in which step each was seen.
        classes: how many; 0 for numbers.
        kind: ``features`` as they are given; of sequences of indices ``words``: how often each comes; of
            targets at each place of a sequence ``places``: what is around one.
        sequences: of these, some whole: shape (n, length, features), and the targets, shape (n, length).
    """

    x: Tensor
    y: Tensor
    steps: Tensor
    classes: int
    kind: str = "features"
    sequences: tuple[tuple[Tensor, Tensor], ...] = ()


@dataclass
class NotFinite:
    """The first number that is none.

    Attributes:
        step: in which.
        what: ``loss``, ``gradient``, ``output``, ``input``, ``target`` or ``parameter``.
        where: the operation or layer that made it of finite numbers, or the parameter; empty where unknown.
        inputs: what the operation was given, in words.
    """

    step: int
    what: str
    where: str = ""
    inputs: str = ""


@dataclass
class Observations:
    """Everything that was seen of a run.

    Attributes:
        steps: how many steps were taken.
        losses: (step that came next, value) of every backward, in order.
        windows: steps that were looked at closely.
        evaluations: forward passes without gradients.
        unseen: how many more there may have been, where they were too many to see all.
        parameters: by name.
        optimizers: in the order of their first steps.
        roots: modules that were called by a person.
        loaders: data loaders.
        samples: examples that were trained on, of the first root module; None where there are none.
        held_out: examples of evaluations, without labels: shape (n, features); None where there are none.
        not_finite: the first number that was none.
        seconds: of training, from the first step on.
        spent: seconds that looking took, as it measured itself.
        not_measured: what could not be seen, in words.
        accumulates: backward passes a step, the median.
        clips: (step, norm that was allowed, norm that there was) of clipped gradients.
        ended: ``finished``, or the name of the exception that ended it.
    """

    steps: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    unseen: int = 0
    parameters: dict[str, ParameterFacts] = field(default_factory=dict)
    optimizers: list[OptimizerFacts] = field(default_factory=list)
    roots: list[RootFacts] = field(default_factory=list)
    loaders: list[LoaderFacts] = field(default_factory=list)
    samples: Samples | None = None
    held_out: Tensor | None = None
    not_finite: NotFinite | None = None
    seconds: float = 0.0
    spent: float = 0.0
    not_measured: list[str] = field(default_factory=list)
    accumulates: float = 1.0
    clips: tuple[tuple[int, float, float], ...] = ()
    ended: str = "finished"

    @property
    def overhead(self) -> float:
        """The share of the time that looking took."""
        return self.spent / self.seconds if self.seconds > 0 else 0.0

    def criteria(self, grad: bool = True) -> Iterable[CriterionCall]:
        """Return the calls of loss functions, of training or of evaluation."""
        if grad:
            return (c for w in self.windows for c in w.criteria)
        return (c for e in self.of_trained for c in e.criteria)

    @property
    def of_trained(self) -> list[Evaluation]:
        """Evaluations of modules that may be what is trained, not of those that are only ever evaluated."""
        return [e for e in self.evaluations if e.root >= len(self.roots) or not self.roots[e.root].shapes]

    def layer_calls(self, name: str) -> list[LayerCall]:
        """Return what was seen of a layer while training."""
        return [c for w in self.windows for c in w.layers if c.name == name]

    def curve(self, optimizer: int | None = None) -> torch.Tensor:
        """Return the losses in order, as float64; those before steps of one optimizer if given."""
        if optimizer is None:
            return torch.tensor([v for _, v in self.losses], dtype=torch.float64)
        steps = {w.step for w in self.windows if w.optimizer == optimizer}
        return torch.tensor([v for s, v in self.losses if s in steps], dtype=torch.float64)
