"""Watching inside of Lightning: ``Trainer(callbacks=[WatchCallback()])``."""

from __future__ import annotations

from typing import Any

from descend.diagnosing.telling import told
from descend.diagnosing.watch import Watch
from descend.errors import MissingExtra

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError:
        raise MissingExtra("lightning", "lightning", "watching inside of Lightning") from None


class WatchCallback(Callback):  # type: ignore[misc]
    """Watches the training of a Lightning ``Trainer``, and prints what it found at its end.

    Args:
        budget: the share of the training time that watching may take.
        show: whether to print what was found.

    Attributes:
        watch: the :class:`descend.diagnosing.watch.Watch`; its ``findings`` are known after ``fit``.
    """

    def __init__(self, budget: float = 0.03, show: bool = True):
        super().__init__()
        self.budget, self.show = budget, show
        self.watch = Watch(budget=budget)
        self._on = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to watch."""
        self.watch = Watch(budget=self.budget)
        self.watch.__enter__()
        self._on = True

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Cease to watch, and tell."""
        self._end(None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Cease to watch what failed, and tell what was seen of it."""
        self._end(exception)

    def _end(self, error: BaseException | None) -> None:
        if self._on:
            self._on = False
            self.watch.__exit__(type(error) if error is not None else None, error, None)
            if self.show:
                print(told(self.watch.seen, self.watch.findings))
