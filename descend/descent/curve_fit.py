"""Fit a curve: the parameters that bring a function nearest to data, with their standard errors."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descend.descent.asking import objective_of
from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.descent.until import Until
from descend.errors import DataError, UsageError
from descend.functions.problem import Problem, Settings
from descend.methods import method as method_class
from descend.methods.curvature.deterministic import Deterministic

Numbers = Any
"""A number, a tensor, an array or a list of numbers."""


@dataclass(frozen=True)
class CurveFit:
    """What :func:`curve_fit` found.

    Attributes:
        parameters: shape (n,), float64.
        covariance: shape (n, n): of the parameters' estimates; infinite where the data do not determine them.
        errors: shape (n,): the standard errors, the roots of its diagonal.
        outcome: how the descent ended.
        why: the same in a sentence.
        names: of the parameters.
        residuals: shape (m,): f(x) − y, each over its sigma where one was given.
        steps: taken.
        evaluations: of the function or its derivatives.
    """

    parameters: Tensor
    covariance: Tensor
    errors: Tensor
    outcome: Outcome
    why: str
    names: tuple[str, ...]
    residuals: Tensor
    steps: int
    evaluations: int

    def __iter__(self) -> Iterator[Tensor]:
        """Go over parameters and covariance, as scipy returns them."""
        return iter((self.parameters, self.covariance))

    def __str__(self) -> str:
        width = max(map(len, self.names))
        lines = [
            f"{name:{width}} = {value:.10g} ± {error:.3g}"
            for name, value, error in zip(
                self.names, self.parameters.tolist(), self.errors.tolist(), strict=True
            )
        ]
        return "\n".join([*lines, f"{self.outcome.value}: {self.why}"])


def curve_fit(
    f: Callable[..., Tensor],
    x: Numbers,
    y: Numbers,
    start: Mapping[str, float] | Numbers = None,
    *,
    sigma: Numbers = None,
    absolute_sigma: bool = False,
    bounds: Sequence[Numbers] | None = None,
    method: str = "lm",
    steps: int = 2000,
) -> CurveFit:
    """Fit a function to data by least squares, with the conventions of ``scipy.optimize.curve_fit``.

    Args:
        f: ``f(x, *parameters)`` → shape (m,), made of torch's operations; it is called in float64.
        x: what it is a function of: numbers, or anything that ``f`` takes, such as a tuple of tensors; arrays
            and lists of numbers reach ``f`` as tensors, where ``y`` is.
        y: shape (m,).
        start: where to begin: one number a parameter, or ``{name: number}``; ones by default.
        sigma: the errors of y, shape (m,), or their covariance, shape (m, m): residuals count by them.
        absolute_sigma: whether sigma is known as it stands; else only the proportions count, and the
            residuals tell the scale.
        bounds: (lower, upper): a number each, or one a parameter; a start outside is moved onto them. Where
            both are equal, the parameter is fixed, and its error 0.
        method: any that uses curvature; bounds need ``lm``.
        steps: at most.

    Returns:
        Parameters, covariance and standard errors, and how it ended: ``fit.outcome``.

    Raises:
        UsageError: where the start, the bounds or sigma do not fit.
        DataError: where the data are no finite numbers, or ``f`` returns something else than m of them that
            can be differentiated.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(0, 4, 50, dtype=torch.float64)
        >>> y = 2.5 * torch.exp(-1.3 * x) + 0.5
        >>> fit = descend.curve_fit(lambda x, a, b, c: a * torch.exp(-b * x) + c, x, y, [1, 1, 1])
        >>> [round(value, 6) for value in fit.parameters.tolist()], fit.outcome.value
        ([2.5, 1.3, 0.5], 'minimum')
    """
    target = _target(y)
    inputs = _numbers(x, target.device)
    names, point = _start(f, start)
    lower, upper = _bounds(bounds, len(point))
    whiten = _whitening(sigma, target)

    def predicted(parameters: Mapping[str, Tensor]) -> Tensor:
        try:
            found = f(inputs, *parameters["p"].unbind())
        except (RuntimeError, TypeError) as error:
            if "numpy" not in str(error).lower():
                raise
            raise _not_differentiable("one that calls NumPy") from None
        if not isinstance(found, Tensor) or found.shape != target.shape or not found.is_floating_point():
            came = f"a {type(found).__name__}"
            if isinstance(found, Tensor):
                came = f"{str(found.dtype).removeprefix('torch.')} of shape {tuple(found.shape)}"
            raise DataError(
                f"f(x, *parameters) as a tensor of shape {tuple(target.shape)}, as y is",
                came,
                "write f with torch's functions, one real number for each of y",
            )
        if torch.is_grad_enabled() and not found.requires_grad:
            raise _not_differentiable("one whose values depend on no parameter")
        return whiten(found.double())

    problem = Problem(
        predicted,
        "mse",
        train=(whiten(target),),
        parameters={"p": point},
        settings=Settings(method="lbfgs", batch_size=None, schedule="constant", warmup=0.0),
    )
    cls = method_class(method)
    if not issubclass(cls, Deterministic):
        raise UsageError("a method that uses curvature", repr(method), "lm is made for this")
    hyperparameters: dict[str, Any] = {}
    if bounds is not None:
        if "lower" not in cls.defaults:
            raise UsageError("no bounds for this method", repr(method), "leave method out: lm keeps them")
        hyperparameters = {"lower": lower.tolist(), "upper": upper.tolist()}
        point.clamp_(lower, upper)
    with torch.enable_grad():
        descent = Descent(problem, method, device=target.device, hyperparameters=hyperparameters)
        assert isinstance(descent.method, Deterministic)
        outcome = descent.run(Until(steps=steps))
        found = descent.result().get_parameter("p").detach()
        r, J = residuals(descent)
    free = (lower < upper).to(J.device).nonzero()[:, 0]
    covariance = torch.zeros(J.shape[1], J.shape[1], dtype=J.dtype, device=J.device)
    covariance[free[:, None], free] = covariance_of(r, J[:, free], absolute_sigma)
    why = descent.ended.why if descent.ended else outcome.meaning
    if outcome is Outcome.NOT_FINITE and descent.steps <= 1:
        why = (
            "f or its derivatives are no finite numbers at the start: look for NaN in x, or begin elsewhere."
        )
    return CurveFit(
        parameters=found,
        covariance=covariance,
        errors=covariance.diagonal().sqrt(),
        outcome=outcome,
        why=why,
        names=names,
        residuals=r,
        steps=descent.steps,
        evaluations=descent.method.evaluations,
    )


def residuals(descent: Descent) -> tuple[Tensor, Tensor]:
    """Return the residuals (m,) and their Jacobian (m, n) at a descent's best parameters.

    Args:
        descent: on a mean of squares, all examples in every step; its parameters are put to the best ones.
    """
    best = descent.result()
    values = [
        best.get_parameter(name).detach().reshape(-1) for name, _ in descent.function.named_parameters()
    ]
    objective = objective_of(descent, torch.tensor(0.0))
    objective.move(torch.cat(values))
    return objective.jacobian()


def covariance_of(r: Tensor, J: Tensor, absolute: bool = False) -> Tensor:
    """Return the covariance of parameters that least squares found, s² (JᵀJ)⁻¹ with s² = ‖r‖²/(m − n).

    It is taken from the singular values of J with columns of length 1; infinite where J has not full rank.

    Args:
        r: residuals (m,).
        J: their Jacobian (m, n).
        absolute: whether s² is 1.
    """
    m, n = J.shape
    nothing = torch.full((n, n), math.inf, dtype=J.dtype)
    lengths = torch.linalg.vector_norm(J, dim=0)
    if (
        not bool(r.isfinite().all() and J.isfinite().all())
        or bool((lengths == 0).any())
        or (m <= n and not absolute)
    ):
        return nothing
    _, S, Vt = torch.linalg.svd(J / lengths, full_matrices=False)
    if len(S) < n or float(S[-1]) <= n * torch.finfo(J.dtype).eps * float(S[0]):
        return nothing
    half = Vt.T / S / lengths[:, None]
    scale = 1.0 if absolute else float(r @ r) / (m - n)
    return half @ half.T * scale


def _numbers(x: Numbers, device: torch.device | str | None = None) -> Any:
    """Return arrays and lists of numbers as float64; what else ``f`` takes as it is."""
    if isinstance(x, Tensor):
        return x.detach() if x.is_complex() else x.detach().double()
    if isinstance(x, tuple):
        return tuple(_numbers(part, device) for part in x)
    if isinstance(x, list) and x and all(isinstance(part, Tensor) for part in x):
        return [_numbers(part, device) for part in x]
    if x is None:
        return x
    try:
        return torch.from_numpy(np.array(x, dtype=np.float64)).to(device)
    except (TypeError, ValueError, RuntimeError):
        return x


def _target(y: Numbers) -> Tensor:
    target = _numbers(y if not isinstance(y, tuple) else list(y))
    if not isinstance(target, Tensor) or target.ndim != 1 or not len(target) or target.is_complex():
        came = f"a {type(y).__name__}"
        if isinstance(target, Tensor):
            came = f"{'complex ones' if target.is_complex() else 'numbers'} of shape {tuple(target.shape)}"
        raise DataError("y as numbers of shape (m,)", came, "give one number a measurement")
    if not bool(target.isfinite().all()):
        raise DataError("finite numbers in y", "NaN or infinity", "leave such measurements out")
    return target


def _start(f: Callable[..., Any], start: Any) -> tuple[tuple[str, ...], Tensor]:
    """Return the parameters' names, and where they begin."""
    names, least = _names(f)
    if start is None:
        if not least:
            raise UsageError("a start, where f does not name its parameters", "none", "give start=[...]")
        return names[:least], torch.ones(least, dtype=torch.float64)
    if isinstance(start, Mapping):
        if not names:
            names, least = tuple(start), len(start)
        if len(start) < least or set(start) != set(names[: len(start)]):
            raise UsageError(
                f"a start for {', '.join(names[:least])}",
                ", ".join(map(str, start)) or "none",
                "name each once",
            )
        start = [start[name] for name in names[: len(start)]]
    point = _numbers(list(start) if isinstance(start, tuple) else start)
    if not isinstance(point, Tensor) or point.ndim > 1 or point.is_complex():
        raise UsageError("a start of numbers", repr(start), "give one number a parameter")
    point = point.reshape(-1).clone()
    if not len(point):
        raise UsageError("at least one parameter", "none", "give start=[...]")
    if names and not least <= len(point) <= len(names):
        expected = f"{least} number{'s' * (least != 1)} to start from, for {', '.join(names[:least])}"
        raise UsageError(expected, f"{len(point)}", "give one number a parameter")
    return names[: len(point)] or tuple(f"p{k}" for k in range(len(point))), point


