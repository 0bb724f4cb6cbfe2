"""Diagnosis: watch a descent, say what may be wrong, try the remedies, and report what they did."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import torch

from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.descent.state import State
from descend.descent.threads import choose_threads
from descend.diagnosing.causes import CAUSES
from descend.diagnosing.detectors import findings
from descend.diagnosing.finding import WORTH_TELLING, Finding
from descend.diagnosing.proof import SEEDS, Effect, Laboratory, OutOfTime, Verdict, advance, as_dict
from descend.diagnosing.ranking import WARNING
from descend.diagnosing.remedies import NotApplicable, Remedy, remedies
from descend.errors import DataError, UsageError
from descend.functions.problem import Problem, Settings
from descend.watching.observations import Observations
from descend.watching.watcher import Watcher

if TYPE_CHECKING:
    from descend.runs.run import Run

WATCHING = 0.35
"""The share of the time that is spent on watching the descent as it is."""
CAUSES_TRIED = 4
"""How many causes are tried at most, from the most probable on."""
FEWEST, MOST = 30, 400
"""Steps an experiment takes at least and at most."""
MORE_SEEDS = 8
"""Seeds at most, where time is left."""
SUREST = 0.98
"""No experiment of a few seeds makes surer than this."""
PROVED, HALVED, FAILED = 3.0, 6.0, 0.25
"""What the odds of a cause are multiplied by when its remedy helps, when it at least halves the loss, and
when none helps: many remedies (a longer step, a larger batch) help sound runs too now and then, but seldom
that much, and what is wrong seldom stays when undone."""
CERTAIN = 0.9
"""An error that is this sure is an invariant seen broken, whether or not undoing it helps at once."""
_BUDGET = 0.1  # of the watcher: nobody waits for this descent's result


@dataclass
class Diagnosis:
    """What a diagnosis found, and what it did for it.

    Attributes:
        findings: what is wrong, the most probable root cause first; proved ones before all others.
        tried: every experiment: ``cause``, ``remedy``, ``before``, ``after``, ``difference`` with its
            interval ``low`` to ``high``, ``seeds``, ``steps``, ``verdict``.
        left_out: what was not tried, and why.
        steps: how many steps were watched.
        seconds: what it took.
    """

    findings: list[Finding]
    tried: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend diagnose --json`` prints it."""
        return {
            "findings": [one.as_json() for one in self.findings],
            "seconds": round(self.seconds, 3),
            "tried": self.tried,
            "left_out": self.left_out,
            "steps": self.steps,
        }


def diagnose(problem_or_run: Problem | Run, *, seconds: float = 30.0, seed: int = 0) -> list[Finding]:
    """Say what is wrong with a descent, and prove it: each remedy is tried beside an unchanged control.

    The problem is trained by its own settings (a run's by those that it had) for about a third of the time,
    while somebody watches. The remedies of the most probable causes are then tried: two descents each from
    the same state on the same batches, one with the remedy and one without, over several seeds.

    Args:
        problem_or_run: the problem, or a run of a problem that can be made anew; it is not changed.
        seconds: the time for everything.
        seed: what all chance is drawn from.

    Returns:
        The findings, proved ones first; ``effect`` says what a remedy was measured to do, or why it was not
        tried.

    Raises:
        UsageError: where the time is not a positive number.
        RunError: where the run's problem cannot be made anew.
        DataError: where the function, the loss and the data do not fit together.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> settings = descend.Settings("sgd", lr=0.1, batch_size=16, steps=200)
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1), settings=settings)
        >>> [f.cause for f in descend.diagnose(problem, seconds=2) if f.severity != "info"]
        []
    """
    return examine(problem_or_run, seconds=seconds, seed=seed).findings


