"""Watching inside of Hugging Face's ``Trainer``: ``Trainer(..., callbacks=[WatchCallback()])``."""

from __future__ import annotations

from typing import Any

from descend.diagnosing.telling import told
from descend.diagnosing.watch import Watch
from descend.errors import MissingExtra

try:
    from transformers import TrainerCallback
except ImportError:
    raise MissingExtra("transformers", "transformers", "watching inside of Transformers") from None


class WatchCallback(TrainerCallback):
    """Watches the training of a ``transformers.Trainer``, and prints what it found at its end.

    Args:
        budget: the share of the training time that watching may take.
        show: whether to print what was found.

    Attributes:
        watch: the :class:`descend.diagnosing.watch.Watch`; its ``findings`` are known after ``train``.
    """

    def __init__(self, budget: float = 0.03, show: bool = True):
        self.budget, self.show = budget, show
        self.watch = Watch(budget=budget)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to watch."""
        self.watch = Watch(budget=self.budget)
        self.watch.__enter__()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Cease to watch, and tell."""
        self.watch.__exit__(None, None, None)
        if self.show:
            print(told(self.watch.seen, self.watch.findings))