def _names(f: Callable[..., Any]) -> tuple[tuple[str, ...], int]:
    """Return the names of f's parameters, and how many have no default; none where it takes any number."""
    try:
        own = list(inspect.signature(f).parameters.values())[1:]
    except (TypeError, ValueError):
        return (), 0
    own = [p for p in own if p.kind is not p.KEYWORD_ONLY]
    if not all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in own):
        return (), 0
    return tuple(p.name for p in own), sum(p.default is p.empty for p in own)


def _bounds(bounds: Any, count: int) -> tuple[Tensor, Tensor]:
    """Return the least and the largest value of each parameter, shape (n,) each."""
    if bounds is None:
        bounds = (-math.inf, math.inf)
    expected = f"bounds=(lower, upper) with a number each, or {count}"
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise UsageError(expected, repr(bounds), "use inf for none")
    found = []
    for given, none in zip(bounds, (-math.inf, math.inf), strict=True):
        values = _numbers(
            none if given is None else list(given) if isinstance(given, tuple) else given, "cpu"
        )
        if not isinstance(values, Tensor) or values.shape not in ((), (1,), (count,)):
            raise UsageError(expected, repr(given), "use inf for none")
        found.append(values.cpu().expand(count))
    lower, upper = found
    if not bool((lower <= upper).all()):
        raise UsageError(
            "lower bounds at most the upper ones", f"{lower.tolist()}, {upper.tolist()}", "exchange them"
        )
    return lower, upper


def _not_differentiable(came: str) -> DataError:
    return DataError(
        "an f that is made of its parameters by torch's functions",
        came,
        "write torch.exp for np.exp, and so on",
    )


def _whitening(sigma: Numbers, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what makes residuals count by their errors."""
    if sigma is None:
        return lambda v: v
    errors = _numbers(list(sigma) if isinstance(sigma, tuple) else sigma, y.device)
    if not isinstance(errors, Tensor) or errors.shape not in (y.shape, (len(y), len(y)), ()):
        came = f"shape {tuple(errors.shape)}" if isinstance(errors, Tensor) else f"a {type(sigma).__name__}"
        raise UsageError(
            f"sigma of shape ({len(y)},) or ({len(y)}, {len(y)})", came, "give one a measurement"
        )
    if errors.ndim < 2:
        if not bool((errors > 0).all()):
            raise UsageError("errors above 0 in sigma", "one that is not", "leave such measurements out")
        return lambda v: v / errors
    factor, wrong = torch.linalg.cholesky_ex(errors)
    if int(wrong):
        raise UsageError("a positive definite covariance as sigma", "one that is not", "check its entries")
    return lambda v: torch.linalg.solve_triangular(factor, v[:, None], upper=False)[:, 0]
