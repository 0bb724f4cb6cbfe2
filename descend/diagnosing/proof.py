"""The experiment: a remedy beside an unchanged control, from one state, on the same batches.

Each seed gives one pair of descents that differ in the remedy alone, so that what is reported is the mean of
paired differences with its 95% interval (Student's t over the seeds; of ratios, where losses are positive).
Both take the whole of the schedule, or what is left of it, in the steps of the experiment: a loss in the
middle of a schedule says more about the noise of its learning rate than about where it leads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import torch
from torch import nn

from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.descent.state import State
from descend.descent.until import Until
from descend.diagnosing.examples import Kept
from descend.diagnosing.remedies import NotApplicable, Remedy, differences
from descend.functions.problem import Problem, Settings

SEEDS = 3
"""Pairs of descents an experiment has at least."""
MATTERS = 0.05
"""The share of the control's loss below which a difference is too small to show that something was wrong."""
_NEVER = 1 << 60
_LARGEST = 600.0  # of a logarithm
_ENDLESS = 1e12  # stands for a loss that is not finite, where even the first one is not
# The 97.5% points of Student's t for 1, 2, ... degrees of freedom.
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


ENDLESS = "the loss falls without end, and says nothing of what is good"
_BELOW = 10.0


def endless(first: float, *losses: float) -> bool:
    """Whether one of some losses is so far below zero that there is no minimum to be expected.

    Args:
        first: the loss at the beginning. A logarithm of a density may well fall below zero, but not by many
            times as much.
        losses: later ones.

    Example:
        >>> endless(2.3, -4.0), endless(2.3, 0.1, -1e6)
        (False, True)
    """
    return min(losses) < -_BELOW * max(abs(first), 1.0)


