"""Recommending: what somebody will think of things, or choose next, from what they and others rated or chose.

**The function** tells what is not known of a user from what is. With ratings (`--target`), it is a Gaussian
process a user, which tells a rating from the user's others
(:class:`descend.functions.rating_process.RatingProcess`). Without, it scores each item by how likely it is
chosen next (:class:`descend.functions.next_items.NextItems`). Neither has parameters for users: whoever comes
new with a few ratings is told of as any other, and every answer falls into parts, one of each rating.
**Its parameters** belong to items and their features: opinions of them, and some ten numbers that say what
goes with what; then how opinions go together in time.
**The loss** is the squared error of each rating told from the user's others; or the surprise (cross-entropy)
of what was chosen next.
**The data** are a table with a row a rating: who, what, and if known the rating, when, and what is known of
the items. Of ratings a random fifth is held out; of choices each user's last fifth.
**The descent** sees some thousand ratings a step, and is held back by a prior: an item with few ratings stays
near what its features say.

Change first: whether the time is used (`--time none`): where a rating's time is not known beforehand, telling
it from those given minutes before and after is too good to be true.
"""

from pathlib import Path

import torch
from torch import Tensor

from descend.errors import DataError, UsageError
from descend.functions.next_batches import MOST_ASKED, NDCG, Choices, surprise
from descend.functions.next_items import NextItems
from descend.functions.problem import Problem, Settings
from descend.functions.rating_batches import ToldFromKnown, ToldFromOthers
from descend.functions.rating_process import RatingProcess
from descend.functions.ratings import Ratings, read_ratings
from descend.functions.recommendations import RatingsReader
from descend.functions.splits import seeded, split

_Made = tuple[tuple[Tensor, Tensor, Tensor], RatingProcess | NextItems, Settings]

HELD_OUT, CHOOSES = 0.2, 0.05
"""The share of the ratings that is the test, and the share of the rest that chooses the best parameters."""
LARGEST = 1e6
"""A rating beyond it is rather a mistake."""


def recommendation_problem(
    path: str | Path,
    target_column: str | None = None,
    *,
    seed: int = 0,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
) -> Problem:
    """Make the problem of telling ratings, or choices, from a user's others.

    Args:
        path: a CSV or Parquet file with a row a rating.
        target_column: the column of the ratings; ``None`` learns what is chosen next.
        seed: draws the parts and the initial parameters.
        user: the column that says who.
        item: the column that says what.
        time: the column that says when; ``None`` looks for one, ``"none"`` takes none.

    Returns:
        The problem; see :mod:`descend.functions.rating_batches` and :mod:`descend.functions.next_batches` for
        its inputs.

    Raises:
        DataError: where the file cannot be read, or there is nothing to learn from.
        UsageError: where a column is not there.
    """
    if user is None or item is None:
        missing = "--user" if user is None else "--item"
        raise UsageError(
            "both --user and --item for ratings", f"no {missing}", f"name its column with {missing}"
        )
    path = Path(path)
    ratings = read_ratings(path, user, item, target_column, time)
    made = _choices(ratings, seed) if target_column is None else _ratings(ratings, seed)
    parts, function, settings = made
    train, validation, test = parts
    if not (len(validation) and len(test)):
        raise DataError("ratings to hold out", "too few", "add some")
    reader = RatingsReader.of(ratings, function)
    if target_column is None:
        known = torch.cat([train, validation])
        chooses = Choices(ratings, train, validation, most=MOST_ASKED)
        data = Choices(ratings, train), chooses, Choices(ratings, known, test)
    else:
        known = torch.cat([train, validation])
        data = (
            ToldFromOthers(ratings, train),
            ToldFromKnown(ratings, train, validation),
            ToldFromKnown(ratings, known, test),
        )
    notes = [f"{n} left out: {why}" for why, n in ratings.left_out.items()]
    alone = int((torch.bincount(ratings.user) == 1).sum())
    return Problem(
        function,
        surprise if target_column is None else "mse",
        train=data[0],
        validation=data[1],
        test=data[2],
        metric=NDCG if target_column is None else "rmse",
        name=path.name.split(".")[0],
        reader=reader,
        settings=settings,
        facts={
            "source": str(path),
            "kind": "ratings",
            "rows": len(ratings),
            "users": len(ratings.users),
            "items": len(ratings.items),
            "features": ratings.features.columns,
            "time": ratings.columns.time,
            "sha256": ratings.digest,
            "notes": [*notes, *([f"{alone} users with a single rating"] if alone else [])],
        },
    )


