"""Fit a curve: the parameters that bring a function nearest to data, with their standard errors."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from descend.descent.asking import objective_of
from descend.descent.curve_arguments import (
    Numbers,
    bounds_of,
    not_differentiable,
    numbers_of,
    start_of,
    target_of,
    whitening,
)
from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.descent.until import Until
from descend.errors import DataError, UsageError
from descend.functions.problem import Problem, Settings
from descend.methods import method as method_class
from descend.methods.curvature.deterministic import Deterministic


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
    target = target_of(y)
    inputs = numbers_of(x, target.device)
    names, point = start_of(f, start)
    lower, upper = bounds_of(bounds, len(point))
    whiten = whitening(sigma, target)
    cls = method_class(method)
    if not issubclass(cls, Deterministic):
        raise UsageError("a method that uses curvature", repr(method), "lm is made for this")
    hyperparameters: dict[str, Any] = {}
    if bounds is not None:
        if "lower" not in cls.defaults:
            raise UsageError("no bounds for this method", repr(method), "leave method out: lm keeps them")
        hyperparameters = {"lower": lower.tolist(), "upper": upper.tolist()}
        point = point.clamp(lower, upper)

    def predicted(parameters: Mapping[str, Tensor]) -> Tensor:
        try:
            found = f(inputs, *parameters["p"].unbind())
        except (RuntimeError, TypeError) as error:
            if "numpy" not in str(error).lower():
                raise
            raise not_differentiable("one that calls NumPy") from None
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
            raise not_differentiable("one whose values depend on no parameter")
        return whiten(found.double())

    problem = Problem(
        predicted,
        "mse",
        train=(whiten(target),),
        parameters={"p": point},
        settings=Settings(method="lbfgs", batch_size=None, schedule="constant", warmup=0.0),
    )
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
    nothing = J.new_full((n, n), math.inf)
    lengths = torch.linalg.vector_norm(J, dim=0)
    finite = bool(r.isfinite().all() and J.isfinite().all())
    if not n or not finite or bool((lengths == 0).any()) or (m <= n and not absolute):
        return nothing
    _, S, Vt = torch.linalg.svd(J / lengths, full_matrices=False)
    if len(S) < n or float(S[-1]) <= n * torch.finfo(J.dtype).eps * float(S[0]):
        return nothing
    half = Vt.T / S / lengths[:, None]
    scale = 1.0 if absolute else float(r @ r) / (m - n)
    return half @ half.T * scale
