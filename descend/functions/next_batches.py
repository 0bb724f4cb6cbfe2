"""What users chose, as batches: what came before some moment, and what after.

A batch is (items before, the moment's time, target): int64 (n, length) with the latest last and −1 in front
of the first, float64 (n,), and int64 (n, most) with −1 behind the last. The examples are users.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from descend.errors import DataError
from descend.functions.data import Batch, generator_at
from descend.functions.measures import Metric
from descend.functions.rating_batches import by_user
from descend.functions.ratings import Ratings

AHEAD = 0.25
"""What is chosen next: so many as this share of those before, but at least one and at most :data:`MOST`."""
MOST = 100
MOST_ASKED = 2000
"""Users whose next choices choose the best parameters, at most: they are gone over many times."""
AT = 10
"""How many recommendations are looked at."""


class Choices:
    """Users' choices, parted in two at a moment.

    Args:
        ratings: all choices.
        known: rows that come before.
        asked: rows that come after; none where each training batch draws its own moments among the known.
        most: how many users with something asked are looked at; others are left out evenly.
    """

    def __init__(self, ratings: Ratings, known: Tensor, asked: Tensor | None = None, most: int | None = None):
        users = len(ratings.users)
        own = by_user(ratings.user, known, users)
        if asked is None:
            self.users = [(rows, rows[:0]) for rows in own if len(rows) > 1]
        else:
            after = by_user(ratings.user, asked, users)
            self.users = [pair for pair in zip(own, after, strict=True) if len(pair[1])]
            if most is not None and len(self.users) > most:
                self.users = [self.users[k * len(self.users) // most] for k in range(most)]
        if not self.users:
            raise DataError("a user with several choices to learn from", "none", "add some")
        self.ratings, self.asked = ratings, asked
        self.start = float(ratings.time[known].min()) if len(known) else 0.0

    def __len__(self) -> int:
        return len(self.users)

    def batches(self, size: int, seed: int, device: torch.device) -> "Moments":
        """Return batches of ``size`` users at random moments."""
        return Moments(self, size, seed, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every user once; where nothing comes after, the last fifth is asked for."""
        for start in range(0, len(self), size):
            pairs = self.users[start : start + size]
            if self.asked is None:
                cuts = [(len(rows) * 4 + 4) // 5 if len(rows) > 4 else len(rows) - 1 for rows, _ in pairs]
                pairs = [(rows[:c], rows[c:]) for (rows, _), c in zip(pairs, cuts, strict=True)]
            yield self.batch(pairs, device)

    def batch(self, pairs: Sequence[tuple[Tensor, Tensor]], device: torch.device) -> Batch:
        """Return the batch of rows before and after."""
        item, time = self.ratings.item, self.ratings.time
        before = pad_sequence(
            [item[rows] for rows, _ in pairs], batch_first=True, padding_value=-1, padding_side="left"
        )
        after = pad_sequence([item[rows] for _, rows in pairs], batch_first=True, padding_value=-1)
        moments = [time[rows[-1]] if len(rows) else time.new_tensor(self.start) for rows, _ in pairs]
        return tuple(part.to(device) for part in (before, torch.stack(moments), after))


class Moments:
    """Training batches: users, those with many choices more often, each at a random moment."""

    def __init__(self, data: Choices, size: int, seed: int, device: torch.device):
        self.data, self.size, self.seed, self.device = data, size, seed, device
        self.weights = torch.tensor([float(len(rows)) for rows, _ in data.users]).sqrt()
        self.per_epoch = max(1, len(data) // size)
        self.drawn = 0

    def next(self) -> Batch:
        """Return the next batch, a function of (seed, how many were drawn) alone."""
        g = generator_at(self.seed, self.drawn)
        self.drawn += 1
        pairs = []
        for user in torch.multinomial(self.weights, self.size, replacement=True, generator=g).tolist():
            rows, _ = self.data.users[user]
            cut = int(torch.randint(1, len(rows), (), generator=g))
            pairs.append((rows[:cut], rows[cut : cut + min(MOST, max(1, round(AHEAD * cut)))]))
        return self.data.batch(pairs, self.device)

    def state(self) -> dict[str, Any]:
        """Return the position."""
        return {"drawn": self.drawn}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to a position."""
        self.drawn = int(state["drawn"])


def surprise(logits: Tensor, target: Tensor) -> Tensor:
    """Return how surprising the next choices are: cross-entropy in nats, the mean of each user's mean.

    Args:
        logits: (n, items).
        target: items, (n, most), −1 behind the last.
    """
    there = target >= 0
    logarithms = F.log_softmax(logits, -1).gather(1, target.clamp(min=0))
    return -((logarithms * there).sum(1) / there.sum(1).clamp(min=1)).mean()


def ndcg_sums(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum of the users' NDCG@10, and how many have something to be found.

    What is chosen is worth 1, divided by log₂(1 + place); the sum over the first ten places is divided by the
    largest that there could be.
    """
    there = target >= 0
    best = logits.topk(min(AT, logits.shape[1])).indices
    found = (best[:, :, None] == torch.where(there, target, -1)[:, None, :]).any(2)
    worth = 1 / torch.log2(torch.arange(2, best.shape[1] + 2, dtype=torch.float64, device=logits.device))
    count = there.sum(1)
    ideal = F.pad(worth.cumsum(0), (1, 0))[count.clamp(max=len(worth))]
    has = count > 0
    return torch.stack([((found * worth).sum(1)[has] / ideal[has]).sum(), has.sum().double()])


NDCG = Metric(f"ndcg@{AT}", ndcg_sums, lambda sums: sums[0] / max(sums[1], 1.0))
