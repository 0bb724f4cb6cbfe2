"""Losses, seen where their gradients are computed: in the place of ``torch.autograd.backward``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.watching.observations import NotFinite

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

EVERY = 8
"""Of so many of the shortest steps one loss is seen."""
WAITING = 64
"""Losses on a device beside the processor are fetched so many at a time."""


class Losses:
    """Sees losses for a watcher.

    Args:
        watcher: whose observations they are.

    Attributes:
        backwards: how many gradients were computed.
    """

    def __init__(self, watcher: Watcher):
        self._watcher, self._seen = watcher, watcher.seen
        self.backwards = 0
        self._original: Callable[..., Any] = torch.autograd.backward
        self._fully = self._lightly = self._once = self._counting = self._original
        self._own: tuple[Callable[..., Any], ...] = ()
        self._waiting: list[tuple[int, Tensor]] = []

    def begin(self) -> Callable[[], None]:
        """See them; return what undoes it."""
        original = self._original = torch.autograd.backward

        def fully(*args: Any, **kwargs: Any) -> Any:
            return self.through(original, *args, **kwargs)

        note = self._watcher.guarded(self._note)
        seen, by_hand, stepped = self._seen, self._watcher.hand, self._watcher.stepped

        def lightly(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if by_hand.steps:  # one was taken since the last
                stepped(by_hand.optimizer)
            self.backwards += 1
            note(tensors)
            return original(tensors, *args, **kwargs)

        def once(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if torch.autograd.backward is once:
                torch.autograd.backward = original
            note(tensors)
            return original(tensors, *args, **kwargs)

        def counting(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            stepped(by_hand.optimizer)
            if not seen.steps % EVERY:
                note(tensors)
            return original(tensors, *args, **kwargs)

        self._own = self._fully, self._lightly, self._once, self._counting = fully, lightly, once, counting
        for own in self._own:
            own.__wrapped__ = original  # type: ignore[attr-defined]
        torch.autograd.backward = fully  # type: ignore[assignment]
        return self._asked_by_hand()

    def _asked_by_hand(self) -> Callable[[], None]:
        """See gradients that are asked for by ``torch.autograd.grad`` too; return what undoes everything."""
        original = torch.autograd.grad

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            loss = outputs if isinstance(outputs, Tensor) and outputs.numel() == 1 else None
            asked = (
                [inputs] if isinstance(inputs, Tensor) else inputs if type(inputs) in (list, tuple) else []
            )
            plain = loss is not None and asked and not args and not kwargs
            leaves = plain and all(isinstance(p, Tensor) and p.is_leaf for p in asked)
            if not leaves or self._watcher.hand.given_up:
                return original(outputs, inputs, *args, **kwargs)
            if self._watcher.rest.on:
                self._watcher.stepped(self._watcher.hand.optimizer)
                self._watcher.guarded(self._note)(loss)
                return original(outputs, inputs)
            found: list[Any] = []
            before = [p.grad for p in asked]

            def differentiate(*_: Any) -> None:
                found.append(original(outputs, asked))
                for p, g in zip(asked, found[0], strict=True):  # where a look expects them
                    p.grad = g

            try:
                self.through(differentiate, loss)
            finally:
                for p, own in zip(asked, before, strict=True):
                    p.grad = own
            return found[0]

        grad.__wrapped__ = original  # type: ignore[attr-defined]
        torch.autograd.grad = grad  # type: ignore[assignment]

        def undo() -> None:
            self.miss()
            if torch.autograd.grad is grad:
                torch.autograd.grad = original

        return undo

    def see(self, fully: bool = True) -> None:
        """See all that there is to see of them, or only their values."""
        self._put(self._fully if fully else self._lightly)

    def see_one(self) -> None:
        """See the value of the next one, and then none for a while; none was seen until now."""
        if torch.autograd.backward is self._original:
            torch.autograd.backward = self._once  # type: ignore[assignment]

    def count(self) -> None:
        """See that there are losses, of steps by hand which nothing else tells of, and the value of few."""
        self._put(self._counting)

    def miss(self) -> None:
        """See none for a while."""
        self._put(self._original)

    def _put(self, how: Callable[..., Any]) -> None:
        # Unless somebody else has taken the place meanwhile.
        if torch.autograd.backward in (self._original, *self._own):
            torch.autograd.backward = how  # type: ignore[assignment]

    def through(self, original: Callable[..., Any], tensors: Any, *args: Any, **kwargs: Any) -> Any:
        """Look before and after what differentiates a loss."""
        watcher = self._watcher
        start = time.perf_counter()
        self.backwards += 1
        loss = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        if isinstance(loss, Tensor):
            try:
                with torch._C.DisableTorchFunction():
                    watcher.before_backward(loss)
                    self._note(loss)
                    watcher.see_backward(loss)
            except Exception as error:
                watcher.give_up(error)
        watcher.cost += time.perf_counter() - start
        out = original(tensors, *args, **kwargs)
        if isinstance(loss, Tensor) and (watcher.window is not None or not watcher.hand.given_up):
            start = time.perf_counter()
            try:
                with torch._C.DisableTorchFunction():
                    watcher.after_backward(loss)
            except Exception as error:
                watcher.give_up(error)
            watcher.cost += time.perf_counter() - start
        return out

    def _note(self, loss: Tensor | Any) -> None:
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            return
        if loss.is_cpu:
            value = loss.item()
            self._seen.losses.append((self._seen.steps + 1, value))
            if value - value != 0 and self._seen.not_finite is None:
                self._watcher.found_not_finite(loss)
        else:
            self._waiting.append((self._seen.steps + 1, loss.detach()))
            if len(self._waiting) >= WAITING:
                self.fetch()

    def fetch(self) -> None:
        """Fetch the losses that are on a device yet."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            values = torch.stack([x.reshape(()).float() for _, x in waiting]).tolist()
            self._seen.losses += [(step, v) for (step, _), v in zip(waiting, values, strict=True)]
            bad = next((s for (s, _), v in zip(waiting, values, strict=True) if v - v != 0), 0)
            if bad and self._seen.not_finite is None:
                self._seen.not_finite = NotFinite(bad, "loss")
