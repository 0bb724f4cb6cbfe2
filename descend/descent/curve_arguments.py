"""What :func:`~descend.descent.curve_fit.curve_fit` is given, in any of its forms, as tensors in float64."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError, UsageError

Numbers = Any
"""A number, a tensor, an array or a list of numbers."""


def numbers_of(x: Numbers, device: torch.device | str | None = None) -> Any:
    """Return arrays and lists of numbers as float64, complex ones as they are, and all else as it is."""
    if isinstance(x, Tensor):
        return x.detach() if x.is_complex() else x.detach().double()
    if isinstance(x, tuple):
        return tuple(numbers_of(part, device) for part in x)
    if isinstance(x, list) and x and all(isinstance(part, Tensor) for part in x):
        return [numbers_of(part, device) for part in x]
    if x is None:
        return x
    try:
        array = np.array(x)
        if array.dtype.kind in "US":  # text, which NumPy would read as numbers
            return x
        return torch.from_numpy(array if array.dtype.kind == "c" else array.astype(np.float64)).to(device)
    except (TypeError, ValueError, RuntimeError):
        return x


def target_of(y: Numbers) -> Tensor:
    """Return y, shape (m,), finite."""
    target = numbers_of(y if not isinstance(y, tuple) else list(y))
    if not isinstance(target, Tensor) or target.ndim != 1 or not len(target) or target.is_complex():
        came = f"a {type(y).__name__}"
        if isinstance(target, Tensor):
            came = f"{'complex ones' if target.is_complex() else 'numbers'} of shape {tuple(target.shape)}"
        raise DataError("y as numbers of shape (m,)", came, "give one number a measurement")
    if not bool(target.isfinite().all()):
        raise DataError("finite numbers in y", "NaN or infinity", "leave such measurements out")
    return target


def start_of(f: Callable[..., Any], start: Any) -> tuple[tuple[str, ...], Tensor]:
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
    point = numbers_of(list(start) if isinstance(start, tuple) else start)
    if not isinstance(point, Tensor) or point.ndim > 1 or point.is_complex():
        raise UsageError("a start of numbers", repr(start), "give one number a parameter")
    point = point.reshape(-1).clone().cpu()
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


def bounds_of(bounds: Any, count: int) -> tuple[Tensor, Tensor]:
    """Return the least and the largest value of each parameter, shape (n,) each."""
    if bounds is None:
        bounds = (-math.inf, math.inf)
    expected = f"bounds=(lower, upper) with a number each, or {count}"
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise UsageError(expected, repr(bounds), "use inf for none")
    found = []
    for given, none in zip(bounds, (-math.inf, math.inf), strict=True):
        values = numbers_of(
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


def not_differentiable(came: str) -> DataError:
    """Return the error for a function that torch cannot differentiate by its parameters."""
    return DataError(
        "an f that is made of its parameters by torch's functions",
        came,
        "write torch.exp for np.exp, and so on",
    )


def whitening(sigma: Numbers, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what makes residuals count by their errors."""
    if sigma is None:
        return lambda v: v
    errors = numbers_of(list(sigma) if isinstance(sigma, tuple) else sigma, y.device)
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
