"""Watching a training loop: hooks on optimizers and backward passes, and close looks at single steps.

What is always there: a hook before and after each optimizer's step, a note of each loss, a hook on the
modules that a person calls. That costs a few microseconds a step. Everything else happens in windows (one
step, or the evaluation after one), as many as the budget allows: all of the first ones, then fewer and fewer.

Nothing is ever changed: parameters, gradients, random generators, modes. What is computed with is copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Normal
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from descend.watching import graph
from descend.watching.batches import Examples
from descend.watching.budget import Budget
from descend.watching.by_hand import Hand
from descend.watching.clearing import Clearing
from descend.watching.clipping import Clipping
from descend.watching.ending import Ending
from descend.watching.expecting import Expecting
from descend.watching.later import Later
from descend.watching.looking import Looking
from descend.watching.losses import Losses
from descend.watching.modes import Modes
from descend.watching.modules import Modules
from descend.watching.moves import Before, Followed, moves
from descend.watching.observations import Backward, NotFinite, Observations, Window
from descend.watching.optimizers import Optimizers, few, note, on_a_device, stateful
from descend.watching.patching import copied_without
from descend.watching.resting import BEGINNING, GRADLESS, HOOKED, Rest
from descend.watching.samples import some

FAILURES = 3
"""Failures of its own after which a watcher looks no more."""
FIRST = 12
"""All of the first steps are looked at, as far as the budget's grace allows."""
CALLS = 2
"""So many of the losses that one step asks a closure for are looked at."""
STAGES = 8
"""With so many optimizers a stage of training begins that may have faults of its own, and is looked at."""


