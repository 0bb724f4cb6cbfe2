"""Playing captured steps of a script again, on copies: what it did, or what a remedy would have it do."""

from __future__ import annotations

import copy
import math
import random
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.watching.capturing import Capturing
from descend.watching.samples import local, some
from descend.watching.tape import Call, Iteration, Player, Tape, Value, references

CLOSE = 1e-4
"""How far a loss may be from the observed one, relative to it, and count as the same."""
HELD = 5
"""One captured step in so many is held back to measure by."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Around = Callable[[Tape, int, Call, tuple[Any, ...], dict[str, Any]], Arguments]
"""(tape, place, call, args, kwargs) → the arguments that the call is given instead."""


class NotReproducible(Exception):
    """Captured steps do not give what the script's did; the text says why."""


@dataclass(frozen=True)
class Variant:
    """How playing differs from what the script did; by default not at all.

    Attributes:
        settings: changes a group's hyperparameters in place.
        schedule: whether the rates follow the script's; else the largest is kept.
        fresh: every step begins without gradients.
        clip: what to clip with instead: None for nothing, ``"as it did"``, or a norm.
        resets: whether the optimizer is made anew where the script did.
        training: the mode of all modules while training; None: as they were.
        batches: how many captured batches make one step.
        prepare: changes parameters or the optimizer before the first step.
        function: changes arguments both while training and when measured: what the model is.
        loss: changes arguments while training only: what is descended.
        sign: what the loss is multiplied by.
        pooled: whether examples of different batches are mixed.
    """

    settings: Callable[[dict[str, Any]], None] | None = None
    schedule: bool = True
    fresh: bool = False
    clip: float | str | None = "as it did"
    resets: bool = True
    training: bool | None = None
    batches: int = 1
    prepare: Callable[[World], None] | None = None
    function: Around | None = None
    loss: Around | None = None
    sign: float = 1.0
    pooled: bool = False


@dataclass(frozen=True)
class Judge:
    """What both control and remedy are measured by; by default the script's own loss.

    Attributes:
        loss: changes arguments, after what a variant's ``function`` changed.
        sign: what the loss is multiplied by.
        ordered: whether batches come in the script's order, because that is what may be wrong.
    """

    loss: Around | None = None
    sign: float = 1.0
    ordered: bool = False


AS_IT_DID = Variant()
OWN = Judge()


