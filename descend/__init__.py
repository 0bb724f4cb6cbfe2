"""descend: a gradient-descent workbench for PyTorch.

Machine learning is a function, its parameters, and gradient descent. ``descend`` makes the three visible,
fast and trustworthy, for any function that PyTorch can differentiate.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from descend import methods
    from descend.descent.curve_fit import CurveFit, curve_fit
    from descend.descent.descent import Descent
    from descend.descent.outcome import Outcome
    from descend.descent.schedules import Schedule
    from descend.descent.state import State
    from descend.descent.until import Until
    from descend.diagnosing.diagnose import diagnose
    from descend.diagnosing.inspect import inspect
    from descend.diagnosing.watch import watch
    from descend.errors import DataError, DescendError, MissingExtra, RunError, UsageError
    from descend.functions.curvature import Curvature
    from descend.functions.measures import Metric
    from descend.functions.problem import Problem, Settings
    from descend.landscapes.landscape import landscape
    from descend.landscapes.seen import Landscape
    from descend.methods import (
        ADOPT,
        ASGD,
        CAME,
        KFAC,
        LAMB,
        LARS,
        LBFGS,
        SGD,
        SOAP,
        Adadelta,
        Adafactor,
        Adagrad,
        AdaHessian,
        Adam,
        AdamMini,
        AdamW,
        Adan,
        AdEMAMix,
        ConjugateGradients,
        DAdaptAdam,
        DoG,
        GaLore,
        GaussNewton,
        LaProp,
        LevenbergMarquardt,
        Lion,
        Method,
        Momentum,
        Muon,
        NAdam,
        Nesterov,
        Newton,
        NewtonCG,
        NorMuon,
        Prodigy,
        PSGDKron,
        RAdam,
        RMSprop,
        Rprop,
        ScheduleFreeAdamW,
        ScheduleFreeSGD,
        Scion,
        Shampoo,
        SignSGD,
        Signum,
        Sophia,
        StableAdamW,
        optimizer,
    )
    from descend.runs.estimator import Estimator
    from descend.runs.fit import fit
    from descend.runs.run import Run

# Where each public name lives. They are imported when first asked for: torch alone takes two seconds,
# and `descend --help` has four tenths of one.
_PLACES = {
    "ADOPT": "methods",
    "ASGD": "methods",
    "AdEMAMix": "methods",
    "AdaHessian": "methods",
    "Adadelta": "methods",
    "Adafactor": "methods",
    "Adagrad": "methods",
    "Adam": "methods",
    "AdamMini": "methods",
    "AdamW": "methods",
    "Adan": "methods",
    "CAME": "methods",
    "ConjugateGradients": "methods",
    "Curvature": "functions.curvature",
    "CurveFit": "descent.curve_fit",
    "DAdaptAdam": "methods",
    "DataError": "errors",
    "DescendError": "errors",
    "Descent": "descent.descent",
    "Estimator": "runs.estimator",
    "DoG": "methods",
    "GaLore": "methods",
    "GaussNewton": "methods",
    "KFAC": "methods",
    "LAMB": "methods",
    "LBFGS": "methods",
    "LevenbergMarquardt": "methods",
    "Newton": "methods",
    "NewtonCG": "methods",
    "LARS": "methods",
    "Landscape": "landscapes.seen",
    "LaProp": "methods",
    "Lion": "methods",
    "Method": "methods",
    "Metric": "functions.measures",
    "MissingExtra": "errors",
    "Momentum": "methods",
    "Muon": "methods",
    "NAdam": "methods",
    "Nesterov": "methods",
    "NorMuon": "methods",
    "Outcome": "descent.outcome",
    "PSGDKron": "methods",
    "Problem": "functions.problem",
    "Prodigy": "methods",
    "RAdam": "methods",
    "RMSprop": "methods",
    "Rprop": "methods",
    "Run": "runs.run",
    "RunError": "errors",
    "SGD": "methods",
    "SOAP": "methods",
    "Schedule": "descent.schedules",
    "ScheduleFreeAdamW": "methods",
    "ScheduleFreeSGD": "methods",
    "Scion": "methods",
    "Settings": "functions.problem",
    "Shampoo": "methods",
    "SignSGD": "methods",
    "Signum": "methods",
    "Sophia": "methods",
    "StableAdamW": "methods",
    "State": "descent.state",
    "Until": "descent.until",
    "UsageError": "errors",
    "curve_fit": "descent.curve_fit",
    "diagnose": "diagnosing.diagnose",
    "fit": "runs.fit",
    "inspect": "diagnosing.inspect",
    "landscape": "landscapes.landscape",
    "methods": "methods",
    "optimizer": "methods",
    "watch": "diagnosing.watch",
}

__all__ = [
    "ADOPT",
    "ASGD",
    "CAME",
    "KFAC",
    "LAMB",
    "LARS",
    "LBFGS",
    "SGD",
    "SOAP",
    "AdEMAMix",
    "AdaHessian",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamMini",
    "AdamW",
    "Adan",
    "ConjugateGradients",
    "Curvature",
    "CurveFit",
    "DAdaptAdam",
    "DataError",
    "DescendError",
    "Descent",
    "DoG",
    "Estimator",
    "GaLore",
    "GaussNewton",
    "LaProp",
    "Landscape",
    "LevenbergMarquardt",
    "Lion",
    "Method",
    "Metric",
    "MissingExtra",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Newton",
    "NewtonCG",
    "NorMuon",
    "Outcome",
    "PSGDKron",
    "Problem",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Run",
    "RunError",
    "Schedule",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Scion",
    "Settings",
    "Shampoo",
    "SignSGD",
    "Signum",
    "Sophia",
    "StableAdamW",
    "State",
    "Until",
    "UsageError",
    "curve_fit",
    "diagnose",
    "fit",
    "inspect",
    "landscape",
    "methods",
    "optimizer",
    "watch",
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
