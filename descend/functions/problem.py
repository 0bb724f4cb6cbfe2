"""What to minimise: a function, a loss, training and validation data, a metric."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from descend.errors import UsageError
from descend.functions.data import Batch, Data, InMemory, Whole, as_data
from descend.functions.measures import Loss, Metric, loss_by_name, metric_by_name, mse


@dataclass(frozen=True)
class Settings:
    """How a problem is best descended when its owner says nothing.

    Attributes:
        method: a method's name.
        lr: its learning rate; ``None`` takes the method's own default.
        batch_size: examples a step; ``None`` takes all of them.
        steps: how many updates.
        schedule: how the learning rate goes over the descent.
        warmup: the share of the descent in which the learning rate rises from nothing.
        clip: the largest global gradient norm; ``None`` does not clip.
        hyperparameters: the method's other hyperparameters, by torch's names.
        gradient_norm: the norm under which a point counts as a minimum; ``None`` does not look.
        accumulate: batches whose gradients are averaged for one update.
        precision: float32, bfloat16, or auto, which is bfloat16 where the device has instructions for it.
        why: a sentence that says why this method, where it was chosen for the problem.
    """

    method: str = "adamw"
    lr: float | None = None
    batch_size: int | None = 64
    steps: int = 2000
    schedule: str = "cosine"
    warmup: float = 0.02
    clip: float | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    gradient_norm: float | None = None
    accumulate: int = 1
    precision: str = "float32"
    why: str = ""


class Reader(Protocol):
    """What turns a person's files into tensors, and the function's outputs into answers.

    It is saved in a run as JSON and rebuilt from there, so that ``descend predict`` needs neither the
    training data nor the training code.
    """

    kind: ClassVar[str]
    """Its name in ``run.json``: table, pictures, text, ..."""

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        ...

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Reader":
        """Rebuild it."""
        ...

    def model(self) -> nn.Module:
        """Build the function afresh; its parameters are loaded afterwards."""
        ...

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Read new inputs from a file, a folder or a text, and return one answer each."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """A reader whose answers also rest on what the finished function says of held-out examples."""

    def calibrated(self, model: nn.Module, data: Data) -> Reader:
        """Return the reader that knows them; ``data`` are the validation examples."""
        ...


@runtime_checkable
class Examined(Protocol):
    """A reader that has more to say of how good the finished function is than the metric does."""

    def figures(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return figures by name; ``data`` are the test examples, looked at once."""
        ...


@runtime_checkable
class Estimated(Reader, Protocol):
    """A reader whose parameters are estimates: quantities that a person asks about, with standard errors."""

    def estimated(self, covariance: Tensor) -> "Estimated":
        """Return the reader that knows the covariance (n, n) of the parameters."""
        ...

    def estimates(self, model: nn.Module) -> list[dict[str, Any]]:
        """Return each parameter's ``name``, ``value`` and standard ``error``."""
        ...


class ParameterFunction(nn.Module):
    """A plain function of a dictionary of parameters, as a module.

    Args:
        function: called as ``function(parameters, *inputs)``; ``parameters`` is a dict of tensors.
        parameters: the initial values; they are copied.
    """

    def __init__(self, function: Callable[..., Tensor], parameters: Mapping[str, Tensor]):
        super().__init__()
        self.function = function
        self._names = list(parameters)
        self.__name__ = getattr(function, "__name__", "function")
        for name, value in parameters.items():
            value = torch.as_tensor(value)
            if not value.is_floating_point():
                value = value.to(torch.get_default_dtype())
            self.register_parameter(name.replace(".", "_"), nn.Parameter(value.detach().clone()))

    def forward(self, *inputs: Any) -> Tensor:
        """Return ``function(parameters, *inputs)``."""
        return self.function({n: getattr(self, n.replace(".", "_")) for n in self._names}, *inputs)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ParameterFunction":
        # The function is shared, not copied: it may be a closure over data.
        values = {n: getattr(self, n.replace(".", "_")).detach() for n in self._names}
        return ParameterFunction(self.function, values)


