"""What looking may cost: it measures itself, and thins what it does to stay inside."""

from __future__ import annotations

import time

UNSEEN = 1.35
"""How much longer a look takes than it can see itself: calls go by way of Python that otherwise do not."""


class Budget:
    """The time that looking may take, as a share of the time that training takes.

    What is not looked at closely costs a few microseconds a step, which are counted; what is looked at
    closely costs the difference between such a step and an ordinary one. Where the processor computes, its
    time is counted, not the clock's: else a busy machine makes looks seem dear, and they become few.

    Args:
        share: of the training time, 0.03 for 3%.
    """

    GRACE = 0.003
    """Seconds that may be spent before there is much to take a share of, and are paid back from it."""
    KEPT_TO = 0.9
    """What part of the share is planned with: how long a look takes is known only afterwards."""

    MOST = 5 / 3
    """How many times the share a look may cost that comes but once."""

    def __init__(self, share: float):
        self.share = share
        self.start = 0.0
        self._processor = True
        self._started = self._opened = (0.0, 0.0)
        self._light = self._light_seconds = 0.0
        self._notes = self._note = self._own = 0.0

    def begin(self, processor: bool = True) -> None:
        """Training begins.

        Args:
            processor: whether it is the processor that computes, not a device beside it.
        """
        self.start = time.perf_counter()
        self._processor = processor
        self._started = self._now()

    def open(self) -> None:
        """A close look begins."""
        self._opened = self._now()

    @property
    def seconds(self) -> float:
        """How long training has taken, what was looked at included."""
        return time.perf_counter() - self.start if self.start else 0.0

    @property
    def spent(self) -> float:
        """Seconds that looking took, on the clock that :attr:`seconds` are of."""
        return (self._notes + self._own) / self._busy(self._started)

    @property
    def typical(self) -> float:
        """Seconds that an ordinary step takes, on the clock; 0 where that is not known yet."""
        return self._light_seconds / self._light if self._light >= 5 else 0.0

    @property
    def typical_processor(self) -> float:
        """Seconds of the processor's time that an ordinary step takes."""
        return self.typical * self._busy(self._started)

    def light(self, seconds: float, own: float) -> None:
        """An ordinary step took so long, and so much of it went into notes."""
        if self._light < 5 or seconds < 10 * self._light_seconds / self._light:  # else something came between
            self._light += 1
            self._light_seconds += seconds
        if own > 4 * self._note > 0:  # somebody else had the processor meanwhile
            own = 4 * self._note
        self._note += 0.1 * (own - self._note) if self._note else own
        self._notes += own

    def close(self, own: float, alone: bool = True) -> float:
        """A close look is over.

        Args:
            own: seconds that it knows to have taken itself.
            alone: whether nothing but a step came in between, no evaluation.

        Returns:
            seconds that it took: those by which the step was longer than an ordinary one, if known.
        """
        busy = self._busy(self._opened)
        took = (time.perf_counter() - self._opened[0]) * busy
        if self.typical and alone:
            longer = took - self.typical_processor
            own = max(busy * own, min(longer, 3 * own))
        else:
            own *= UNSEEN * busy
        self._own += own
        return own

    def charge(self, own: float) -> float:
        """Something else took so many seconds; return of the processor's time, about."""
        own *= self._busy(self._started)
        self._own += own
        return own

    def allows(self, expected: float, part: float = 1.0) -> bool:
        """Whether so many seconds more may be spent, or would be within a part of what may be."""
        share = self._of_training(part * self.KEPT_TO * self.share)
        return self._notes + self._own + expected <= max(self.GRACE + 0.8 * share, share)

    def within(self, spent: float, part: float) -> bool:
        """Whether so many seconds are within a part of what may be spent."""
        return spent <= self._of_training(part * self.KEPT_TO * self.share)

    def bears(self, expected: float) -> bool:
        """Whether so many seconds more would not be far beyond the share, for what is seen but once."""
        return self._notes + self._own + expected <= self._of_training(self.MOST * self.share)

    def _of_training(self, share: float) -> float:
        return share * self.seconds * self._busy(self._started)

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), time.thread_time() if self._processor else 0.0

    def _busy(self, since: tuple[float, float]) -> float:
        """Return the share of the time since then that this thread had the processor."""
        if not self._processor or not since[0]:
            return 1.0
        now = self._now()
        return min(1.0, max(0.01, (now[1] - since[1]) / max(now[0] - since[0], 1e-9)))
