"""Proof for scripts that are watched from outside: remedies tried on the steps that were captured.

What a script did is played again from its first parameters on, on copies: once as it did it, once with the
remedy, over several seeds (orders of the captured batches, and which fifth of them is held back). Both are
measured by the script's own loss on the held-back batches, taken the right way. Before that, the first steps
are played with the script's own random numbers and must give its own losses; else nothing is claimed.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from descend.diagnosing.changes import NotApplicable
from descend.diagnosing.diagnose import FEWEST, MORE_SEEDS, in_turn, plans_for
from descend.diagnosing.finding import Finding
from descend.diagnosing.proof import ENDLESS, SEEDS, Effect, OutOfTime, endless
from descend.diagnosing.replay import AS_IT_DID, Judge, NotReproducible, Variant, World, undisturbed
from descend.diagnosing.replay_remedies import Played, played
from descend.watching.capturing import Capturing

SECONDS = 30.0
"""How long proving takes, unless told otherwise."""
MEASURED = "the script's loss on batches held back"
MEASURED_ALIKE = "the script's loss on its one batch"
_ENDLESS = 1e12
_ARMS = 2  # remedies that time is shared out for: a long experiment says more than many short ones


@dataclass
class Proof:
    """What was proved of a script's findings.

    Attributes:
        findings: proved ones first; ``effect`` says what was measured, or why nothing was.
        tried: every experiment, as ``descend diagnose --json`` prints them, with ``cause`` and ``hook``.
        left_out: what was not tried, and why.
        replayed: how many of the script's steps were played and compared; 0 where they could not be.
        reason: why they could not; empty where they could.
        steps: how many steps an experiment took.
        seconds: what all of it took.
        capturing: the seconds that capturing took while the script ran.
    """

    findings: list[Finding]
    tried: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    replayed: int = 0
    reason: str = ""
    steps: int = 0
    seconds: float = 0.0
    capturing: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend watch --prove --json`` prints it, but for the findings."""
        return {
            "tried": self.tried,
            "left_out": self.left_out,
            "replayed": self.replayed,
            "reason": self.reason,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "capturing": round(self.capturing, 3),
        }


def prove(
    captured: Capturing,
    found: list[Finding],
    seconds: float = SECONDS,
    seed: int = 0,
    seeds: int = MORE_SEEDS,
) -> Proof:
    """Try the remedies of the first findings on what was captured of a script.

    Args:
        captured: what was kept; it must be stopped.
        found: what is suspected, the most probable first.
        seconds: the time for everything.
        seed: what all chance is drawn from; the script's generators are left as they are.
        seeds: pairs an experiment has at most, where time is left.
    """
    began = time.perf_counter()
    said = Proof([], capturing=captured.spent)
    with undisturbed(captured):
        try:
            world = World(captured)
            said.replayed, pace = world.check()
        except NotReproducible as reason:
            said.reason = str(reason)
            said.findings = [replace(one, effect=f"not tried: not reproducible: {reason}") for one in found]
            said.seconds = time.perf_counter() - began
            return said
        _try(said, _Room(world, pace, began + seconds, range(seed, seed + max(SEEDS, seeds))), found)
    said.seconds = time.perf_counter() - began
    return said


def _try(said: Proof, room: _Room, found: list[Finding]) -> None:
    plans = plans_for(said, found, played)
    said.steps = room.afford(sum(map(len, plans.values())))

    def hook(one: Finding, remedy: Played) -> dict[str, str]:
        return {"hook": f"{remedy.hook}:{one.where}" if remedy.hook == "initialised" else remedy.hook}

    in_turn(said, found, plans, lambda: room, hook)