class OutOfTime(Exception):
    """The time for an experiment is over before it is."""


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of differences and the ends of its 95% interval, by Student's t.

    Args:
        differences: at least two.

    Example:
        >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
        [2.0, -0.484, 4.484]
    """
    n = len(differences)
    mean = sum(differences) / n
    spread = math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1))
    half = _T[min(n - 2, len(_T) - 1)] * spread / math.sqrt(n)
    return mean, mean - half, mean + half


class Verdict(Enum):
    """What an experiment says; each value is its sentence."""

    HELPS = "it helps"
    LITTLE = "it helps too little to be what is wrong"
    NOT = "it does not help"


@dataclass(frozen=True)
class Effect:
    """What a remedy was measured to do.

    Attributes:
        remedy: what was done.
        measured: which loss.
        control: that loss without the remedy, each seed's.
        remedied: with it.
        steps: how many steps each took.
        broken: in how many seeds control and remedy ended with a loss not finite or above ``ceiling``.
        ceiling: what such a loss counts as, so that one descent that explodes does not drown the others.
        cause: what is wrong if it helps; empty for what it was tried for.
    """

    remedy: str
    measured: str
    control: tuple[float, ...]
    remedied: tuple[float, ...]
    steps: int
    broken: tuple[int, int] = (0, 0)
    ceiling: float = math.inf
    cause: str = ""

    @property
    def before(self) -> float:
        """The control's mean: the geometric one, where no loss is zero or less."""
        return self._mean(self.control)

    @property
    def after(self) -> float:
        """The mean with the remedy."""
        return self._mean(self.remedied)

    @property
    def interval(self) -> tuple[float, float, float]:
        """The mean paired difference (negative: better), and the ends of its 95% interval.

        Of positive losses it is the ratios that are averaged, in logarithms: where one seed in six ends in
        ten times the loss without the remedy, differences would call that noise.
        """
        pairs = list(zip(self.control, self.remedied, strict=True))
        if not self._positive:
            return interval([b - a for a, b in pairs])
        mean, low, high = (
            self.before * math.expm1(min(x, _LARGEST)) for x in interval([math.log(b / a) for a, b in pairs])
        )
        return mean, low, high

    @property
    def _positive(self) -> bool:
        return min(*self.control, *self.remedied) > 0

    def _mean(self, losses: Sequence[float]) -> float:
        if self._positive:
            return math.exp(sum(map(math.log, losses)) / len(losses))
        return sum(losses) / len(losses)

    @property
    def verdict(self) -> Verdict:
        """Whether it helps."""
        mean, _, high = self.interval
        if not high < 0:
            return Verdict.NOT
        return Verdict.HELPS if -mean >= MATTERS * abs(self.before) else Verdict.LITTLE

    @property
    def sentence(self) -> str:
        """What a person reads."""
        mean, low, high = self.interval
        digits = _digits(max(abs(self.before), abs(self.after)), mean)
        a, b, d, l, h = (
            f"{x:.{digits}f}".replace("-", "−") for x in (self.before, self.after, mean, low, high)
        )
        text = (
            f"With {self.remedy}: {self.measured} {a} → {b} after {self.steps} steps "
            f"({len(self.control)} seeds; difference {d}, 95% interval {l} to {h}): {self.verdict.value}."
        )
        if any(self.broken):
            top = f"{self.ceiling:.{digits}f}"
            text += (
                f" A loss above {top} counts as {top} "
                f"(control {self.broken[0]}, remedy {self.broken[1]} of {len(self.control)})."
            )
        return text

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend diagnose --json`` prints it."""
        mean, low, high = self.interval
        return {
            "remedy": self.remedy,
            "measured": self.measured,
            "before": self.before,
            "after": self.after,
            "difference": mean,
            "low": low,
            "high": high,
            "seeds": len(self.control),
            "steps": self.steps,
            "broken": list(self.broken),
            "verdict": self.verdict.value,
        }


def _digits(largest: float, difference: float) -> int:
    """Return decimals that leave three figures of a loss, and two of the difference."""
    needed = [2 - _exponent(largest), min(1 - _exponent(difference), 5 - _exponent(largest))]
    return min(12, max(0, *needed))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 2


class Laboratory:
    """Where remedies are tried on one problem.

    Args:
        problem: it is not changed.
        settings: those of the control.
        steps: how many each descent takes.
        later: a state in the middle of the run, for remedies that are not tried anew; by default all are.
        share: how much of the schedule lies behind that state.
        seeds: what chance is drawn from, one pair of descents each.
        device: where to compute.
        pace: about how many seconds a step of the control takes.
        deadline: the time (of ``time.perf_counter``) at which an experiment is given up.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        steps: int,
        *,
        later: State | None = None,
        share: float = 0.0,
        seeds: Sequence[int] = range(SEEDS),
        device: torch.device | None = None,
        pace: float = 0.0,
        deadline: float = math.inf,
    ):
        self.problem, self.settings, self.steps = problem, settings, steps
        self.later, self.share, self.seeds = later, share, tuple(seeds)
        self.pace, self.deadline = pace, deadline
        self.device = device or Descent(problem, **as_dict(settings)).device
        held_out = problem.validation is not None
        self._examples = Kept(problem.validation or problem.train, self.device)
        self.measured = "validation loss" if held_out else "training loss" if problem.has_data else "loss"
        self._start = problem.fresh_function().to(self.device)
        self._controls: dict[tuple[bool, int], tuple[nn.Module, nn.Module]] = {}

    def compare(self, remedy: Remedy, where: str = "", until: float = math.inf) -> Effect:
        """Try a remedy.

        Args:
            remedy: what to try.
            where: the layer or parameter at which its cause was found.
            until: the time after which no further seeds are taken than the first three.

        Raises:
            NotApplicable: where it cannot be tried here.
            OutOfTime: where the deadline came before its end.
        """
        anew = remedy.anew or self.later is None
        controls, remedied, broken, words, ceiling = [], [], [0, 0], remedy.words, math.inf
        began = time.perf_counter()
        for place, seed in enumerate(self.seeds):
            now = time.perf_counter()
            if place >= SEEDS and now + (now - began) / place > until:
                break
            if 0 < place < SEEDS and now + (now - began) / place * (SEEDS - place) > self.deadline:
                raise OutOfTime
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                problem, settings = remedy.change(self.problem, self.settings, where)
            if not controls:
                self._check_time(settings, anew)
            words = remedy.words
            if changed := differences(self.settings, settings):
                words += f" ({changed})"
            judge = problem if remedy.judges else self.problem
            first, control = self._control(anew, seed)
            ceiling = self._ceiling(judge, first, anew)
            _, function = self._descended(problem, settings, anew, seed)
            for which, (values, end) in enumerate(((controls, control), (remedied, function))):
                loss = self._loss(judge, end)
                if self.problem.has_data and endless(ceiling, loss):
                    raise NotApplicable(ENDLESS)
                broken[which] += not loss <= ceiling
                values.append(loss if loss <= ceiling else ceiling)
        measured = tuple(controls), tuple(remedied)
        return Effect(
            words, self.measured, *measured, self.steps, (broken[0], broken[1]), ceiling, remedy.cause
        )

    def _ceiling(self, judge: Problem, first: nn.Module, anew: bool) -> float:
        """Return the largest loss that is believed: that of the beginning, twice as much in mid-run.

        What is worse than no step at all is worth no more than that; but a loss that rises late is a symptom.
        """
        begin = max(self._loss(judge, first), self._loss(judge, self._start))
        if not math.isfinite(begin):
            return _ENDLESS
        return begin if anew else begin + abs(begin)

    def _check_time(self, settings: Settings, anew: bool) -> None:
        """Give up before the beginning what cannot come to its end."""
        ratio = settings.accumulate / self.settings.accumulate
        size = self.settings.batch_size
        if size is not None:
            ratio *= (settings.batch_size or len(self.problem.train)) / size
        made = sum((anew, seed) in self._controls for seed in self.seeds[:SEEDS])
        runs = max(1.0, ratio) * SEEDS + SEEDS - made
        if time.perf_counter() + runs * self.steps * self.pace > self.deadline:
            raise OutOfTime

    def _control(self, anew: bool, seed: int) -> tuple[nn.Module, nn.Module]:
        """Return the function before and after a descent without a remedy, which is made once."""
        key = anew, seed
        if key not in self._controls:
            self._controls[key] = self._descended(self.problem, self.settings, anew, seed)
        return self._controls[key]

    def _descended(
        self, problem: Problem, settings: Settings, anew: bool, seed: int
    ) -> tuple[nn.Module, nn.Module]:
        descent = Descent(problem, seed=seed, device=self.device, **as_dict(settings))
        if not anew and self.later is not None:
            own = descent.snapshot()  # what the seed and the settings decide; the rest goes on from there
            done = round(self.steps * self.share / (1 - self.share))
            descent.restore(
                replace(
                    self.later,
                    step=done,
                    data=own.data,
                    random=own.random,
                    hyperparameters=own.hyperparameters,
                    best=None,
                )
            )
        first = _copy(problem, descent.function)
        advance(
            descent, descent.steps + self.steps, lambda _, now: now > self.deadline, evaluate_every=_NEVER
        )
        if time.perf_counter() > self.deadline:
            raise OutOfTime
        with descent.method.evaluation():
            return first, _copy(problem, descent.function)

    def _loss(self, judge: Problem, function: nn.Module) -> float:
        return judge.evaluate(function, self._examples)["loss"]


def advance(
    descent: Descent,
    total: int,
    stop: Callable[[int, float], bool],
    *,
    evaluate_every: int | None = None,
) -> tuple[Outcome, list[float]]:
    """Descend until told to stop, under a schedule that goes on beyond.

    Args:
        descent: goes on from where it stands.
        total: the step at which its schedule ends, and it too.
        stop: is asked after each step, with its number and the time (of ``time.perf_counter``).
        evaluate_every: as :meth:`Descent.run` takes it.

    Returns:
        How it ended, and the time at the end of each step.
    """
    times: list[float] = []
    first = descent.steps

    def after(*_: object) -> None:
        times.append(time.perf_counter())
        descent.stop_requested = stop(first + len(times), times[-1])

    hook = descent.method.register_step_post_hook(after)
    try:
        outcome = descent.run(Until(steps=total), evaluate_every=evaluate_every)
    finally:
        hook.remove()
        descent.stop_requested = False
    return outcome, times


def _copy(problem: Problem, function: nn.Module) -> nn.Module:
    other = problem.fresh_function().to(next(function.parameters()).device)
    other.load_state_dict(function.state_dict())
    return other


def as_dict(settings: Settings) -> dict[str, Any]:
    """Return settings as :class:`Descent` takes them."""
    return {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
