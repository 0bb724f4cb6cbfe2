"""What methods that use curvature share: how they are made, asked to step, saved and ended."""

import inspect
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.errors import UsageError, nearest
from descend.methods.constructor import declared
from descend.methods.curvature.line_search import noise
from descend.methods.curvature.objective import Objective, norm_of


@dataclass(frozen=True)
class Ended:
    """Why a method goes no further.

    Attributes:
        outcome: the value of the :class:`~descend.descent.outcome.Outcome` that it means.
        why: one sentence.
        loss: where it stands.
    """

    outcome: str
    why: str
    loss: float | None = None


RESTS = 10
"""Steps without any gain after which a method rests."""

MOST_NOISE = 3e4
"""How many times its format's rounding a loss may carry."""

AT_ROUNDING = "Loss and gradient change by no more than their rounding: a minimum, to the last digit."
AT_BOUNDS = "The loss falls only beyond the bounds: this is the minimum within them."
MINIMUM, STUCK, NOT_FINITE = "minimum", "no more progress", "not finite"


@dataclass_transform()
class _Transformed(Optimizer):
    if TYPE_CHECKING:
        params: Any


class Deterministic(_Transformed):
    """A method that descends one function which stays the same, and knows when it is done.

    Args:
        params: parameters, named parameters, or groups of them, all on one device and of one number format;
            they are one vector to it, and the hyperparameters of the first group count.

    A step never climbs: what it leaves is the best point so far, but for the roundings of the loss.

    Attributes:
        ended: why it goes no further; ``None`` while it does. Steps that are taken nevertheless begin anew.
        known: the loss where the parameters are, whose gradient is in ``p.grad``; ``None`` before a step.
        evaluations: how often loss and gradient were asked for.
        products: how often a curvature matrix was multiplied with a vector.

    Raises:
        UsageError: where a hyperparameter is unknown or out of its range.
    """

    schedule: ClassVar[str] = "constant"
    routing: tuple[dict[str, Any], ...] = ()
    suggested: ClassVar[None] = None
    equation: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    family: ClassVar[str] = "curvature"
    takes: ClassVar[None] = None
    evaluation_point: ClassVar[None] = None
    bytes_per_parameter: ClassVar[float] = 0
    """Memory of what it keeps between steps, in bytes a float32 parameter, at the defaults."""
    ranges: ClassVar[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {}
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    needs_closure: ClassVar[bool] = True
    needs_graph: ClassVar[bool] = False
    indefinite: ClassVar[bool] = False
    """Whether it knows of negative curvature, so that it leaves a point without gradient that is a saddle."""
    of_squares: ClassVar[bool] = False
    """Whether it needs a loss that is a mean of squares, as residuals."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.defaults = {**getattr(cls, "defaults", {}), **declared(cls)}
        cls.summary = (inspect.getdoc(cls) or "").partition("\n")[0]

    def __init__(self, params: Any, **hyperparameters: Any):
        cls = type(self)
        for name in hyperparameters:
            if name not in cls.defaults:
                raise UsageError(
                    f"a hyperparameter of {cls.__name__}", repr(name), nearest(name, [*cls.defaults])
                )
        self.ended: Ended | None = None
        self.known: Tensor | None = None
        self.evaluations, self.products = 0, 0
        super().__init__(params, {**cls.defaults, **hyperparameters})
        self._check()

    def _check(self) -> None:
        group = self.param_groups[0]
        for name, (expected, holds) in type(self).ranges.items():
            try:
                right = bool(holds(group[name]))
            except (TypeError, ValueError):
                right = False
            if not right:
                raise UsageError(f"{name} {expected}", repr(group[name]), "give another value")
        for name, known in type(self).choices.items():
            if group[name] not in known:
                raise UsageError(f"{name} as {' or '.join(known)}", repr(group[name]), "choose one of them")
        formats = {(p.device, p.dtype) for p in self._parameters()}
        if len(formats) > 1 or not all(dtype.is_floating_point for _, dtype in formats):
            came = ", ".join(
                sorted(f"{dtype} on {device}".removeprefix("torch.") for device, dtype in formats)
            )
            raise UsageError("real parameters of one number format on one device", came, "convert the model")

    def __getstate__(self) -> dict[str, Any]:
        own = {
            "ended": self.ended,
            "known": self.known,
            "evaluations": self.evaluations,
            "products": self.products,
        }
        return {**super().__getstate__(), **own}

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    @property
    def kept(self) -> dict[str, Any]:
        """What it keeps from step to step: numbers and tensors, in the state of the first parameter."""
        return self.state[self._parameters()[0]]

    @staticmethod
    def modifying() -> set[str]:
        """Return the names of modifiers' hyperparameters: none act on it."""
        return set()

    def kept_for_all(self) -> dict[str, Tensor]:
        """Return the numbers in the groups that are kept for all parameters: none."""
        return {}

    def evaluation(self) -> AbstractContextManager[None]:
        """Evaluate where it stands: nothing changes."""
        return nullcontext()

    def step(self, closure: Callable[[], Any] | Objective | None = None) -> Any:  # type: ignore[override]
        """Take one step.

        Args:
            closure: evaluates the loss anew and returns it, with or without calling ``backward``; or an
                :class:`Objective`. Methods that use second derivatives want a closure without ``backward``.

        Returns:
            The loss before the step.

        Raises:
            UsageError: where there is no closure.
        """
        if closure is None:
            raise UsageError(
                f"a closure for {type(self).__name__}, which looks at the loss in other places too",
                "step() alone",
                "give it a function that returns the loss: opt.step(lambda: loss(model(x), y))",
            )
        parameters = self._parameters()
        objective = closure if isinstance(closure, Objective) else Objective(parameters, closure)
        before = objective.evaluations, objective.products
        self.ended = None
        with torch.no_grad():
            first, last, gradient = self._descend(objective)
        if self.ended is not None:
            self.ended = replace(self.ended, loss=last)
        self.evaluations += objective.evaluations - before[0]
        self.products += objective.products - before[1]
        for p, g in zip(parameters, objective.pieces(gradient), strict=True):
            p.grad = g.to(p.dtype)
        like = parameters[0]
        self.known = torch.tensor(last, dtype=torch.float64, device=like.device)
        return torch.tensor(first, dtype=like.dtype, device=like.device)

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        """Take one step; return the loss before and after, and the gradient (n,) after."""
        raise NotImplementedError

    def _eps(self, like: Tensor) -> float:
        """Return the rounding of the loss as a share of it: its format's, or more where that was seen."""
        return torch.finfo(like.dtype).eps * self.kept.get("noise", 1.0)

    def _noisier(self) -> bool:
        """Take the loss for noisier than its format; false where that goes too far already.

        Residuals that are small differences of large numbers carry the large ones' roundings.
        """
        found = 30 * self.kept.get("noise", 1.0)
        if found > MOST_NOISE:
            return False
        self.kept["noise"] = found
        return True

    def _nothing(self, value: float, eps: float) -> bool:
        """Whether a loss is zero but for the roundings of residuals as large as those that were met."""
        return abs(value) <= 1e4 * eps**2 * self.kept.get("largest", 0.0)

    def _verdict(self, value: float, gradient: Tensor, walled: bool = False) -> Ended:
        """Say what a point is from which no way leads down."""
        eps, largest = self._eps(gradient), self.kept.get("largest", abs(value))
        far = norm_of([p.detach() for p in self._parameters()])
        steep = float(torch.linalg.vector_norm(gradient)) * far
        # What the gradient may be but for roundings: those of residuals as large as the first ones.
        if self._nothing(value, eps) or steep <= max(
            1e-3 * abs(value), 1e3 * eps * math.sqrt(largest * abs(value))
        ):
            return Ended(MINIMUM, AT_ROUNDING)
        if walled:
            return Ended(STUCK, "Every lower point lies behind values that are no finite numbers.")
        return Ended(
            STUCK,
            "No step along the gradient lowers the loss, though it should: the loss has an edge or is noisy "
            "here, or its format has too few digits (float64 has more).",
        )

    def _resting(self, before: float, value: float, gradient: Tensor) -> None:
        """End where losses differ by rounding alone and the gradient shrinks no more."""
        kept, eps = self.kept, self._eps(gradient)
        norm = float(torch.linalg.vector_norm(gradient))
        kept["largest"] = max(kept.get("largest", 0.0), abs(before))
        if norm < 0.9 * kept.get("flattest", math.inf):
            kept["flattest"], kept["still"] = norm, 0
        elif abs(value - before) <= noise(before, eps) or self._nothing(value, eps):
            kept["still"] += 1
        if norm == 0:
            if not self.indefinite:  # else the next step looks whether it is a saddle
                self.ended = Ended(MINIMUM, "The gradient is zero.")
        elif abs(value) <= torch.finfo(gradient.dtype).eps ** 4 * kept["largest"]:
            self.ended = Ended(MINIMUM, "The loss is zero beside where it began.")
        elif kept["still"] >= RESTS:
            self.ended = self._verdict(value, gradient)

    def _nowhere(self, value: float, *gradient: Tensor) -> bool:
        """Whether there is no way from where it stands, and say why."""
        if not (math.isfinite(value) and all(bool(g.isfinite().all()) for g in gradient)):
            self.ended = Ended(
                NOT_FINITE, "The loss or its gradient is no finite number where the step begins."
            )
        elif not any(float(torch.linalg.vector_norm(g)) for g in gradient):
            self.ended = Ended(MINIMUM, "The gradient is zero.")
        return self.ended is not None