class Watcher:
    """Watches whatever trains while it is started.

    Args:
        model: the module to watch, and its parts; by default every module that is called.
        optimizer: the optimizer; by default every one that takes steps.
        budget: the share of the training time that watching may take.
    """

    def __init__(
        self, model: nn.Module | None = None, optimizer: Optimizer | None = None, budget: float = 0.03
    ):
        self.seen = Observations()
        self.budget = Budget(budget)
        self.examples = Examples()
        self.only = model
        self.modules = Modules(self)
        self.later = Later()
        self.looking = Looking(
            lambda: self.seen.steps + 1, self.later, self.examples.criterion, self.modules.discovered
        )
        self.optimizers = Optimizers(optimizer, self.seen, self.modules.names, self.later)
        self.undo: list[Callable[[], None]] = []
        self.window: Window | None = None
        self._before: Before | None = None
        self._clearing = Clearing()
        self._clipping = Clipping()
        self.pending: Followed | None = None
        self.losses = Losses(self)
        self.counted = self._failures = 0
        self.rest, self.hand, self.expecting, self.modes = (
            Rest(self),
            Hand(self),
            Expecting(self),
            Modes(self),
        )
        self.stepped = self.rest.around(self.guarded(lambda *given: self.after_step(*given)))
        self.withdraws = True
        self._pre_hook: Any = None
        self._stage = self._asks = False
        self._risks: list[tuple[str, str]] = []
        self._leaves: dict[int, Tensor] = {}
        self._traced: set[int] = set()
        self._step_began = self.cost = self.recent = 0.0
        self.next = 1
        self.compiled = False
        for owner, names in ((self.modules, ("called",)), (self.looking, ("_enter", "_leave", "_timed"))):
            for name in names:
                setattr(owner, name, self.guarded(getattr(owner, name)))

    # Beginning and end ------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin to watch."""
        self.bring_pre_hook()
        post = register_optimizer_step_post_hook(self.stepped)
        self.undo += [self.take_pre_hook, post.remove, self.losses.begin()]
        self._patch(nn.Module, "train", self.modes.set)
        self._patch(nn.Module, "__reduce_ex__", copied_without(self.modules.called))
        self._patch(nn.Module, "load_state_dict", self.modules.load)
        for kind in GRADLESS:
            self._patch(kind, "__enter__", self.rest.entered)
        for kind in (Categorical, Normal, Bernoulli):
            self._patch(kind, "log_prob", self.looking.log_prob)
        self._patch(Bernoulli, "sample", self.looking.sample)
        self._patch(DataLoader, "__iter__", self.modules.iterate)
        self._patch(torch, "compile", self._compile)
        self._patch(nn.utils, "clip_grad_norm_", self._clip)
        if self.only is not None:
            self.modules.hook(self.only)
        self.open()
        self.looking.pause()  # data may be made first, of millions of small operations

    def let_go(self) -> None:
        """Cease to watch."""
        self.rest.end()
        self.expecting.end()
        self.modules.leave_evaluation()
        self.budget.charge(self.cost)
        self.looking.switch_off()
        self.modules.unhook()
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        self.window = self._before = self.pending = None
        self._clearing.clear()

    def stop(self) -> Observations:
        """Cease to watch, and return what was seen."""
        self.let_go()
        self.losses.fetch()
        if self.seen.not_finite is None and self.seen.steps and self._broken_parameter():
            self.seen.not_finite = NotFinite(self.seen.steps, "parameter", *next(iter(self._risks), ()))
        self.seen.seconds, self.seen.spent = self.budget.seconds, self.budget.spent
        self.later.settle()
        self.seen.clips = tuple((step, allowed, float(norm)) for step, allowed, norm in self._clipping.seen)
        self.seen.samples, self.seen.held_out = self.examples.samples(), self.examples.held_out()
        for index, facts in enumerate(self.seen.optimizers):
            facts.least_cleared = self._clearing.least(index)
        if self.counted:
            self.seen.accumulates = self.losses.backwards / self.counted
        Ending(self, self._leaves).look()
        self.later.settle()
        self._leaves.clear()
        return self.seen

    def bring_pre_hook(self) -> None:
        """See steps before they are taken."""
        self._pre_hook = register_optimizer_step_pre_hook(self.guarded(self._before_step))

    def take_pre_hook(self) -> None:
        """See no steps before they are taken for a while."""
        self._pre_hook.remove()

    def _patch(self, owner: Any, name: str, around: Callable[..., Any]) -> tuple[Any, Any]:
        original, own = getattr(owner, name), name in vars(owner)

        def patched(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        patched.__wrapped__ = original  # type: ignore[attr-defined]
        setattr(owner, name, patched)

        def undo() -> None:
            if getattr(owner, name) is patched and own:
                setattr(owner, name, original)
            elif getattr(owner, name) is patched:
                delattr(owner, name)

        self.undo.append(undo)
        return original, patched

    def guarded(self, look: Callable[..., object]) -> Callable[..., None]:
        """Return what looks, such that its own failure is not the training's."""

        def guarded(*args: Any) -> None:
            try:
                look(*args)
            except Exception as error:
                self.give_up(error)

        return guarded

    @property
    def enough(self) -> bool:
        """Whether a closure is asked for its loss again and again, and was looked at already."""
        return self._asks and self.window is not None and len(self.window.backwards) >= CALLS

    def give_up(self, error: Exception) -> None:
        """Look no more at this step, nor at any after some failures; steps and losses are still counted."""
        self._failures += 1
        last = self._failures >= FAILURES
        what = f"anything looked at after step {self.seen.steps}" if last else f"step {self.seen.steps + 1}"
        self.seen.not_measured.append(f"{what}: {type(error).__name__}: {error}"[:300])
        self.abandon()
        self.next = 1 << 62 if last else max(self.next, self.seen.steps + 4)

    def is_compiled(self) -> None:
        """See that something is compiled, which close looks would get in the way of."""
        if not self.compiled:
            self.compiled = True
            self.seen.not_measured.append("layers and loss functions: the model is compiled")

    def _compile(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.is_compiled()
        self.looking.switch_off()
        return original(*args, **kwargs)

    # Windows ----------------------------------------------------------------------------------------
    def open(self) -> None:
        """Begin to look closely at the step that comes next."""
        self.window = Window(self.seen.steps + 1, -1)
        self._asks = False
        self.looking.clear()
        self.cost = 0.0
        self.budget.open()
        self._mark()
        if not self.compiled:
            self.looking.switch_on()
            if len(self.seen.windows) >= 2 and self.seen.windows[-1].batches:
                self.looking.pause()  # until a module is called: batches may be made of many small operations

    def _mark(self) -> None:
        """Remember the gradients that a step has used, to see whether the next one begins without them."""
        self._clearing.clear()
        self._clipping.left.clear()
        for optimizer, index in self.optimizers:
            if self.seen.optimizers[index].steps:
                self._clearing.used(index, optimizer, 8, self.seen.steps)

    def _due(self) -> bool:
        step = self.seen.steps
        if step < self.next:
            return False
        # Not the mean: the first window pays for what is done once. And evaluations, which come seldom, are
        # to find something left.
        stage, self._stage = self._stage, False
        bearable = stage and self.budget.bears(self.recent)
        if not bearable and not self.budget.allows(
            self.recent + (self.modules.look_cost if step > FIRST else 0.0)
        ):
            self.next = step + (1 if step < FIRST else 4) + step // 64
            return False
        self.next = step + (1 if step < FIRST else max(1, step // 16))
        return True

    # Optimizers -------------------------------------------------------------------------------------
    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.hand.give_up()
        if self.window is not None or self.pending is not None:
            self._look_before(optimizer, args, kwargs)

    def _look_before(self, optimizer: Optimizer, args: Any = (), kwargs: Any = None) -> None:
        if not self.watches(optimizer):
            return
        start = time.perf_counter()
        if not self.budget.start:
            self.budget.begin(processor=not on_a_device(optimizer))
        index = self._index(optimizer)
        self._asks = bool(args[1:] or kwargs)
        self._compare_gradients(index, asked=False)
        if self.window is not None:
            if not self._asks:  # no closure: there is nothing to see until the step is over
                self.looking.pause()
            self.optimizers.look_at_state(optimizer, index)
            with torch.no_grad():
                self._before = Before(optimizer, self._asks)
        self.cost += time.perf_counter() - start

    def after_step(self, optimizer: Optimizer, args: Any = (), kwargs: Any = None) -> None:
        """See that a step was taken."""
        if not self.watches(optimizer):
            return
        start = time.perf_counter()
        index = self._index(optimizer)
        self.seen.steps += 1
        self.counted += 1
        facts = self.seen.optimizers[index]
        facts.steps += 1
        facts.last = self.seen.steps
        note(optimizer, facts, self.seen.steps)
        stale = self._clearing.stale(index)  # not before the step, which may be given a closure
        if self.window is not None and self.window.backwards:
            self.window.stale = stale or 0.0
        elif stale is not None:
            facts.looked += 1
            facts.stale += stale > 0
        if facts.steps == 1:
            facts.stateful = stateful(optimizer)
        took = start - self._step_began if self._step_began else 0.0
        self._compare_gradients(index, asked=True)
        by_hand = self.hand.steps
        if self.window is not None and (self.hand.sealed or not by_hand):
            self._close(optimizer, index, took, start)
        elif took:
            self.budget.light(took, self.cost + (HOOKED if self.seen.roots else 0.0))
        self.cost = 0.0
        self.go_on(optimizer, index)

    def go_on(self, optimizer: Optimizer, index: int) -> None:
        """Look at the step that comes next, or do not."""
        self.modules.stepped()
        if self.modes.asks:
            self.modes.ask(index)
        if self.hand.steps:
            pass  # the next backward has begun: it is looked at from its end on
        elif self._due():
            self.open()
        elif self.window is None and self.seen.steps <= BEGINNING:
            self._clearing.used(index, optimizer, 2, 2 * self.seen.steps)
        self._step_began = time.perf_counter()
        if not self.hand.steps:
            self._rest_if_wanted()

    def _rest_if_wanted(self) -> None:
        if self.withdraws and self.rest.wanted():
            self.rest.begin()
            self._step_began = 0.0

    def watches(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer is one that is watched."""
        return self.optimizers.only is None or optimizer is self.optimizers.only

    def about_to_step(self, optimizer: Optimizer) -> bool:
        """See that a step by hand may come; return whether it is one that is looked at."""
        looked_at = self.window is not None and bool(self.window.backwards)
        if looked_at or self.pending is not None:
            self._look_before(optimizer)
        if looked_at:
            self.looking.away = True  # within a function that is seen it cannot be switched off
            self.looking.switch_off()
        elif self.window is None and self._due():
            self.open()
            self.looking.pause()
        elif self.window is None and self.seen.steps <= BEGINNING:
            self._clearing.used(self._index(optimizer), optimizer, 2, 2 * self.seen.steps)
        else:
            self._rest_if_wanted()
        return looked_at

    def abandon(self) -> None:
        """Look no further at what is looked at."""
        self.looking.switch_off()
        self.window = self._before = self.pending = None

    def _close(self, optimizer: Optimizer, index: int, took: float, start: float) -> None:
        window, looking = self.window, self.looking
        assert window is not None
        alone = not self.seen.evaluations or self.seen.evaluations[-1].step < self.seen.steps - 1
        if not alone:
            self.modules.end_of_evaluation()
        looking.switch_off()
        window.step, window.optimizer, window.seconds = self.seen.steps, index, took
        window.layers = [c for c in looking.layers if c.grad]
        window.criteria = [c for c in looking.criteria if c.grad]
        if self._before is not None:
            once = self._asks and len(window.backwards) == 1
            with torch.no_grad():
                if self._asks:
                    self._before.asked(once)
                window.moved, window.missing = moves(
                    self._before, self._clipping.left, self.modules.names, self.later
                )
                self.pending = Followed(index, once, self._before.few(window.moved))
        for name in window.missing:
            if name in self.seen.parameters:
                self.seen.parameters[name].windows += 1
        self.later.put(self._know_moves, window)
        self.modules.unregistered()
        self.modules.order()
        self.seen.windows.append(window)
        self.window = self._before = None
        looking.clear()
        if self.later.full:
            self.later.settle()
        own = self.cost + looking.spent + time.perf_counter() - start
        own = self.budget.close(own, alone and not self.hand.sealed)
        looking.spent = 0.0
        self.recent = own / 2 if len(self.seen.windows) == 1 else min(1.2 * own, 2 * self.recent)

    def _compare_gradients(self, index: int, asked: bool) -> None:
        """See how far gradients of two steps, one after the other, point the same way."""
        if self.pending is not None and (self.pending.optimizer, self.pending.asked) == (index, asked):
            self.pending.compare(self.later)
            self.pending = None

    def _know_moves(self, window: Window) -> None:
        for moved in window.moved:
            known = self.seen.parameters.get(moved.name)
            if known is not None:
                known.windows += 1
                known.gradients += moved.gradient == moved.gradient
                if moved.update > 0 and not known.moved:
                    known.moved = window.step

    def _index(self, optimizer: Optimizer) -> int:
        before = len(self.seen.optimizers)
        index = self.optimizers.index(optimizer)
        if 1 < len(self.seen.optimizers) <= STAGES and len(self.seen.optimizers) > before:
            self.next, self._stage = self.seen.steps + 1, True
        return index

    # Backward ---------------------------------------------------------------------------------------
    def before_backward(self, loss: Tensor) -> None:
        """See that a loss is about to be differentiated."""
        self._clearing.backward()
        self.hand.begins()

    def after_backward(self, loss: Tensor) -> None:
        """See that it was."""
        if self.window is not None:
            self._clipping.see(optimizer for optimizer, _ in self.optimizers)
        self.hand.ends(loss)

    def _clip(self, original: Callable[..., Any], parameters: Any, *args: Any, **kwargs: Any) -> Any:
        self.rest.deaf = True  # gradients are switched off in it, five times
        try:
            out = original(parameters, *args, **kwargs)
        finally:
            self.rest.deaf = False
        self._clipping.clipped(self.seen.steps + 1, self.window is not None, out, args, kwargs)
        return out

    def see_backward(self, loss: Tensor) -> None:
        """See how a loss was made, of a step that is looked at."""
        if self.window is None:
            return
        value = float(loss.detach().float().mean()) if loss.numel() else float("nan")
        seen = Backward(self.seen.steps + 1, value)
        if self.enough:
            self.window.backwards.append(seen)
            return
        self._risks = graph.risky(loss) if value - value == 0 else self._risks
        looking = self.looking
        seen.sign, seen.policy = looking.own.signs(loss)
        if seen.sign:
            seen.criterion = looking.criteria[-1].name if looking.criteria else "log_softmax"
        looking.own.parts, looking.own.log_probs = [], []
        self.window.backwards.append(seen)
        if self.enough:
            looking.cease()
        if len(self._traced) < 3 and len(self.seen.windows) not in self._traced and loss.requires_grad:
            self._traced.add(len(self.seen.windows))
            for leaf in graph.leaves(loss):
                if isinstance(leaf, nn.Parameter) and len(self._leaves) < 4096:
                    self._leaves[id(leaf)] = leaf

    def found_not_finite(self, loss: Tensor) -> None:
        """See which operation a loss owes it to that it is not finite."""
        with torch.no_grad():
            found = graph.not_finite(loss, bool(self._broken_parameter()), self._risks)
        self.seen.not_finite = NotFinite(self.seen.steps + 1, *found)

    def _broken_parameter(self) -> str:
        for optimizer, _ in self.optimizers:
            for p in few(optimizer, 64):
                if not bool(torch.isfinite(some(p, 512)).all()):
                    return self.modules.names.get(id(p), "")
        return ""
