"""When to stop."""

import math
from dataclasses import dataclass, fields
from typing import Any

from descend.errors import UsageError


@dataclass(frozen=True)
class Until:
    """When a descent stops: at the first of these that comes true.

    Attributes:
        steps: after this many updates.
        seconds: after this much time, counted over all sessions of a resumed descent.
        loss: when the validation loss (the training loss where there is none) is at or below this.
        metric: when the validation metric is at least this good.
        gradient_norm: when the norm of the whole gradient is at or below this: a minimum.
        patience: when this many evaluations in a row brought no better validation loss (training
            loss where there is none).

    Raises:
        UsageError: where a bound is not a positive number, or there is none at all.

    Example:
        >>> Until(steps=500).steps
        500
    """

    steps: int | None = None
    seconds: float | None = None
    loss: float | None = None
    metric: float | None = None
    gradient_norm: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
                raise UsageError(f"a number for {f.name}", repr(value), "give a number")
            if f.name in ("steps", "patience") and (value != int(value) or value < 1):
                raise UsageError(f"a whole number of at least 1 for {f.name}", repr(value), "give one")
            if f.name in ("seconds", "gradient_norm") and value <= 0:
                raise UsageError(f"a positive number for {f.name}", repr(value), "give one")

    @property
    def bounded(self) -> bool:
        """Whether the descent is sure to end."""
        return any(v is not None for v in (self.steps, self.seconds, self.patience))

    def to_json(self) -> dict[str, Any]:
        """Return the bounds as JSON values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