def examine(
    problem_or_run: Problem | Run,
    *,
    seconds: float = 30.0,
    seed: int = 0,
    device: str | None = None,
    startup: float = 0.0,
) -> Diagnosis:
    """Do what :func:`diagnose` does, and also return what it did.

    Args:
        problem_or_run: as there.
        seconds: as there.
        seed: as there.
        device: where to compute; the first GPU, or the CPU.
        startup: seconds already spent, to be counted; at most half of the time.
    """
    if not (seconds > 0 and math.isfinite(seconds)):
        raise UsageError("a time above 0 for seconds", repr(seconds), "give one, such as 30")
    began = time.perf_counter() - min(startup, 0.5 * seconds)
    deadline = began + seconds
    if isinstance(problem_or_run, Problem):
        problem, settings = problem_or_run, problem_or_run.settings
    else:
        problem, settings = _of_run(problem_or_run)
    settings = replace(settings, steps=max(2, settings.steps))
    descent = Descent(problem, seed=seed, device=device, **as_dict(settings))
    with _threads(problem, settings, descent):
        now = time.perf_counter()
        watched = _watched(descent, settings.steps, now + WATCHING * (deadline - now))
        said = proved_by_trying(descent, watched, findings(watched.seen), seed, deadline)
    said.steps, said.seconds = watched.seen.steps, time.perf_counter() - began
    return said


_KEPT = ("batch_size", "schedule", "warmup", "clip", "accumulate", "precision")
"""The settings that a run is made anew with."""


def _of_run(run: Run) -> tuple[Problem, Settings]:
    """Make the problem of a run anew, with the settings that it had."""
    from descend.applications.targets import problem_again

    facts = run.facts
    had = facts.get("settings") or {}
    problem = problem_again(facts, "pass the problem itself: descend.diagnose(problem)")
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in facts["hyperparameters"].items()}
    settings = replace(
        problem.settings,
        method=facts["method"],
        lr=given.pop("lr", None),
        hyperparameters=given,
        steps=(had.get("until") or {}).get("steps") or facts["steps"] or problem.settings.steps,
        **{name: had[name] for name in _KEPT if name in had},
    )
    return problem, settings


@contextmanager
def _threads(problem: Problem, settings: Settings, descent: Descent) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        with _fitting(descent):
            choose_threads(problem, settings.batch_size or len(problem.train), descent.device, before)
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _fitting(descent: Descent) -> Iterator[None]:
    """Say of what torch raises at the very first step that it is about this function, loss and data."""
    try:
        yield
    except (RuntimeError, TypeError, IndexError, ValueError) as error:
        if descent.steps or "memory" in str(error) or isinstance(error, UsageError):
            raise
        raise DataError(
            "a function and a loss that take the examples",
            f"{type(error).__name__}: {error}".splitlines()[0],
            "check the shapes and types of the inputs, the output and the target",
        ) from error


# Watching ------------------------------------------------------------------------------------------------
@dataclass
class Watched:
    """What was seen of a descent.

    Attributes:
        seen: it.
        later: a state from its middle, and how much of it lay behind then; ``None`` where there is none.
        share: that share.
        pace: seconds that a step takes.
    """

    seen: Observations
    later: State | None
    share: float
    pace: float