class Problem:
    """What to minimise.

    Args:
        function: an ``nn.Module``, or any callable ``f(parameters, *inputs)`` over a dict of tensors.
        loss: a name (:data:`descend.functions.measures.LOSSES`), a callable (output, target) → scalar,
            or ``None`` where the function returns the loss itself.
        train: the examples to learn from: a tuple of tensors (inputs..., target), a ``Dataset`` or a
            ``DataLoader``; ``None`` where the function needs none.
        validation: examples that choose the best parameters and the stopping time; as ``train``.
        metric: a name (:data:`descend.functions.measures.METRICS`), a :class:`Metric`, or a callable
            (output, target) → number.
        test: examples looked at once, at the end; as ``train``.
        parameters: the initial values, where ``function`` is a callable over a dict.
        name: what reports call it.
        reader: what reads new inputs for ``descend predict``.
        settings: how it is best descended when nothing is said.
        facts: what reports say about the data: rows, columns, classes, a digest.
        minimum: the function's least value where it is known.
        chance: the loss of the best constant answer, where the function begins below it: in closed form, or
            with what it learned before. Its beginning is judged along with what it comes to.

    The problem is never changed by a descent: each descent works on its own copy of the function, so
    that many descents start from the same parameters.

    Raises:
        UsageError: where a name is unknown, or a callable comes without initial parameters.
        DataError: where the data hold no example.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1))
        >>> problem.count
        2
    """

    def __init__(
        self,
        function: nn.Module | Callable[..., Tensor],
        loss: str | Loss | None = None,
        train: object = None,
        validation: object = None,
        metric: str | Metric | Callable[[Tensor, Tensor], Tensor] | None = None,
        *,
        test: object = None,
        parameters: Mapping[str, Tensor] | None = None,
        name: str = "problem",
        reader: Reader | None = None,
        settings: Settings | None = None,
        facts: Mapping[str, Any] | None = None,
        minimum: float | None = None,
        chance: float | None = None,
    ):
        if not isinstance(function, nn.Module):
            if parameters is None:
                raise UsageError(
                    "a torch.nn.Module, or a callable together with its initial parameters",
                    f"a {type(function).__name__} alone",
                    "pass parameters={'name': tensor, ...}",
                )
            function = ParameterFunction(function, parameters)
        if not any(p.requires_grad for p in function.parameters()):
            raise UsageError(
                "a function with at least one trainable parameter", "one without any", "check requires_grad"
            )
        self.function = function
        self.loss = loss_by_name(loss)
        self.loss_name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        self.train: Data = as_data(train, "train")
        self.validation: Data | None = None if validation is None else as_data(validation, "validation")
        self.test: Data | None = None if test is None else as_data(test, "test")
        self.metric = metric_by_name(metric)
        self.name, self.reader, self.minimum, self.chance = name, reader, minimum, chance
        self.settings = settings or _suited(self)
        self.facts: dict[str, Any] = dict(facts or {})

    @property
    def has_data(self) -> bool:
        """Whether the function is fed with examples, or is the loss itself."""
        return not isinstance(self.train, Whole)

    @property
    def count(self) -> int:
        """How many trainable numbers the function has."""
        return sum(p.numel() for p in self.function.parameters() if p.requires_grad)

    def fresh_function(self) -> nn.Module:
        """Return a copy of the function at its initial parameters."""
        return copy.deepcopy(self.function)

    def loss_of(self, function: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of one batch: a scalar that can be differentiated."""
        if self.loss is None:
            return function(*batch)
        return self.loss(function(*batch[:-1]), batch[-1])

    @torch.no_grad()
    def evaluate(self, function: nn.Module, data: Data, size: int = 512) -> dict[str, float]:
        """Return the mean loss, and the metric, over all examples of ``data``.

        Args:
            function: evaluated in eval mode; its mode is put back afterwards.
            data: the examples.
            size: examples at a time.

        Returns:
            ``{"loss": ..., metric's name: ...}``; without a loss, ``{"loss": the function's value}``.
        """
        device = next(function.parameters()).device
        training = function.training
        function.eval()
        try:
            total, count, sums = 0.0, 0, None
            for batch in data.passes(size, device):
                n = len(batch[-1]) if batch else 1
                if self.loss is None:
                    total, count = total + float(function(*batch)) * n, count + n
                    continue
                output = function(*batch[:-1])
                total, count = total + float(self.loss(output, batch[-1])) * n, count + n
                if self.metric is not None:
                    part = self.metric.sums(output, batch[-1])
                    sums = part if sums is None else sums + part
        finally:
            function.train(training)
        result = {"loss": total / max(count, 1)}
        if self.metric is not None and sums is not None:
            result[self.metric.name] = self.metric.finish(sums.tolist())
        return result

    def describe_data(self) -> dict[str, Any]:
        """Return what a report says about the data."""
        facts = dict(self.facts)
        if self.has_data:
            facts["examples/train"] = len(self.train)
            for part, data in (("validation", self.validation), ("test", self.test)):
                if data is not None:
                    facts[f"examples/{part}"] = len(data)
        return facts


FEW_PARAMETERS = 500
"""Parameters up to which a method that uses curvature is the default, where all examples fit in a step."""
LARGEST_JACOBIAN = 2_000_000
"""Numbers of a Jacobian, examples × parameters, up to which it is computed in every step."""


def _suited(problem: Problem) -> Settings:
    """Return how a problem whose owner says nothing is best descended.

    A small problem that asks for the minimum itself, with no validation examples to stop by, is finished to
    the last digit by a method that uses curvature; everything else goes by AdamW in batches.
    """
    count = problem.count
    real = all(p.is_floating_point() for p in problem.function.parameters())
    if count > FEW_PARAMETERS or problem.validation is not None or not real:
        return Settings()
    whole = Settings(batch_size=None, steps=1000, schedule="constant", warmup=0.0)
    if not problem.has_data:
        why = f"newton was chosen for a function of {count:,} numbers: it uses curvature, to the last digit."
        return replace(whole, method="newton", why=why)
    examples = len(problem.train)
    if problem.loss is mse and isinstance(problem.train, InMemory) and examples * count <= LARGEST_JACOBIAN:
        why = (
            f"levenbergmarquardt was chosen for squares of {examples:,} examples and {count:,} parameters: "
            "it ends at the minimum, to the last digit."
        )
        return replace(whole, method="levenbergmarquardt", why=why)
    return Settings()


__all__ = ["InMemory", "ParameterFunction", "Problem", "Reader", "Settings"]
