"""The variants of gradient descent: each is its equations, in one table."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from descend.errors import UsageError, nearest
from descend.methods import routing
from descend.methods.adam import Adam, AdamW
from descend.methods.adam_successors import ADOPT, Adan, AdEMAMix, LaProp, StableAdamW
from descend.methods.adam_variants import NAdam, RAdam
from descend.methods.adaptive import Adadelta, Adagrad, RMSprop, Rprop
from descend.methods.averaged import ASGD
from descend.methods.curvature.conjugate_gradients import ConjugateGradients
from descend.methods.curvature.deterministic import Deterministic
from descend.methods.curvature.lbfgs import LBFGS
from descend.methods.curvature.least_squares import LevenbergMarquardt
from descend.methods.curvature.newton import GaussNewton, Newton, NewtonCG
from descend.methods.frugal import CAME, Adafactor, AdamMini, GaLore
from descend.methods.gradient import SGD, Momentum, Nesterov
from descend.methods.kfac import KFAC
from descend.methods.layerwise import LAMB, LARS
from descend.methods.method import Method
from descend.methods.muon import Muon, NorMuon
from descend.methods.psgd import PSGDKron
from descend.methods.rate_free import DAdaptAdam, DoG, Prodigy
from descend.methods.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from descend.methods.scion import Scion
from descend.methods.shampoo import Shampoo
from descend.methods.sign import Lion, SignSGD, Signum
from descend.methods.soap import SOAP
from descend.methods.stochastic_curvature import AdaHessian, Sophia

TABLE: dict[str, type[Method]] = {
    c.__name__.lower(): c
    for c in (
        *(SGD, Momentum, Nesterov, ASGD),
        *(Adagrad, RMSprop, Adadelta, Rprop),
        *(Adam, AdamW, NAdam, RAdam),
        *(Adan, AdEMAMix, ADOPT, LaProp, StableAdamW),
        *(Adafactor, CAME, AdamMini, GaLore),
        *(SignSGD, Signum, Lion),
        *(LARS, LAMB),
        *(Muon, NorMuon, Scion),
        *(Shampoo, SOAP, PSGDKron),
        *(ScheduleFreeSGD, ScheduleFreeAdamW),
        *(Prodigy, DAdaptAdam, DoG),
        *(Sophia, AdaHessian),
    )
}
"""Every method that is a rule, by its name; being here brings it into every test, benchmark and page."""

CURVATURE: dict[str, type[Deterministic]] = {
    c.__name__.lower(): c
    for c in (LBFGS, ConjugateGradients, NewtonCG, Newton, GaussNewton, LevenbergMarquardt)
}
"""Every method that asks for the loss in more places than one, by its name."""

LAYERED: dict[str, type[KFAC]] = {"kfac": KFAC}
"""Every method that looks at a network's layers, and so is made from a module, by its name."""

_SHORT = {"lm": "levenbergmarquardt", "cg": "conjugategradients", "gn": "gaussnewton"}


def names() -> list[str]:
    """Return the name of every method.

    Example:
        >>> import descend
        >>> "adamw" in descend.methods.names()
        True
    """
    return [*TABLE, *CURVATURE, *LAYERED]


def method(name: str) -> type[Method] | type[Deterministic]:
    """Return the class of a method.

    Args:
        name: as in :func:`names`, or ``lm``, ``cg``, ``gn``; upper case, hyphens and underscores do not
            matter.

    Raises:
        UsageError: where there is none of this name; it offers the nearest.
    """
    plain = name.lower().replace("-", "").replace("_", "")
    plain = _SHORT.get(plain, plain)
    for others in (CURVATURE, LAYERED):
        if plain in others:
            return others[plain]
    if plain not in TABLE:
        raise UsageError("the name of a method", repr(name), nearest(name, names()))
    return TABLE[plain]


def optimizer(
    name: str,
    model: nn.Module | Iterable[Any],
    *,
    routes: Mapping[str, str | Mapping[str, Any]] | None = None,
    show: bool = True,
    **hyperparameters: Any,
) -> Method | Deterministic:
    """Return a method by its name, over the parameters of a module.

    A method that is for matrices takes the hidden matrices and convolutions, and leaves embeddings, heads,
    norms, biases and other vectors to another (:mod:`.routing`), all in one ``torch.optim.Optimizer``;
    ``opt.routing`` has the table, one row a pattern of parameters.

    Args:
        name: as in :func:`names`.
        model: a module, all of whose trainable parameters it takes by name; or named parameters; or what
            else ``torch.optim`` takes: parameters, or a list of groups, which are taken as they are.
        routes: where parameters go instead: a pattern of names (``"decoder.*"``) → a method's name, or
            hyperparameters (``{"lr": 1e-4}``), with ``"method"`` for another method. The first pattern that
            matches a name counts.
        show: whether to print the table, where parameters go different ways.
        **hyperparameters: by torch's names.

    Raises:
        UsageError: where the name, or a hyperparameter, is unknown or out of range, or a pattern matches no
            parameter.

    Example:
        >>> import torch, descend
        >>> opt = descend.optimizer("adamw", torch.nn.Linear(2, 1), lr=0.01)
        >>> opt.param_groups[0]["lr"]
        0.01
    """
    cls = method(name)
    if isinstance(model, nn.Module):
        model = [(n, p) for n, p in model.named_parameters() if p.requires_grad] and model
        if not model:
            raise UsageError(
                "a model with trainable parameters", "one without", "set requires_grad on some of them"
            )
    else:
        model = list(model)
        if not (model and all(isinstance(x, tuple) and len(x) == 2 for x in model)):
            if routes:
                raise UsageError("routes for a model, or named parameters", "parameters without names", "")
            return cls(model, **hyperparameters)
    if issubclass(cls, Deterministic):
        if routes:
            raise UsageError(f"no routes for {cls.__name__}, which takes all parameters as one", "routes", "")
        named = model.named_parameters() if isinstance(model, nn.Module) else model
        return cls([p for _, p in named if p.requires_grad], **hyperparameters)
    if cls.suggested is not None:
        hyperparameters = {**cls.suggested(hyperparameters), **hyperparameters}
    groups, _ = routing.routed(cls, model, hyperparameters, routes)
    layers = {"model": model} if issubclass(cls, KFAC) and isinstance(model, nn.Module) else {}
    opt = cls(groups, **layers, **hyperparameters)
    opt.routing = tuple(routing.table(opt))
    if show and len(groups) > 1:
        print(routing.written(opt.routing))
    return opt


__all__ = [
    "ADOPT",
    "ASGD",
    "CAME",
    "CURVATURE",
    "KFAC",
    "LAMB",
    "LARS",
    "LAYERED",
    "LBFGS",
    "SGD",
    "SOAP",
    "TABLE",
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
    "DAdaptAdam",
    "Deterministic",
    "DoG",
    "GaLore",
    "GaussNewton",
    "LaProp",
    "LevenbergMarquardt",
    "Lion",
    "Method",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Newton",
    "NewtonCG",
    "NorMuon",
    "PSGDKron",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Scion",
    "Shampoo",
    "SignSGD",
    "Signum",
    "Sophia",
    "StableAdamW",
    "method",
    "names",
    "optimizer",
]
