"""Users' ratings as batches: parts of what a user rated, to tell each from the others.

A batch is (items, times, values, given, known, asked, target), see
:class:`descend.functions.rating_process.RatingProcess`; the target are the ratings asked for, of shape
(asked,). The examples are ratings.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from descend.errors import DataError
from descend.functions.data import Batch, generator_at
from descend.functions.ratings import Ratings

PART = 128
"""Ratings of one user that are told from each other in a step, at most: the work grows with their cube."""
CELLS = 2_000_000
"""Numbers of the matrices of one batch, at most, when ratings are told from all that are known."""


def by_user(user: Tensor, rows: Tensor, users: int) -> list[Tensor]:
    """Return the rows of each user, in their order."""
    rows = rows[user[rows].argsort(stable=True)]
    return list(rows.split(torch.bincount(user[rows], minlength=users).tolist()))


class ToldFromOthers:
    """Ratings to learn from: a user's are told from each other, in random parts.

    Args:
        ratings: all of them.
        rows: which to learn from.

    Raises:
        DataError: where no user has two.
    """

    def __init__(self, ratings: Ratings, rows: Tensor):
        self.ratings = ratings
        self.users = [own for own in by_user(ratings.user, rows, len(ratings.users)) if len(own) > 1]
        self.known = [len(own) for own in self.users]
        if not self.users:
            raise DataError("a user with several ratings to learn from", "none", "add ratings")

    def __len__(self) -> int:
        return sum(self.known)

    def batches(self, size: int, seed: int, device: torch.device) -> "PartBatches":
        """Return batches of about ``size`` ratings."""
        return PartBatches(self, size, seed, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every rating once."""
        parts = [(part, n) for own, n in zip(self.users, self.known, strict=True) for part in _parts(own)]
        for batch in _filled(parts, max(size, PART)):
            yield self.batch(batch, device)

    def batch(self, parts: Sequence[tuple[Tensor, int]], device: torch.device) -> Batch:
        """Return the batch of these parts, each with how many ratings its user has."""
        rows = pad_sequence([part for part, _ in parts], batch_first=True, padding_value=-1)
        known = torch.tensor([float(n) for _, n in parts])
        return _batch(self.ratings, rows, rows >= 0, known, rows >= 0, device)


class PartBatches:
    """Training batches: each epoch parts the users' ratings anew, by (seed, epoch) alone."""

    def __init__(self, data: ToldFromOthers, size: int, seed: int, device: torch.device):
        self.data, self.size, self.seed, self.device = data, size, seed, device
        self.epoch, self.position = 0, 0
        self._parted = self._part()
        self.per_epoch = len(self._parted)

    def _part(self) -> list[list[tuple[Tensor, int]]]:
        g = generator_at(self.seed, self.epoch)
        parts: list[tuple[Tensor, int]] = []
        for own, n in zip(self.data.users, self.data.known, strict=True):
            parts += [(part, n) for part in _parts(own[torch.randperm(n, generator=g)]) if len(part) > 1]
        # Parts of about the same length stand together, but not the same ones each time.
        lengths = torch.tensor([len(part) for part, _ in parts]) + 8 * torch.rand(len(parts), generator=g)
        filled = _filled([parts[j] for j in lengths.argsort().tolist()], self.size)
        return [filled[j] for j in torch.randperm(len(filled), generator=g).tolist()]

    def next(self) -> Batch:
        """Return the next batch."""
        if self.position >= len(self._parted):
            self.epoch, self.position = self.epoch + 1, 0
            self._parted = self._part()
        self.position += 1
        return self.data.batch(self._parted[self.position - 1], self.device)

    def state(self) -> dict[str, Any]:
        """Return the position."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a position."""
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
        self._parted = self._part()


class ToldFromKnown:
    """Ratings that were held out, to be told from those known of the same user.

    Args:
        ratings: all of them.
        known: rows that are known.
        asked: rows that are held out.
    """

    def __init__(self, ratings: Ratings, known: Tensor, asked: Tensor):
        self.ratings, self.asked = ratings, asked
        users = len(ratings.users)
        pairs = zip(by_user(ratings.user, known, users), by_user(ratings.user, asked, users), strict=True)
        self.users = sorted((pair for pair in pairs if len(pair[1])), key=lambda pair: sum(map(len, pair)))

    def __len__(self) -> int:
        return len(self.asked)

    def batches(self, size: int, seed: int, device: torch.device) -> "PartBatches":
        """Return batches as for learning, of the known and the asked together."""
        rows = torch.cat([torch.cat(pair) for pair in self.users])
        return ToldFromOthers(self.ratings, rows).batches(size, seed, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every rating asked for once; its matrices say how large a batch is, not ``size``."""
        waiting: list[tuple[Tensor, Tensor]] = []
        for pair in self.users:
            longest = sum(map(len, pair))  # they come in rising order
            if waiting and (len(waiting) + 1) * longest**2 > CELLS:
                yield self._batch(waiting, device)
                waiting = []
            waiting.append(pair)
        if waiting:
            yield self._batch(waiting, device)

    def _batch(self, pairs: Sequence[tuple[Tensor, Tensor]], device: torch.device) -> Batch:
        rows = pad_sequence([torch.cat(pair) for pair in pairs], batch_first=True, padding_value=-1)
        known = torch.tensor([len(pair[0]) for pair in pairs])
        given = torch.arange(rows.shape[1]) < known[:, None]
        return _batch(self.ratings, rows, given, known.float(), (rows >= 0) & ~given, device)


def _parts(rows: Tensor) -> Sequence[Tensor]:
    return rows.tensor_split(math.ceil(len(rows) / PART))


def _filled(parts: Sequence[tuple[Tensor, int]], size: int) -> list[list[tuple[Tensor, int]]]:
    """Fill batches with parts, in their order, up to ``size`` places each, those left empty counted."""
    filled: list[list[tuple[Tensor, int]]] = []
    longest = 0
    for part in parts:
        longest = max(longest, len(part[0]))
        if not filled or (len(filled[-1]) + 1) * longest > size:
            filled.append([])
            longest = len(part[0])
        filled[-1].append(part)
    return filled


def _batch(
    ratings: Ratings, rows: Tensor, given: Tensor, known: Tensor, asked: Tensor, device: torch.device
) -> Batch:
    at, there = rows.clamp(min=0), rows >= 0
    items = torch.where(there, ratings.item[at], -1)
    values = ratings.value[at] * given
    parts = (items, ratings.time[at], values, given, known, asked, ratings.value[rows[asked]])
    return tuple(part.to(device) for part in parts)