class World:
    """Copies of a script's modules, parameters and optimizer, at its first step again.

    Args:
        captured: what was kept of it; its hooks must be gone.

    Raises:
        NotReproducible: where they cannot be copied, or nothing was kept.
    """

    def __init__(self, captured: Capturing):
        self.captured = captured
        if not captured.iterations or not captured.checked:
            reasons = sorted(captured.reasons.items(), key=lambda item: -item[1])
            raise NotReproducible(reasons[0][0] if reasons else "no step was seen from its beginning")
        if sum(captured.reasons.values()) > len(captured.iterations):
            raise NotReproducible(max(captured.reasons.items(), key=lambda item: item[1])[0])
        if captured.optimizer is None or any(k not in captured.initial for k in captured.leaves):
            raise NotReproducible("its parameters take more memory than may be kept")
        memo: dict[int, Any] = {}
        try:
            self.modules = {k: copy.deepcopy(m, memo) for k, m in captured.modules.items()}
            self.leaves: dict[int, Tensor] = {k: copy.deepcopy(p, memo) for k, p in captured.leaves.items()}
            self.optimizer = _copied(captured.optimizer, memo)
        except Exception as error:
            raise NotReproducible(
                f"its model or optimizer cannot be copied ({type(error).__name__})"
            ) from None
        self._groups = [dict(g, params=list(g["params"])) for g in self.optimizer.param_groups]
        self._attributes = {
            k: v for k, v in vars(self.optimizer).items() if isinstance(v, int | float | bool)
        }
        self._wanted = {k: p.requires_grad for k, p in self.leaves.items()}
        sound = {
            k
            for k, v in captured.values.items()
            if not v.is_floating_point() or bool(local(v).isfinite().all())
        }
        usable = [
            one for one in captured.iterations if one.data <= sound
        ]  # states carried on may have exploded
        if not usable:
            raise NotReproducible("what it is given is not finite")
        self.iterations = sorted(usable, key=lambda one: one.step)
        self.steps = captured.steps
        self.player = Player(self.leaves, self.modules, captured.values)

    def reset(self) -> None:
        """Go back to before the first step."""
        with torch.no_grad():
            for key, p in self.leaves.items():
                if p.is_leaf:
                    p.requires_grad_(self._wanted[key])
                p.copy_(self.captured.initial[key])
                p.grad = None
        self.player.values = self.captured.values
        for group, first in zip(self.optimizer.param_groups, self._groups, strict=True):
            group["params"] = list(first["params"])
        self.forget()

    def values(self) -> dict[int, Tensor]:
        """Return copies of all parameters and buffers."""
        return {key: p.detach().clone() for key, p in self.leaves.items()}

    def assume(self, values: dict[int, Tensor]) -> None:
        """Take parameters and buffers over."""
        with torch.no_grad():
            for key, p in self.leaves.items():
                p.copy_(values[key])

    def forget(self) -> None:
        """Have the optimizer begin anew."""
        self.optimizer.state = defaultdict(dict)

    def freeze(self, frozen: frozenset[int]) -> None:
        """Have those parameters want no gradient that wanted none."""
        for key, p in self.leaves.items():
            if isinstance(p, nn.Parameter):
                p.requires_grad_(key not in frozen)

    def set(self, step: int, variant: Variant) -> None:
        """Give the optimizer the settings that it had in a step, as a variant changes them."""
        found = self.captured.settings
        low, high = 0, len(found)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if found[middle][0] <= step else (low, middle)
        now = found[low][1]
        if len(now) != len(self.optimizer.param_groups):
            raise NotReproducible("its groups of parameters change")
        for k, (group, own) in enumerate(zip(self.optimizer.param_groups, now, strict=True)):
            group.update({name: copy.copy(value) for name, value in own.items()})
            if not variant.schedule:
                group["lr"] = max(
                    (s[k].get("lr", 0.0) for _, s in found if len(s) > k), default=group.get("lr")
                )
            if variant.settings is not None:
                variant.settings(group)

    # One step ---------------------------------------------------------------------------------------
    def gradients(self, one: Iteration, variant: Variant = AS_IT_DID, as_drawn: bool = False) -> float:
        """Add the gradients of a captured step to those that are there; return its mean loss."""
        total = 0.0
        for tape in one.tapes:
            loss = self.loss(tape, (variant.function, variant.loss), variant.training, as_drawn=as_drawn)
            value = float(loss.detach())
            total += value
            if not math.isfinite(value):
                return value
            (loss * variant.sign if variant.sign != 1 else loss).backward()
        return total / max(1, len(one.tapes))

    def loss(
        self,
        tape: Tape,
        changes: Sequence[Around | None] = (),
        training: bool | None = None,
        as_drawn: bool = False,
    ) -> Tensor:
        """Compute the loss of a tape, perhaps with other arguments."""
        wanted = [c for c in changes if c is not None]

        def around(place: int, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
            for change in wanted:
                args, kwargs = change(tape, place, call, args, kwargs)
            return args, kwargs

        loss, _ = self.player.play(
            tape, as_drawn=as_drawn, training=training, around=around if wanted else None
        )
        return loss

    def step(self, one: Iteration, variant: Variant = AS_IT_DID) -> None:
        """Clip as was clipped, and let the optimizer take its step."""
        everything = [p for g in self.optimizer.param_groups for p in g["params"]]
        if variant.clip == "as it did":
            if one.clip is not None:
                getattr(nn.utils, one.clip[0])(everything, *one.clip[1])
        elif variant.clip is not None:
            nn.utils.clip_grad_norm_(everything, float(variant.clip))
        self.optimizer.step()

    # Many -------------------------------------------------------------------------------------------
    def check(self) -> tuple[int, float]:
        """Play the first steps as the script took them.

        Returns:
            How many were compared, and the seconds that a step took.

        Raises:
            NotReproducible: where a loss, or what a step did to parameters, is not what was observed.
        """
        self.reset()
        times: list[float] = []
        try:
            for one in self.captured.checked:
                began = time.perf_counter()
                self.freeze(one.frozen)
                if one.step in self.captured.resets:
                    self.forget()
                if one.fresh:
                    self.clear()
                self.set(one.step, AS_IT_DID)
                for tape in one.tapes:
                    loss = self.loss(tape, as_drawn=True)
                    now = float(loss.detach())
                    if not _close(now, tape.value):
                        raise NotReproducible(
                            f"the loss of step {one.step} was {tape.value:.6g}, and is {now:.6g} when it "
                            "is played: it is computed outside of what was seen"
                        )
                    loss.backward()
                self.step(one)
                times.append(time.perf_counter() - began)
                for key, after in one.moved:
                    there = some(self.leaves[key], 64)
                    if bool(after.isfinite().all()) and not torch.allclose(
                        there, after, 1e-3, 1e-6, equal_nan=True
                    ):
                        raise NotReproducible(
                            f"step {one.step} moves parameters otherwise than it does when played"
                        )
        except NotReproducible:
            raise
        except Exception as error:
            words = str(error).splitlines()[0][:120] if str(error) else ""
            raise NotReproducible(f"a step cannot be played ({type(error).__name__}: {words})") from None
        return len(times), median(times)

    def clear(self) -> None:
        """Have no gradients."""
        for p in self.leaves.values():
            p.grad = None

    def parted(self, seed: int) -> tuple[list[Iteration], list[Iteration]]:
        """Return the captured steps to train on, and those held back; the same ones if all are alike."""
        if len({one.data for one in self.iterations}) < HELD:
            return self.iterations, self.iterations
        order = self.iterations[:]
        random.Random(seed).shuffle(order)
        count = max(1, len(order) // HELD)
        return sorted(order[count:], key=lambda one: one.step), order[:count]

    def descended(
        self,
        variant: Variant,
        steps: int,
        seed: int,
        stop: Callable[[], bool] = lambda: False,
        ordered: bool = False,
    ) -> bool:
        """Train from the first parameters on; return whether it came to its end with finite losses.

        Args:
            variant: how it differs from what the script did.
            steps: how many to take; the whole of the script's schedule is put into them.
            seed: of the order of batches, and of all other chance.
            stop: asked before each step.
            ordered: take batches in the order in which the script did.
        """
        train, _ = self.parted(seed)
        self.reset()
        torch.manual_seed(seed)
        if variant.prepare is not None:
            variant.prepare(self)
        if ordered or variant.pooled:
            train = list({one.data: one for one in reversed(train)}.values())[::-1]
        batches = self._mixed(train, seed) if variant.pooled else _orders(train, seed, ordered)
        resets = self.captured.resets
        scale = max(1.0, self.steps / steps)
        due = iter([r if len(resets) > 8 else round(r / scale) for r in resets])  # many come at a steady pace
        next_reset = next(due, -1)
        for k in range(1, steps + 1):
            if stop():
                return False
            one = next(batches)
            if variant.prepare is None:
                self.freeze(one.frozen)
            while 0 <= next_reset <= k:
                if variant.resets:
                    self.forget()
                next_reset = next(due, -1)
            if one.fresh or variant.fresh:
                self.clear()
            self.set(max(1, round(k * self.steps / steps)) if scale > 1 else k, variant)
            value = self.gradients(one, variant)
            for _ in range(variant.batches - 1):
                value += self.gradients(next(batches), variant)
            if not math.isfinite(value):
                return False
            if variant.batches > 1:
                for p in self.leaves.values():
                    if p.grad is not None:
                        p.grad /= variant.batches
            self.step(one, variant)
        return True

    def _mixed(self, train: list[Iteration], seed: int) -> Iterator[Iteration]:
        """Return steps whose examples are drawn from those of all, as they would be from shuffled data."""
        rows: list[list[int]] = []  # keys of each step's data that have a row for each example
        for one in train:
            keys = list(
                dict.fromkeys(r.key for t in one.tapes for c in t.calls for r in criterion_targets(c))
            )
            sizes = [len(v) for k in keys if (v := self.captured.values[k]).dim()]
            count = max(set(sizes), key=sizes.count, default=0)
            rows.append([k for k in keys if (v := self.captured.values[k]).dim() and len(v) == count])
        if not rows or not rows[0] or any(len(r) != len(rows[0]) for r in rows):
            raise NotReproducible("batches are not alike, so that their examples cannot be mixed")
        original = self.captured.values
        pools = [torch.cat([original[r[k]].detach() for r in rows]) for k in range(len(rows[0]))]
        chance = torch.Generator().manual_seed(seed)
        while True:
            order, begin = torch.randperm(len(pools[0]), generator=chance), 0
            for one, keys in zip(train, rows, strict=True):
                part = order[begin : begin + len(original[keys[0]])]
                begin += len(part)
                own = {key: pool[part] for pool, key in zip(pools, keys, strict=True)}
                self.player.values = {**original, **own}  # of this step alone: steps may share equal data
                yield one

    def measured(self, variant: Variant, judge: Judge, seed: int) -> float:
        """Return the mean loss of the held-back steps, in evaluation mode."""
        _, held = self.parted(seed)
        self.player.values = self.captured.values
        torch.manual_seed(seed)
        total, count = 0.0, 0
        for one in held:
            for tape in one.tapes:
                inner = any(c.name == "grad" for c in tape.calls)
                with torch.set_grad_enabled(inner):
                    total += float(self.loss(tape, (variant.function, judge.loss), False).detach())
                count += 1
        return judge.sign * total / max(1, count)


def _orders(train: list[Iteration], seed: int, ordered: bool) -> Iterator[Iteration]:
    chance = random.Random(seed)
    while True:
        if ordered:
            yield from train
        else:
            yield from chance.sample(train, len(train))


def _close(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= CLOSE * max(abs(a), abs(b)) + 1e-7


def _copied(optimizer: Optimizer, memo: dict[int, Any]) -> Optimizer:
    """Return an optimizer of the same kind on the copies of its parameters, with everything that it has."""
    other = object.__new__(type(optimizer))
    if type(optimizer).__getstate__ is not Optimizer.__getstate__:  # it knows what of it can be copied
        other.__setstate__(copy.deepcopy(optimizer.__getstate__(), memo))
        other.state = defaultdict(dict)
        return other
    for name, value in vars(optimizer).items():
        if name == "state":
            other.state = defaultdict(dict)
        elif name == "step":  # a scheduler's wrapper around it
            continue
        elif isinstance(value, OrderedDict) and name.endswith("hooks"):
            setattr(other, name, OrderedDict())
        else:
            setattr(other, name, copy.deepcopy(value, memo))
    return other


@contextmanager
def undisturbed(captured: Capturing) -> Iterator[None]:
    """Leave random generators as they are."""
    devices = {p.device.index for p in captured.leaves.values() if p.is_cuda}
    with torch.random.fork_rng([d for d in devices if d is not None]):
        yield


def criterion_targets(call: Call) -> list[Value]:
    """Return the data among a call's arguments."""
    return [ref for ref in references((call.args, call.kwargs)) if isinstance(ref, Value)]
