"""The variants of gradient descent: each is its equations, in one table."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from descend.errors import UsageError, nearest
from descend.methods.adam import Adam, AdamW
from descend.methods.gradient import SGD, Momentum, Nesterov
from descend.methods.method import Method

TABLE: dict[str, type[Method]] = {c.__name__.lower(): c for c in (SGD, Momentum, Nesterov, Adam, AdamW)}
"""Every method by its name; being here brings it into every test, benchmark and page."""


def names() -> list[str]:
    """Return the name of every method.

    Example:
        >>> import descend
        >>> "adamw" in descend.methods.names()
        True
    """
    return list(TABLE)


def method(name: str) -> type[Method]:
    """Return the class of a method.

    Args:
        name: as in :func:`names`; upper case, hyphens and underscores do not matter.

    Raises:
        UsageError: where there is none of this name; it offers the nearest.
    """
    plain = name.lower().replace("-", "").replace("_", "")
    if plain not in TABLE:
        raise UsageError("the name of a method", repr(name), nearest(name, names()))
    return TABLE[plain]


def optimizer(name: str, model: nn.Module | Iterable[Any], **hyperparameters: Any) -> Method:
    """Return a method by its name, over the parameters of a module.

    Args:
        name: as in :func:`names`.
        model: a module, all of whose trainable parameters it takes by name; or what ``torch.optim``
            takes: parameters, or a list of groups.
        **hyperparameters: by torch's names.

    Raises:
        UsageError: where the name, or a hyperparameter, is unknown or out of range.

    Example:
        >>> import torch, descend
        >>> opt = descend.optimizer("adamw", torch.nn.Linear(2, 1), lr=0.01)
        >>> opt.param_groups[0]["lr"]
        0.01
    """
    if isinstance(model, nn.Module):
        model = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        if not model:
            raise UsageError(
                "a model with trainable parameters", "one without", "set requires_grad on some of them"
            )
    return method(name)(model, **hyperparameters)


__all__ = ["SGD", "TABLE", "Adam", "AdamW", "Method", "Momentum", "Nesterov", "method", "names", "optimizer"]
