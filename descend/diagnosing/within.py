"""Watching from within somebody else's loop, which tells when training begins and ends."""

from __future__ import annotations

from descend.diagnosing.telling import told
from descend.diagnosing.watch import Watch


class Within:
    """What callbacks of all frameworks have in common.

    Args:
        budget: the share of the training time that watching may take.
        show: whether to print what was found.

    Attributes:
        watch: the :class:`descend.diagnosing.watch.Watch`; its ``findings`` are known after the training.
    """

    def __init__(self, budget: float = 0.03, show: bool = True):
        super().__init__()
        self.budget, self.show = budget, show
        self.watch = Watch(budget=budget)
        self._on = False

    def begin(self) -> None:
        """Begin to watch."""
        self.watch = Watch(budget=self.budget)
        self.watch.__enter__()
        self._on = True

    def end(self, error: BaseException | None = None) -> None:
        """Cease to watch, once, and tell."""
        if self._on:
            self._on = False
            self.watch.__exit__(type(error) if error is not None else None, error, None)
            if self.show:
                print(told(self.watch.seen, self.watch.findings))
