"""What is known of each user: the ratings, kept with a function so that a run needs nothing else."""

import torch
from torch import Tensor, nn

from descend.functions.ratings import Ratings


class Memory(nn.Module):
    """Ratings in the order of their users, as buffers.

    Args:
        ratings: how many.
        users: whose.
    """

    item: Tensor
    value: Tensor
    time: Tensor
    start: Tensor

    def __init__(self, ratings: int, users: int):
        super().__init__()
        self.register_buffer("item", torch.zeros(ratings, dtype=torch.long))
        self.register_buffer("value", torch.zeros(ratings))
        self.register_buffer("time", torch.zeros(ratings, dtype=torch.float64))
        self.register_buffer("start", torch.zeros(users + 1, dtype=torch.long))

    def fill(self, ratings: Ratings) -> None:
        """Remember all of these ratings."""
        self.item.copy_(ratings.item)
        self.value.copy_(ratings.value)
        self.time.copy_(ratings.time)
        self.start[1:] = torch.bincount(ratings.user, minlength=len(self.start) - 1).cumsum(0)

    def of(self, user: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return one user's items, values and times, each (n,)."""
        own = slice(int(self.start[user]), int(self.start[user + 1]))
        return self.item[own], self.value[own], self.time[own]

    @property
    def latest(self) -> float:
        """The time of the latest rating."""
        return float(self.time.max()) if len(self.time) else 0.0
