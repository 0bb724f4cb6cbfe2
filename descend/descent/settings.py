"""A problem's settings, changed as a person asks."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from descend.errors import UsageError, nearest
from descend.functions.problem import Problem, Settings
from descend.methods import method as method_class
from descend.methods.curvature.deterministic import Deterministic
from descend.methods.kfac import KFAC


def resolve_settings(settings: Settings, method: str | None, changes: Mapping[str, Any]) -> Settings:
    """Return a problem's settings with some of them changed.

    Another method than the problem's own brings its own learning rate and hyperparameters, and schedule if
    it wants one.
    """
    for name in changes:
        if name not in Settings.__dataclass_fields__:
            raise UsageError("a setting", repr(name), nearest(name, list(Settings.__dataclass_fields__)))
    changes = dict(changes)
    method = changes.pop("method", None) or method
    if method is not None:
        cls = method_class(method)
        name = cls.__name__.lower()
        if name != settings.method:
            if issubclass(cls, Deterministic):
                # It sees all examples in every step, and searches for its own rate.
                settings = replace(settings, batch_size=None, warmup=0.0, clip=None)
            elif issubclass(method_class(settings.method), Deterministic):
                settings = Settings(steps=settings.steps)
            schedule = cls.schedule or settings.schedule
            settings = replace(settings, method=name, lr=None, hyperparameters={}, schedule=schedule, why="")
    extra = changes.pop("hyperparameters", None)
    if extra:
        settings = replace(settings, hyperparameters={**settings.hyperparameters, **extra})
    settings = replace(settings, **changes)
    for name in ("batch_size", "accumulate", "steps"):
        value = getattr(settings, name)
        if value is not None and (value != int(value) or value < 1):
            raise UsageError(f"a whole number of at least 1 for {name}", repr(value), "give one")
    if settings.clip is not None and not settings.clip > 0:
        raise UsageError("a positive number for clip", repr(settings.clip), "give one, such as 1.0")
    if settings.lr is not None and not (settings.lr >= 0 and math.isfinite(settings.lr)):
        raise UsageError("a learning rate of at least 0", repr(settings.lr), "give one, such as 0.001")
    return settings


def hyperparameters_for(problem: Problem, settings: Settings) -> dict[str, Any]:
    """Return what a problem's method is made with: what was set, and what follows from the problem."""
    cls = method_class(settings.method)
    given = dict(settings.hyperparameters)
    if settings.lr is not None:
        given["lr"] = settings.lr
    if not problem.has_data and "weight_decay" in cls.defaults:
        # Decay holds back what is learned from examples; on a bare function it moves the minimum.
        given.setdefault("weight_decay", 0.0)
    if issubclass(cls, KFAC):
        given = {**cls.for_loss(problem.loss_name), **given}
    return given