def _ratings(ratings: Ratings, seed: int) -> _Made:
    """Return the parts, the function at its start, and how it is best descended, for ratings."""
    train, validation, test = split(len(ratings), test=HELD_OUT, validation=CHOOSES, seed=seed)
    timed = ratings.columns.time is not None
    marks, numbers = ratings.features.marks, ratings.features.numbers
    sizes = len(ratings.items), marks.shape[1], numbers.shape[1], len(ratings), len(ratings.users)
    with seeded(seed):
        function = RatingProcess(*sizes, spans=2 if timed else 0)
    values = ratings.value[train]
    if not float(values.abs().max()) < LARGEST:
        raise DataError(
            f"ratings up to {LARGEST:g} in column {ratings.columns.value!r}",
            f"{float(values.abs().max()):g}",
            "scale them down, or leave such rows out",
        )
    function.features.copy_(marks)
    function.numbers.copy_(numbers)
    function.counts.copy_(torch.bincount(ratings.item[train], minlength=len(ratings.items)))
    function.mean.copy_(values.mean())
    function.variance.copy_(values.var(correction=0).clamp(min=1e-6))
    function.bounds.copy_(torch.stack([values.min(), values.max()]))
    times = ratings.time[train]
    function.calendar.copy_(torch.stack([times.mean(), times.std().clamp(min=1e-9)]))
    if timed:
        function.spans.copy_(_spans(ratings))
    function.memory.fill(ratings)
    decay = {"betas": (0.9, 0.99), "weight_decay": 2 / len(train)}
    return (train, validation, test), function, Settings("adam", 0.1, 4096, 250, "cosine", 0.05, None, decay)


def _spans(ratings: Ratings) -> Tensor:
    """Return two times, a sitting's and some days': 40 and 20,000 times the usual one between two ratings."""
    same = ratings.user[1:] == ratings.user[:-1]
    gaps = (ratings.time[1:] - ratings.time[:-1])[same]
    gaps = gaps[gaps > 0]
    usual = float(gaps.median()) if len(gaps) else 1.0
    return torch.tensor([40.0, 20_000.0]) * usual


def _choices(ratings: Ratings, seed: int) -> _Made:
    """Return the same for choices."""
    timed = ratings.columns.time is not None
    rows = torch.arange(len(ratings))
    if not timed:  # the order in the file says nothing: any may be the last
        with seeded(seed):
            rows = torch.randperm(len(ratings))
        rows = rows[ratings.user[rows].argsort(stable=True)]
    train, test = _last(ratings, rows, HELD_OUT)
    train, validation = _last(ratings, train, HELD_OUT / 2)
    marks = ratings.features.marks
    sizes = len(ratings.items), marks.shape[1], len(ratings), len(ratings.users)
    with seeded(seed):
        function = NextItems(*sizes, timed=timed)
    function.features.copy_(marks / max(1.0, float(marks.square().sum(1).mean().sqrt())))
    function.popularity.copy_((torch.bincount(ratings.item[train], minlength=sizes[0]) + 0.3).log())
    times = ratings.time[train]
    function.calendar.copy_(torch.stack([times.min(), (times.max() - times.min()).clamp(min=1e-9)]))
    function.memory.fill(ratings)
    decay = {"betas": (0.9, 0.99), "weight_decay": 0.1}
    return (train, validation, test), function, Settings("adamw", 1e-2, 64, 1500, "cosine", 0.05, None, decay)


def _last(ratings: Ratings, rows: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Part each user's rows in those before and the last ``share``, at least one where there are two."""
    user = ratings.user[rows]
    counts = torch.bincount(user, minlength=len(ratings.users))
    place = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[user]
    held = torch.where(counts > 1, (counts * share).round().long().clamp(min=1), 0)
    after = place >= (counts - held)[user]
    return rows[~after], rows[after]
