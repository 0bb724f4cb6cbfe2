"""Watching a descent of our own, from within: nothing is patched, and short steps are mostly left alone.

Hooks cost some tens of microseconds a step, whether they look or only pass through. A step of a small network
takes a few hundred, one on a surface sixty: there, hooks in every step would cost a third of the time. So
where steps are short the hooks come for three steps at a time, of which the middle one is looked at closely:
all of the first steps, then seldomer and seldomer, within the budget. Between these visits nothing is left
but a glance at each loss, and on a bare function not even that. What a loop from outside has to be watched
for in every step (the losses, the learning rate) a descent writes down anyway.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from descend.descent.descent import Descent
from descend.functions.data import Loaded
from descend.watching.observations import NotFinite, Observations
from descend.watching.watcher import FIRST, Watcher

HOOKS = 80e-6
"""Seconds that hooks cost in a step at most, on a slow machine: what a step is charged that has them."""
GLANCE = 4e-6
"""Seconds that a glance in passing costs at most."""
SHORT = 8e-3
"""Seconds: hooks stay in the steps that are longer than this, of which they are a hundredth at most."""
KEPT_TO = 0.75
"""What part of the share is planned with: a look may take longer than the last one."""
BEGINNING = FIRST + 2
"""Steps that have hooks in any case; the first ones are looked at closely."""
GRACE = 0.004
"""Seconds that may be spent before there is much to take a share of."""
AT_FIRST = 0.02
"""As many on the first steps, which tell most, where there are data: a bare function is often down before."""
VISIT = 3
"""Steps of a visit: before, during and after the one that is looked at."""


class DescentWatcher(Watcher):
    """Watches one descent.

    Args:
        descent: it; other descents, also within other threads, are not seen.
        budget: the share of the time that watching may take.

    Attributes:
        failure: what went wrong with watching itself; the descent goes on without it.
    """

    def __init__(self, descent: Descent, budget: float = 0.03):
        super().__init__(descent.function, descent.method, budget)
        self.withdraws = False  # it has a way of its own
        self.descent = descent
        self.share = budget
        self.failure: Exception | None = None
        self._charged = 0.0
        # Where the processor computes its time is counted: a busy machine makes nothing dear.
        self._clock = time.thread_time if descent.device.type == "cpu" else time.perf_counter
        self._began = self._clocked = self._came = 0.0
        self._first = self._hooked = descent.steps
        self._beginning = descent.steps + BEGINNING
        self._at_first = AT_FIRST - GRACE if descent.problem.has_data else 0.0
        self._staying = True
        self._last_visit = GRACE / BEGINNING
        self._visit_at = 0
        self._parts = descent.settings.accumulate
        self._glances = 0
        self._rested = 0
        self._leaving = False

    # Coming and going -------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin to watch."""
        if not self._began:
            self._began, self._clocked = time.perf_counter(), self._clock()
        self.guarded(self._start)()
        if self.failure is not None:
            self.leave()

    def _start(self) -> None:
        if isinstance(self.descent.problem.train, Loaded):
            self.modules.iterate(lambda loader: None, self.descent.problem.train.loader)
        self._come()
        self.open()

    def leave(self) -> None:
        """Leave the descent alone until the next visit."""
        if not self.undo:
            return
        self.guarded(self.modules.end_of_evaluation)()
        self.guarded(self.looking.switch_off)()
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        self.window = self._before = self.pending = None
        self._clearing.clear()
        self.looking.clear()
        self._last_visit = 1.2 * (self.budget._own - self._came) + HOOKS * (
            self.seen.steps - self._hooked + 1
        )
        self._charged += self._last_visit
        self._rested = self.seen.steps
        self.looking.spent = 0.0
        self._visit_at = self.seen.steps + max(4, (self.seen.steps - self._first) // 16)
        self._glances, self._leaving = 0, False
        self.descent.around_backward = self.descent.around_evaluation = None
        if self.failure is None and self.descent.problem.has_data:
            self.descent.around_backward, self.descent.around_evaluation = self._glance, self._evaluation

    def pass_by(self) -> None:
        """See whether a visit is due to a bare function, which is not even glanced at; between two steps."""
        if not self.undo and self.failure is None and self.descent.around_backward is None:
            self._visit_if_due()

    def stop(self, probe: bool = True) -> Observations:
        """Cease to watch, and return what was seen; what it may be started again after.

        Args:
            probe: ask copies of the function what it makes of its inputs, which takes a few passes.
        """
        self.leave()
        self._charged += self._passing
        self.descent.around_backward = self.descent.around_evaluation = None
        self._count()
        if not probe:
            self.modules.given.clear()
        self.guarded(super().stop)()
        seen = self.seen
        seen.accumulates = float(self._parts)
        seen.seconds = self.seconds
        seen.spent = seen.seconds * self.spent / max(self._worked, 1e-9)
        return seen

    def _come(self) -> None:
        self._charged += self._passing
        self._count()
        self._came, self._hooked = self.budget._own, self.seen.steps
        method = self.descent.method
        before, after = self.guarded(self._before_step), self.guarded(self.after_step)
        self.undo += [
            method.register_step_pre_hook(before).remove,
            method.register_step_post_hook(after).remove,
        ]
        function = self.descent.function
        self.modules._root(function)
        self.undo.append(function.register_forward_pre_hook(self.modules.called).remove)
        self.descent.around_backward, self.descent.around_evaluation = self._differentiated, None
        self._step_began = self.cost = 0.0

    def _count(self) -> None:
        """Take in the steps that were taken meanwhile."""
        self.seen.steps = self.descent.steps
        for facts in self.seen.optimizers:
            facts.steps = facts.last = self.seen.steps

    @property
    def seconds(self) -> float:
        """How long has been watched."""
        return time.perf_counter() - self._began if self._began else 0.0

    @property
    def _worked(self) -> float:
        """The same in seconds of the processor, where it is the processor that computes."""
        return self._clock() - self._clocked if self._began else 0.0

    @property
    def spent(self) -> float:
        """Of these, how many watching took."""
        now = self._passing
        if self.undo:
            now = 1.2 * (self.budget._own - self._came) + HOOKS * (self.seen.steps - self._hooked)
        return self._charged + now

    @property
    def _passing(self) -> float:
        """What glances since the last visit took."""
        glancing = self.descent.around_backward == self._glance
        return GLANCE * (self.descent.steps - self._rested) if glancing else 0.0

    def _due(self) -> bool:
        step = self.seen.steps
        if step < self._beginning:
            return step < self._first + FIRST and self._allowed(self.recent - self._at_first)
        if not self._staying:  # the second step of a visit is looked at
            return step == self._hooked + 1
        if step < self.next or not self._allowed(self.recent):
            return False
        self.next = step + max(1, (step - self._first) // 16)
        return True

    def _allowed(self, expected: float) -> bool:
        return self.spent + expected <= GRACE + KEPT_TO * self.share * self._worked

    def after_step(self, optimizer: Any, args: Any = (), kwargs: Any = None) -> None:
        """See that a step was taken, perhaps the last one of a visit."""
        super().after_step(optimizer, args, kwargs)
        steps = self.seen.steps
        if steps == self._beginning:
            self._staying = (self._worked - self.spent) / (steps - self._first) > SHORT
        if steps >= self._beginning and not self._staying and steps - self._hooked >= VISIT:
            self._leaving = True  # hooks cannot be taken away while they are called

    # What a descent lets its watcher see --------------------------------------------------------------
    def _glance(self, loss: Tensor, differentiate: Callable[[], None]) -> None:
        """Pass by: see a loss that is not finite, and whether a visit is due."""
        if loss.is_cpu:
            value = loss.item()
            if value - value != 0 and self.seen.not_finite is None:
                self._count()
                self.guarded(self.found_not_finite)(loss)
        differentiate()
        self._glances += 1
        # Not in the middle of a step of several batches.
        if self._glances % self._parts == 0:
            self._visit_if_due()

    def _visit_if_due(self) -> None:
        if self.descent.steps >= self._visit_at:
            if self._allowed(self._last_visit):
                self.guarded(self._come)()
            else:
                self._visit_at = self.descent.steps + 4

    def _differentiated(self, loss: Tensor, differentiate: Callable[[], None]) -> None:
        """Look before and after a loss is differentiated."""
        if self._leaving:
            self.losses.backwards += 1  # of the call that the hooks still saw
            self.leave()
            if self.descent.around_backward is None:
                differentiate()
            else:
                self._glance(loss, differentiate)
            return
        raised: list[BaseException] = []
        done = False

        def once(*_: object) -> None:
            nonlocal done
            done = True
            try:
                differentiate()
            except BaseException as error:
                raised.append(error)
                raise

        try:
            with np.errstate(all="ignore"):
                self.losses.through(once, loss)
        except Exception as error:
            if raised:
                raise
            self.give_up(error)
        if not done:
            differentiate()

    @contextmanager
    def _evaluation(self) -> Iterator[None]:
        """Look at an evaluation between two visits."""
        spent = self.looking.spent
        allowed = self._allowed(self._last_visit)
        if allowed:
            self._count()
            self.undo.append(self.descent.function.register_forward_pre_hook(self.modules.called).remove)
        try:
            yield
        finally:
            if allowed:
                more = self.looking.spent - spent
                self.guarded(self.modules.end_of_evaluation)()
                self.guarded(self.looking.switch_off)()
                self.modules.stepped()
                while self.undo:
                    self.undo.pop()()
                self.looking.clear()
                self._charged += 1.2 * more + HOOKS
                self.looking.spent = self.cost = 0.0

    def guarded(self, look: Callable[..., object]) -> Callable[..., None]:
        """Return what looks, such that its own failure is not the descent's."""

        def quiet(*args: Any) -> None:
            with np.errstate(all="ignore"):  # numbers that overflow are seen as such, and not warned of
                look(*args)

        return super().guarded(quiet)

    def give_up(self, error: Exception) -> None:
        """Watch no more: what is wrong is kept for the run's facts."""
        if self.failure is None:
            self.failure = error
            said = f"anything after step {self.descent.steps}: {type(error).__name__}: {error}"
            self.seen.not_measured.append(said[:300])
        self.window = self._before = self.pending = None
        self._leaving = True

    def seen_again(self, losses: Sequence[float]) -> None:
        """Compute the last loss of a bare function once more, where it was not finite: to see why."""
        bare = not self.descent.problem.has_data
        if bare and losses and not math.isfinite(losses[-1]) and self.seen.not_finite is None:
            loss = self.descent.problem.loss_of(self.descent.function, self.descent.batches.next())
            if not math.isfinite(float(loss.detach())):
                self.found_not_finite(loss)


def complete(
    seen: Observations,
    descent: Descent,
    losses: tuple[Sequence[int], Sequence[float]],
    rates: tuple[Sequence[int], Sequence[float]],
) -> None:
    """Fill in what the descent itself wrote down: the losses of all its steps, and its learning rates.

    Args:
        seen: it is changed.
        descent: the one that was watched.
        losses: the steps and the values of its record's ``loss``.
        rates: those of its ``learning-rate``.
    """
    if losses[0]:
        seen.losses = list(zip(*losses, strict=True))
        last, value = seen.losses[-1]
        if not math.isfinite(value) and seen.not_finite is None:
            seen.not_finite = NotFinite(last, "loss")
    groups = descent.method.param_groups
    for facts in seen.optimizers[:1] if rates[0] and len(rates[0]) > 1 else ():
        if not facts.settings or len(facts.settings[0][1]) != len(groups):
            continue
        known, found = facts.settings[0][1], []
        first = max((float(g["lr"]) for g in known), default=0.0)  # type: ignore[arg-type]
        for step, rate in zip(*rates, strict=True):
            now = [{**g, "lr": g["lr"] * rate / first if first > 0 else rate} for g in known]  # type: ignore[operator]
            if not found or found[-1][1][0]["lr"] != now[0]["lr"]:
                found.append((step, now))
        facts.settings = found[-4000:]