class _Room:
    """Where variants are played beside the script as it was.

    Args:
        world: copies of the script's parts.
        pace: seconds a step takes.
        deadline: when everything is to be over.
        seeds: what chance is drawn from, one pair each.
    """

    def __init__(self, world: World, pace: float, deadline: float, seeds: range):
        self.world, self.pace, self.deadline, self.seeds = world, pace, deadline, seeds
        self.steps = 0
        self._controls: dict[tuple[int, bool], tuple[bool, dict[int, Tensor]]] = {}

    def afford(self, remedies: int) -> int:
        """Choose how many steps experiments take, so that those that are likely to be done can be."""
        if not remedies:
            return 0
        began = time.perf_counter()
        tried = max(1, min(FEWEST, int(1.0 / self.pace)))
        self.world.descended(AS_IT_DID, tried, self.seeds[0])
        self.pace = max(self.pace, (time.perf_counter() - began) / tried)
        left = 0.7 * (self.deadline - time.perf_counter())
        arms = min(remedies, _ARMS) + 1
        self.steps = int(max(FEWEST, min(self.world.steps, left / (self.pace * SEEDS * arms))))
        return self.steps

    def compare(self, remedy: Played, where: str, until: float) -> Effect:
        """Compare; a remedy that the captured calls do not bear is one that does not apply."""
        try:
            return self._compare(remedy, where, until)
        except (NotApplicable, OutOfTime):
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise NotApplicable(f"it cannot be played ({type(error).__name__})") from error

    def _compare(self, remedy: Played, where: str, until: float) -> Effect:
        """Play a remedy beside the control, for as many seeds as there is time."""
        variant, judge = remedy.variant(self.world, where)
        controls: list[float] = []
        remedied: list[float] = []
        broken = [0, 0]
        ceiling = _ENDLESS
        took = 0.0
        for seed in self.seeds:
            now = time.perf_counter()
            if len(controls) >= SEEDS and (now + took > until or _clear(controls, remedied)):
                break
            if now + variant.batches * self.pace * self.steps > self.deadline:
                if len(controls) >= SEEDS:
                    break
                raise OutOfTime
            end = self._control(seed, judge.ordered)
            ceiling = self._ceiling(judge, seed)
            before = self._measured(end, AS_IT_DID, judge, seed)
            ended = self._descended(variant, seed, judge.ordered)
            after = self._measured(ended, variant, judge, seed)
            if endless(ceiling, before, after):
                raise NotApplicable(ENDLESS)
            for which, (values, loss) in enumerate(((controls, before), (remedied, after))):
                broken[which] += not loss <= ceiling
                values.append(loss if loss <= ceiling else ceiling)
            took = time.perf_counter() - now
        alike = self.world.parted(0)[0] is self.world.parted(0)[1]
        return Effect(
            remedy.words,
            MEASURED_ALIKE if alike else MEASURED,
            tuple(controls),
            tuple(remedied),
            self.steps,
            (broken[0], broken[1]),
            ceiling,
            remedy.cause,
        )

    def _ceiling(self, judge: Judge, seed: int) -> float:
        """Return the largest loss that is believed: what is worse than no step at all is worth no more."""
        self.world.reset()
        first = self.world.measured(AS_IT_DID, judge, seed)
        return first if math.isfinite(first) else _ENDLESS

    def _control(self, seed: int, ordered: bool) -> tuple[bool, dict[int, Tensor]]:
        if (seed, ordered) not in self._controls:
            self._controls[seed, ordered] = self._descended(AS_IT_DID, seed, ordered)
        return self._controls[seed, ordered]

    def _descended(self, variant: Variant, seed: int, ordered: bool) -> tuple[bool, dict[int, Tensor]]:
        finite = self.world.descended(
            variant, self.steps, seed, lambda: time.perf_counter() > self.deadline, ordered
        )
        if time.perf_counter() > self.deadline:
            raise OutOfTime
        return finite, self.world.values()

    def _measured(
        self, end: tuple[bool, dict[int, Tensor]], variant: Variant, judge: Judge, seed: int
    ) -> float:
        finite, values = end
        if not finite:
            return math.nan
        self.world.assume(values)
        return self.world.measured(variant, judge, seed)


def _clear(controls: list[float], remedied: list[float]) -> bool:
    """Whether more seeds would hardly change what is said: all losses are halved, or few are better."""
    better = [b < a for a, b in zip(controls, remedied, strict=True)]
    halved = all(0 < b <= 0.5 * a for a, b in zip(controls, remedied, strict=True))
    return halved or sum(better) < len(better) / 2
