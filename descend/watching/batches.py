"""Examples that were trained on and evaluated: a few hundred, as rows, for what only data can tell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from descend.watching.facts import RootFacts
from descend.watching.observations import Samples
from descend.watching.samples import picked, rows

BYTES = 2 << 20
"""How much memory the kept examples may take."""
FEATURES = 1024
WORDS = 256
"""Numbers of a row that stands for a sequence of indices."""
AROUND = 2
"""Places before and after one of a sequence that are kept with it."""


class Examples:
    """Keeps examples of windows."""

    def __init__(self) -> None:
        self.arguments: tuple[tuple[Any, ...], RootFacts] | None = None
        self._given: tuple[Tensor, int] | None = None
        self._x: list[Tensor] = []
        self._y: list[Tensor] = []
        self._steps: list[Tensor] = []
        self._held: list[Tensor] = []
        self._bytes = self._held_bytes = 0
        self._features = 0
        self._classes: int | None = None
        self._kind = ""
        self._sequences: list[tuple[Tensor, Tensor]] = []
        self._compared = 0

    def given(self, x: Tensor, step: int) -> None:
        """See what a module was given while training."""
        if self._bytes < BYTES and x.layout == torch.strided and x.dim() >= 2:
            self._given = x, step

    def held(self, x: Tensor) -> None:
        """See what a module was given while it was evaluated."""
        if _dense(x) and self._held_bytes < BYTES // 2:
            with torch.no_grad():
                found = rows(x, 128, FEATURES)
            if not self._held or found.shape[1] == self._held[0].shape[1]:
                self._held.append(found)
                self._held_bytes += found.numel() * 4

    def criterion(self, prediction: Tensor, target: Tensor, out: Any) -> None:
        """See what was to be predicted for what was given."""
        if self.arguments is not None and torch.is_grad_enabled():
            (args, facts), self.arguments = self.arguments, None
            if facts.copies is None and self._compared < 4:
                self._compared += 1
                facts.copies = copied(args, target)
        if self._given is None or not torch.is_grad_enabled() or not target.dim():
            return
        (x, step), self._given = self._given, None
        wide = target.numel() > 64 * len(target)
        with torch.no_grad():
            kind = "features"
            placed = target.dim() == 2 and x.dim() == 3 and not target.is_floating_point()
            if len(x) == len(target) and x.is_floating_point() and not wide and not placed:
                count = max(64, min(256, 16384 // max(1, x[0].numel())))
                found, y = rows(x, count, FEATURES), target.detach()[picked(len(x), count)]
            elif len(x) == len(target) and target.dim() == 1 and x.dim() == 2 and x.shape[1] >= 8:
                kind = "words"
                found, y = _words(x[picked(len(x), 64)]), target.detach()[picked(len(x), 64)]
            elif target.dim() <= 2 and x.dim() == 3 and x.is_floating_point():
                places = _places(x, target.detach())
                if places is None:
                    return
                kind, (found, y) = "places", places
                if len(self._sequences) < 4:
                    self._sequences.append(_sequences(x, target))
            else:
                return
            classes = 0
            if not y.is_floating_point() and y.dim() == 1:
                classes = prediction.shape[1] if prediction.dim() >= 2 else 2
            y = y.to("cpu", torch.int64 if classes else torch.float32, copy=True)
            count = len(y)
        y = y if classes else y.reshape(count, -1)
        if self._x and (found.shape[1] != self._x[0].shape[1] or y.shape[1:] != self._y[0].shape[1:]):
            return
        if self._classes not in (None, classes) or self._kind not in ("", kind):
            return
        self._classes, self._kind = classes, kind
        self._x.append(found)
        self._y.append(y)
        self._steps.append(torch.full((count,), step))
        self._bytes += found.numel() * 4

    def samples(self) -> Samples | None:
        """Return the examples that were trained on, with what was to be predicted."""
        if not self._x:
            return None
        return Samples(
            torch.cat(self._x),
            torch.cat(self._y),
            torch.cat(self._steps),
            self._classes or 0,
            self._kind,
            tuple(self._sequences),
        )

    def held_out(self) -> Tensor | None:
        """Return the examples of evaluations."""
        return torch.cat(self._held) if self._held else None


def _words(x: Tensor) -> Tensor:
    """Return how often each index comes in a sequence, as rows; several indices share one place."""
    places = x.detach().long().remainder(WORDS)
    return torch.zeros(len(x), WORDS).scatter_add_(1, places.cpu(), torch.ones(1).expand(places.shape))


def _sequences(x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return copies of some whole sequences, shape (n, length, features), and the targets of their places."""
    if target.numel() == len(x) * x.shape[2] != len(x) * x.shape[1]:
        x = x.transpose(1, 2)
    some = picked(len(x), max(1, min(16, 16384 // max(1, x[0].numel()))))
    y = target.detach().reshape(len(x), x.shape[1])[some]
    return x.detach()[some].to("cpu", torch.float32, copy=True), y.to("cpu", copy=True)


def _places(x: Tensor, target: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return places of sequences with what is around them as rows, and each one's target."""
    if target.numel() == len(x) * x.shape[2] != len(x) * x.shape[1]:
        x = x.transpose(1, 2)
    n, length, features = x.shape
    if target.numel() != n * length or length < 8 or features > 64:
        return None
    some = x.detach()[picked(n, 8)]
    at = torch.arange(AROUND, length - AROUND, max(1, length // 12), device=x.device)
    around = (at[:, None] + torch.arange(-AROUND, AROUND + 1, device=x.device)).flatten()
    found = some[:, around].reshape(len(some) * len(at), -1).to("cpu", torch.float32)
    return found, target.reshape(n, length)[picked(n, 8)][:, at].flatten()


def _dense(x: Tensor) -> bool:
    return x.is_floating_point() and x.dim() >= 2 and x.layout == torch.strided


def copied(args: tuple[Any, ...], target: Tensor) -> tuple[int, int, float] | None:
    """Return in which argument targets of sequences stand, how many places further on, and their share."""
    with torch.no_grad():
        for i, x in enumerate(args):
            if not isinstance(x, Tensor) or x.dim() not in (2, 3) or x.layout != torch.strided:
                continue
            if len(x) > target.numel():
                continue
            if x.is_floating_point() != target.is_floating_point() or x.shape[1] < 4:
                continue
            for track in _tracks(x[:64]):
                n, length = track.shape
                if target.numel() != len(x) * length or length < 4:
                    continue
                wanted = target.detach().reshape(len(x), length)[:n]
                known = (
                    wanted[:, :-1] >= 0
                    if not wanted.is_floating_point()
                    else torch.ones_like(wanted[:, 1:]) > 0
                )
                if int(known.sum()) < 16 or bool((wanted[:, :1] == wanted).all()):
                    continue
                here = float((track[:, :-1] == wanted[:, :-1])[known].float().mean())
                ahead = float((track[:, 1:] == wanted[:, :-1])[known].float().mean())
                if here > 0.98:
                    return i, 0, here
                if ahead > 0.98:
                    return i, 1, ahead
    return None


def _tracks(x: Tensor) -> list[Tensor]:
    """Return sequences of single numbers, shape (n, length): those of the first few channels."""
    if x.dim() == 2:
        return [x]
    return [*x[:, :, :4].unbind(2), *x[:, :4].unbind(1)]
