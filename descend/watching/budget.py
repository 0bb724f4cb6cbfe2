"""What looking may cost: it measures itself, and thins what it does to stay inside."""

from __future__ import annotations

import time


class Budget:
    """The time that looking may take, as a share of the time that training takes.

    What is not looked at closely costs a few microseconds a step, which are counted; what is looked at
    closely costs the difference between such a step and an ordinary one.

    Args:
        share: of the training time, 0.03 for 3%.
    """

    GRACE = 0.03
    """Seconds that may be spent before there is much to take a share of."""

    def __init__(self, share: float):
        self.share = share
        self.start = 0.0
        self._light = self._light_seconds = 0.0
        self._notes = self._own = self._close = 0.0
        self._windows = 0

    def begin(self) -> None:
        """Training begins."""
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long training has taken, what was looked at included."""
        return time.perf_counter() - self.start if self.start else 0.0

    @property
    def spent(self) -> float:
        """Seconds that looking took: what it measured of itself, or what such steps take longer, if more."""
        typical = self._light_seconds / self._light if self._light >= 5 else 0.0
        longer = self._close - self._windows * typical if typical else 0.0
        return self._notes + max(1.2 * self._own, longer)

    def light(self, seconds: float, own: float) -> None:
        """An ordinary step took so long, and so much of it went into notes."""
        if self._light < 5 or seconds < 10 * self._light_seconds / self._light:  # else something came between
            self._light += 1
            self._light_seconds += seconds
        self._notes += own

    def close(self, seconds: float, own: float) -> None:
        """A step that was looked at took so long, and looking at least ``own`` of it."""
        self._windows += 1
        self._own += own
        self._close += min(seconds, 3 * own + (self._light_seconds / self._light if self._light else 0.0))

    def allows(self, expected: float) -> bool:
        """Whether so many seconds more may be spent."""
        return self.spent + expected <= self.GRACE + self.share * self.seconds
