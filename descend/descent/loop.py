"""Iterate: step after step until something says stop, with all that is looked at on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.descent.observe import Observer, Progress
from descend.descent.outcome import Outcome
from descend.descent.record import Record
from descend.descent.trajectory import Trajectory
from descend.descent.until import Until

if TYPE_CHECKING:
    from descend.descent.descent import Descent

SMOOTHING = 0.98
"""The loss that is shown averages some fifty steps."""

FLUSH = 0.15
"""Seconds after which what was recorded is handed on: whoever follows a run sees it six times a second."""

LOSSES_AT_ONCE = 16
"""Off the CPU, how many losses are fetched together."""


class Loop:
    """What one call of :meth:`Descent.run` needs beside the descent's own state."""

    def __init__(
        self,
        descent: Descent,
        until: Until,
        record: Record | None,
        observers: Sequence[Observer],
        checkpoint: Callable[[], None] | None,
        checkpoint_seconds: float,
        evaluate_every: int | None,
        trajectory: Trajectory | None = None,
    ):
        self.descent, self.until, self.record = descent, until, record
        self.trajectory = trajectory
        self.observers, self.checkpoint, self.checkpoint_seconds = observers, checkpoint, checkpoint_seconds
        self.evaluate_every = evaluate_every or self._seldom_enough()
        self.started = time.perf_counter() - descent.seconds
        self.now = descent.seconds
        self._looked = (self.now, descent.steps)
        self._saved = self.now
        self._due = [self.now for _ in observers]
        # Asking a GPU for a loss waits for everything that was launched; on the CPU it costs nothing.
        self.wait = 1 if descent.device.type == "cpu" or descent.exact else LOSSES_AT_ONCE
        self.pending: list[Any] = []
        self.evaluated, self.evaluation_seconds, self.evaluated_step = self.now, 0.0, -1
        self.latest = math.nan

    def _seldom_enough(self) -> int:
        """Once an epoch; seldomer where the forward passes would cost more than a twentieth."""
        d = self.descent
        if d.problem.validation is None:
            return 0
        size = (d.settings.batch_size or len(d.problem.train)) * d.settings.accumulate
        epoch = max(1, d.batches.per_epoch // d.settings.accumulate)
        cheap = math.ceil(len(d.problem.validation) / (0.15 * max(size, 1)))
        every = max(epoch, cheap)
        return max(1, min(every, self.until.steps // 10)) if self.until.steps else every

    def run(self) -> Outcome:
        """Take steps until one of the bounds is reached."""
        d, until = self.descent, self.until
        next_tick = self.now + 0.05
        outcome: Outcome | None = None
        if d.problem.chance is not None and not d.steps and self.evaluate_every:
            self._evaluate()
        if self.trajectory is not None:
            self.trajectory.keep(d.steps, self.now)
        while outcome is None:
            if until.steps is not None and d.steps >= until.steps:
                outcome = Outcome.OUT_OF_STEPS
            elif self.now >= self.seconds:
                outcome = Outcome.OUT_OF_TIME
            elif d.stop_requested:
                outcome = Outcome.INTERRUPTED
            else:
                outcome = self._step()
                d.seconds = self.now = time.perf_counter() - self.started
                if self.now >= next_tick and not self.pending:
                    next_tick = self._tick()
                if self.trajectory is not None and self.now >= self.trajectory.due:
                    self.trajectory.keep(d.steps, self.now)
        return self._end(outcome)

    @property
    def seconds(self) -> float:
        """The time at which it ends at the latest; infinite where no time bounds it."""
        bound = self.until.seconds
        return math.inf if bound is None else min(bound, self.descent.end_by)

    def _done(self) -> float:
        """Return the share of the descent that is done in the middle of the step about to be taken."""
        steps = self.until.steps
        by_steps = (self.descent.steps + 0.5) / steps if steps else 0.0
        return max(by_steps, self.now / self.seconds)

    def _step(self) -> Outcome | None:
        d, until = self.descent, self.until
        step = d.steps + 1
        d.set_rates(self._done())
        loss = d.gradient()
        value = loss.item() if self.wait == 1 else 0.0
        if not math.isfinite(value):
            return self._not_finite(step, value, "no step was taken")
        sampled = self.record is not None and _sampled(step)
        norm: Tensor | None = None
        if until.gradient_norm is not None or d.settings.clip is not None or sampled:
            norm = d.gradient_norm()
            if until.gradient_norm is not None and norm.item() <= until.gradient_norm:
                return self._minimum(step, loss.item(), norm.item())
            if d.settings.clip is not None:
                d.clip(norm, d.settings.clip)
        if d.exact:
            self._remember(value)
        before = [p.detach().clone() for p in d.parameters] if sampled else None
        d.update(loss)
        d.steps = step
        if before is not None and norm is not None:
            self._sample(step, norm, before)
        self.pending.append(loss if self.wait > 1 else value)
        due = self._evaluation_due(step)
        if step % self.wait and step != until.steps and not due and d.ended is None:
            return None
        return self._account() or self._rested() or self._judge(due)

    def _rested(self) -> Outcome | None:
        """Say how it ended where the method knows that it goes no further."""
        d, ended = self.descent, self.descent.ended
        if ended is None:
            return None
        if self.record is not None:
            self.record.event(d.steps, self.now, ended.outcome, ended.why)
        if d.exact and ended.loss is not None:
            self._remember(ended.loss)
        return Outcome(ended.outcome)

    def _account(self) -> Outcome | None:
        """Take in the losses of the steps since the last time."""
        d, record = self.descent, self.record
        pending, self.pending = self.pending, []
        values = pending if self.wait == 1 else torch.stack(pending).tolist()
        course = d.course
        for step, value in enumerate(values, d.steps - len(values) + 1):
            if not math.isfinite(value):
                return self._not_finite(step, value, f"seen after step {d.steps}")
            if course["first"] is None:
                course["first"] = value
            course["smoothed"] = SMOOTHING * course["smoothed"] + (1 - SMOOTHING) * value
            course["counted"] += 1
            self.latest = value
            if record is not None and _recorded(step):
                record.add("loss", step, value)
        return None

    def _not_finite(self, step: int, value: float, what: str) -> Outcome:
        if self.record is not None:
            self.record.add("loss", step, value)
            self.record.event(step, self.now, "not finite", f"the loss became {value}; {what}")
        return Outcome.NOT_FINITE

    def _minimum(self, step: int, value: float, norm: float) -> Outcome:
        if self.descent.exact:
            self._remember(value)
        if self.record is not None:
            self.record.add("loss", step, value)
            self.record.add("gradient/norm", step, norm)
        return Outcome.MINIMUM

    def _remember(self, value: float) -> None:
        d = self.descent
        better = d.best is None or value < d.best["loss"]
        if (
            better or d.never_climbs
        ):  # of two losses that differ by rounding, the later point is the better one
            d.keep(value, {})
        if better:
            d.course["idle"] = 0
        elif self.until.patience is not None:
            d.course["idle"] += 1

    @torch.no_grad()
    def _sample(self, step: int, norm: Tensor, before: Any) -> None:
        d, record = self.descent, self.record
        assert record is not None
        size = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(before)))
        torch._foreach_sub_(before, d.parameters)
        moved = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(before)))
        figures = torch.stack([norm, moved, size]).tolist()
        record.add("gradient/norm", step, figures[0])
        if figures[2] > 0:
            record.add("update/ratio", step, figures[1] / figures[2])
        record.add("learning-rate", step, d.lr)
        record.add("time/elapsed(s)", step, time.perf_counter() - self.started)

    def _evaluation_due(self, step: int) -> bool:
        if not self.evaluate_every:
            return False
        if step % self.evaluate_every == 0:
            return True
        if self.until.seconds is None or self.until.steps is not None:
            return False
        # Where the clock decides, an epoch may never end: look twenty times, if that is cheap.
        return self.now - self.evaluated > max(self.until.seconds / 20, 20 * self.evaluation_seconds)

    def _judge(self, due: bool) -> Outcome | None:
        """Say whether the step just taken ended the descent."""
        d, until = self.descent, self.until
        first = d.course["first"]
        if d.steps > 20 and d.recent_loss > first + 1e4 * max(abs(first), 1.0):
            return Outcome.DIVERGED
        if due:
            self._evaluate()
            if self._satisfied(d.validation.get("loss", math.inf)):
                return Outcome.SATISFIED
        elif until.loss is not None and d.problem.validation is None:
            # An exact loss is taken at its word; a batch's is smoothed first.
            told = self.latest if d.exact else d.loss
            if told <= until.loss:
                return Outcome.SATISFIED
        if until.patience is not None and d.course["idle"] >= until.patience:
            return Outcome.NO_MORE_PROGRESS
        return None

    def _satisfied(self, loss: float) -> bool:
        d, until = self.descent, self.until
        if until.loss is not None and loss <= until.loss:
            return True
        metric = d.problem.metric
        if until.metric is None or metric is None:
            return False
        found = d.validation.get(metric.name, math.nan)
        return found >= until.metric if metric.larger_is_better else found <= until.metric

    def _evaluate(self) -> None:
        d = self.descent
        began = time.perf_counter()
        found = d.evaluate()
        self.evaluated = time.perf_counter() - self.started
        self.evaluation_seconds = time.perf_counter() - began
        self.evaluated_step = d.steps
        if self.record is not None:
            for name, value in found.items():
                self.record.add(f"{name}/validation", d.steps, value)

    def _tick(self) -> float:
        """Do what is due from time to time; return when to look again."""
        d = self.descent
        if self.record is not None:
            self.record.flush()
        if self.checkpoint is not None and self.now - self._saved >= self.checkpoint_seconds:
            self._saved = self.now
            self.checkpoint()
        if any(self.now >= due for due in self._due):
            now = self._progress()
            for k, observer in enumerate(self.observers):
                if self.now >= self._due[k]:
                    observer.look(d, now)
                    self._due[k] = self.now + observer.every_seconds
        return min([self.now + FLUSH, *self._due])

    def _progress(self) -> Progress:
        d, until = self.descent, self.until
        seconds, steps = self._looked
        rate = (d.steps - steps) / (self.now - seconds) if self.now > seconds else 0.0
        self._looked = (self.now, d.steps)
        limit = None if until.seconds is None else self.seconds
        left = [limit - self.now] if limit is not None else []
        if until.steps is not None and rate:
            left.append((until.steps - d.steps) / rate)
        fractions = [d.steps / until.steps] if until.steps else []
        fractions += [self.now / limit] if limit else []
        return Progress(
            step=d.steps,
            steps=until.steps,
            seconds=self.now,
            seconds_limit=limit,
            epoch=d.epochs,
            loss=d.loss,
            lr=d.lr,
            rate=rate,
            fraction=min(1.0, max(fractions)) if fractions else None,
            time_left=max(0.0, min(left)) if left else None,
            validation=dict(d.validation),
        )

    def _end(self, outcome: Outcome) -> Outcome:
        """Take stock of the last parameters, and say so where the budget hid a failure."""
        d = self.descent
        if self.pending:
            outcome = self._account() or outcome
        if self.trajectory is not None:
            self.trajectory.keep(d.steps, self.now)
        if outcome is not Outcome.INTERRUPTED and not outcome.failed:
            if d.problem.validation is not None and self.evaluated_step != d.steps:
                self._evaluate()
            if d.exact and outcome is not Outcome.MINIMUM:
                with d.method.evaluation():
                    found = d.problem.evaluate(d.function, d.problem.train)["loss"]
                    if math.isfinite(found):
                        self._remember(found)
            # What begins near its minimum may rise for a while: it is held against what guessing gives.
            first = max(d.first_loss, d.problem.chance or -math.inf)
            improved = d.best is not None and d.exact and d.best["loss"] < first
            budget = outcome in (Outcome.OUT_OF_STEPS, Outcome.OUT_OF_TIME, Outcome.NO_MORE_PROGRESS)
            if budget and d.steps > 10 and not improved and d.recent_loss > first + max(abs(first), 1e-12):
                outcome = Outcome.DIVERGED
        if self.record is not None:
            self.record.event(d.steps, self.now, "end", outcome.value)
            self.record.flush()
        if self.observers:
            now = self._progress()
            for observer in self.observers:
                observer.look(d, now)
        return outcome


def _recorded(step: int) -> bool:
    """Whether the loss of this step is recorded: all up to 10,000, then every tenth, hundredth, ..."""
    every = 1
    while step > 10_000 * every:
        every *= 10
    return step % every == 0


def _sampled(step: int) -> bool:
    """Whether norms are measured in this step: the first, then 25 times in a thousand, thinning."""
    every = 25
    while step > 400 * every:
        every *= 10
    return step == 1 or step % every == 0
