"""descend: a gradient-descent workbench for PyTorch.

Machine learning is a function, its parameters, and gradient descent. ``descend`` makes the three visible,
fast and trustworthy, for any function that PyTorch can differentiate.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from descend import methods
    from descend.descent.descent import Descent
    from descend.descent.outcome import Outcome
    from descend.descent.schedules import Schedule
    from descend.descent.state import State
    from descend.descent.until import Until
    from descend.errors import DataError, DescendError, MissingExtra, RunError, UsageError
    from descend.functions.measures import Metric
    from descend.functions.problem import Problem, Settings
    from descend.methods import SGD, Adam, AdamW, Method, Momentum, Nesterov, optimizer
    from descend.runs.fit import fit
    from descend.runs.run import Run

# Where each public name lives. They are imported when first asked for: torch alone takes two seconds,
# and `descend --help` has four tenths of one.
_PLACES = {
    "Adam": "methods",
    "AdamW": "methods",
    "DataError": "errors",
    "DescendError": "errors",
    "Descent": "descent.descent",
    "Method": "methods",
    "Metric": "functions.measures",
    "MissingExtra": "errors",
    "Momentum": "methods",
    "Nesterov": "methods",
    "Outcome": "descent.outcome",
    "Problem": "functions.problem",
    "Run": "runs.run",
    "RunError": "errors",
    "SGD": "methods",
    "Schedule": "descent.schedules",
    "Settings": "functions.problem",
    "State": "descent.state",
    "Until": "descent.until",
    "UsageError": "errors",
    "fit": "runs.fit",
    "methods": "methods",
    "optimizer": "methods",
}

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "DataError",
    "DescendError",
    "Descent",
    "Method",
    "Metric",
    "MissingExtra",
    "Momentum",
    "Nesterov",
    "Outcome",
    "Problem",
    "Run",
    "RunError",
    "Schedule",
    "Settings",
    "State",
    "Until",
    "UsageError",
    "fit",
    "methods",
    "optimizer",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'descend' has no attribute {name!r}")
    module = import_module(f"descend.{_PLACES[name]}")
    value = module if name == "methods" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