def _watched(descent: Descent, total: int, until: float) -> Watched:
    """Descend as the settings say, with somebody watching."""
    watcher = Watcher(descent.function, descent.method, budget=_BUDGET)
    middle = (time.perf_counter() + until) / 2
    later, share = None, 0.0
    watcher.start()
    try:
        with _fitting(descent):
            outcome, times = advance(descent, total, lambda step, now: step >= total // 2 or now > middle)
        if not outcome.failed and descent.steps < total:
            later, share = descent.snapshot(), descent.steps / total
            outcome, more = advance(descent, total, lambda _, now: now > until)
            times += more
        if outcome is Outcome.INTERRUPTED:
            descent.evaluate()
    finally:
        seen = watcher.stop()
    seen.ended = "enough" if outcome is Outcome.INTERRUPTED else "finished"
    steps = [b - a for a, b in pairwise(times)]
    return Watched(seen, later, share, _pace(steps))


def _pace(steps: list[float]) -> float:
    """Return the seconds a step takes, but for the few that were looked at or waited for."""
    usual = sorted(steps)[: max(1, len(steps) * 19 // 20)]
    return sum(usual) / max(1, len(usual))


# Proving -------------------------------------------------------------------------------------------------
def proved_by_trying(
    descent: Descent, watched: Watched, found: list[Finding], seed: int, deadline: float
) -> Diagnosis:
    """Try the remedies of the first findings.

    Args:
        descent: the one that was watched, or another one with its problem, settings and device.
        watched: what was seen of it.
        found: the findings, the most probable first.
        seed: what chance is drawn from.
        deadline: the time (of ``time.perf_counter``) at which trying ends.
    """
    said = Diagnosis([])
    plans = plans_for(said, found, remedies)
    steps = _affordable(
        [r for plan in plans.values() for r in plan], watched, descent.settings.steps, deadline
    )

    @cache
    def laboratory() -> Laboratory:
        return Laboratory(
            descent.problem,
            descent.settings,
            steps,
            later=watched.later,
            share=watched.share,
            seeds=range(seed, seed + MORE_SEEDS),
            device=descent.device,
            pace=watched.pace,
            deadline=deadline,
        )

    in_turn(said, found, plans, laboratory)
    return said


class Bench(Protocol):
    """Where remedies are tried: on forks of a run, or on a script's steps played again."""

    deadline: float
    steps: int

    def compare(self, remedy: Any, where: str, until: float) -> Effect:
        """Return what a remedy does."""
        ...


class Said(Protocol):
    """What is said of all findings: see :class:`Diagnosis`."""

    findings: list[Finding]
    tried: list[dict[str, Any]]
    left_out: list[str]


def plans_for(
    said: Said, found: list[Finding], plan_of: Callable[[str], tuple[Any, ...]]
) -> dict[str, tuple[Any, ...]]:
    """Return the remedies of the first findings' causes, and say which have none that could be tried."""
    plans: dict[str, tuple[Any, ...]] = {}
    for one in found[:CAUSES_TRIED]:
        try:
            plans[one.cause] = plan_of(one.cause)
        except NotApplicable as reason:
            said.left_out.append(f"{one.cause}: {reason}")
            said.findings.append(replace(one, effect=f"not tried: {reason}"))
    return plans


def in_turn(
    said: Said,
    found: list[Finding],
    plans: dict[str, tuple[Any, ...]],
    bench: Callable[[], Bench],
    told: Callable[[Finding, Any], dict[str, Any]] = lambda one, remedy: {},
) -> None:
    """Try remedies, finding after finding, and say what each did.

    Args:
        said: where it is said.
        found: the findings, the most probable first.
        plans: the remedies of causes, from :func:`plans_for`; those that are tried are taken out.
        bench: returns where they are tried; only called where there is something to try.
        told: what else is told of a finding's remedy.
    """
    proved: list[Finding] = []
    for one in found:
        if one.cause in {f.cause for f in (*said.findings, *proved)}:
            continue
        if one.cause not in plans and one.confidence < WORTH_TELLING:
            said.findings.append(one)
            continue
        if one.cause not in plans or (proved and one.confidence < WARNING):
            why = f"the remedy for {proved[0].cause} is proved" if proved else "others are more probable"
            said.left_out.append(f"{one.cause}: {why}")
            said.findings.append(replace(one, effect=f"not tried: {why}"))
            continue
        room, plan = bench(), plans.pop(one.cause)
        pairs, skipped, complete = tried(
            lambda remedy, until, room=room, where=one.where: room.compare(remedy, where, until),
            plan,
            sum(map(len, plans.values())),
            room.deadline,
            room.steps,
        )
        effects = [effect for _, effect in pairs]
        said.tried += [{"cause": one.cause, **told(one, r), **effect.as_json()} for r, effect in pairs]
        said.left_out += [f"{one.cause}, {reason}" for reason in skipped]
        helped = bool(effects) and effects[-1].verdict is Verdict.HELPS
        (proved if helped else said.findings).append(judged(one, effects, skipped, complete))
    said.findings = proved_first(proved, said.findings)


def _affordable(tried: Sequence[Remedy], watched: Watched, total: int, deadline: float) -> int:
    """Return how many steps experiments take, so that those that are likely to be done can be."""
    left, pace = 0.8 * (deadline - time.perf_counter()), max(watched.pace, 1e-6)
    arms = min(len(tried), 4) + len({r.anew or watched.later is None for r in tried})
    return int(max(FEWEST, min(MOST, left / (pace * SEEDS * max(arms, 1)), total)))


def tried(
    compare: Callable[[Any, float], Effect], plan: Sequence[Any], others: int, deadline: float, steps: int
) -> tuple[list[tuple[Any, Effect]], list[str], bool]:
    """Try remedies until one helps, each in its share of the time that is left.

    Args:
        compare: is handed a remedy, which says what it is in ``words``, and the time until which it may take.
        plan: the remedies.
        others: how many remedies of other causes are to have as much time.
        deadline: when everything is to be over, on the clock of ``time.perf_counter``.
        steps: how many an experiment takes, for what is said of those that there was no time for.

    Returns:
        (each remedy that was tried with its effect, why others were not, whether the time sufficed)
    """
    effects: list[tuple[Any, Effect]] = []
    skipped: list[str] = []
    complete = True
    for place, remedy in enumerate(plan):
        now = time.perf_counter()
        until = now + (deadline - now) / (len(plan) - place + others)
        try:
            effect = compare(remedy, until)
        except NotApplicable as reason:
            skipped.append(f"{remedy.words}: {reason}")
            continue
        except OutOfTime:
            skipped.append(f"{remedy.words}: no time was left for {SEEDS} × {steps} steps")
            complete = False
            continue
        effects.append((remedy, effect))
        if effect.verdict is Verdict.HELPS:
            break
    return effects, skipped, complete


def proved_first(proved: list[Finding], others: list[Finding]) -> list[Finding]:
    """Return what is proved, the surest first, before all others."""

    def order(f: Finding) -> float:
        return -f.confidence

    return sorted(proved, key=order) + sorted(others, key=order)


def judged(one: Finding, effects: list[Effect], skipped: list[str], complete: bool) -> Finding:
    """Return a finding with what was measured, and as sure as that makes it."""
    if not effects:
        return replace(one, effect=f"not tried: {'; '.join(skipped)}")
    odds = one.confidence / max(1 - one.confidence, 1e-9)
    if effects[-1].verdict is Verdict.HELPS:
        effect = effects[-1]
        odds *= HALVED if 0 < effect.after <= 0.5 * effect.before else PROVED
        confidence = max(min(SUREST, odds / (1 + odds)), min(one.confidence, SUREST))
        if one.weak:  # many a remedy makes a sound run better too
            confidence = min(confidence, WARNING - 0.01)
        if effect.cause and effect.cause != one.cause:  # what helps names what is wrong
            explains = (one.cause, *(name for name in one.explains if name != effect.cause))
            one = replace(one, cause=effect.cause, remedy=CAUSES[effect.cause].remedy, explains=explains)
        return _as_sure(one, confidence, effect.sentence)
    text = " ".join(effect.sentence for effect in effects)
    if not complete:
        return replace(one, effect=f"{text} Not tried: {'; '.join(skipped)}.")
    if one.severity == "error" and one.confidence >= CERTAIN:
        return replace(one, effect=f"{text} What was seen is an error all the same.")
    odds *= FAILED
    return _as_sure(one, min(odds / (1 + odds), WARNING - 0.01), f"{text} So this is hardly what is wrong.")


def _as_sure(one: Finding, confidence: float, effect: str) -> Finding:
    severity = CAUSES[one.cause].severity if confidence >= WARNING else "info"
    return replace(one, confidence=confidence, severity=severity, effect=effect)
