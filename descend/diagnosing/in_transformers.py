"""Watching inside of Hugging Face's ``Trainer``: ``Trainer(..., callbacks=[WatchCallback()])``."""

from __future__ import annotations

from typing import Any

from descend.diagnosing.within import Within
from descend.errors import MissingExtra

try:
    from transformers import TrainerCallback
except ImportError:
    raise MissingExtra("transformers", "transformers", "watching inside of Transformers") from None


class WatchCallback(Within, TrainerCallback):
    """Watches the training of a ``transformers.Trainer``, and prints what it found at its end.

    Args:
        budget: the share of the training time that watching may take.
        show: whether to print what was found.

    Attributes:
        watch: the :class:`descend.diagnosing.watch.Watch`; its ``findings`` are known after ``train``.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to watch."""
        self.begin()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Cease to watch, and tell."""
        self.end()
