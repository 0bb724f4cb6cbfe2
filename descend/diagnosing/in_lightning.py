"""Watching inside of Lightning: ``Trainer(callbacks=[WatchCallback()])``."""

from __future__ import annotations

from typing import Any

from descend.diagnosing.within import Within
from descend.errors import MissingExtra

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError:
        raise MissingExtra("lightning", "lightning", "watching inside of Lightning") from None


class WatchCallback(Within, Callback):  # type: ignore[misc]
    """Watches the training of a Lightning ``Trainer``, and prints what it found at its end.

    Args:
        budget: the share of the training time that watching may take.
        show: whether to print what was found.

    Attributes:
        watch: the :class:`descend.diagnosing.watch.Watch`; its ``findings`` are known after ``fit``.
    """

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to watch."""
        self.begin()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Cease to watch, and tell."""
        self.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Cease to watch what failed, and tell what was seen of it."""
        self.end(exception)
