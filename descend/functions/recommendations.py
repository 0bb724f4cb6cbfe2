"""Recommendations, and ratings of pairs, from a trained function and what is known of a user."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from descend.errors import UsageError, nearest
from descend.functions.answers import known_options
from descend.functions.cells import text_of
from descend.functions.known_ratings import Known, known_user
from descend.functions.next_items import NEVER, NextItems
from descend.functions.rating_process import RatingProcess
from descend.functions.ratings import Columns, Ratings, column_named, times_in
from descend.functions.table_files import read_table

Recommender = RatingProcess | NextItems

REASONS = 3
"""How many of a user's ratings are named as the reasons for a recommendation."""
AT_A_TIME = 2048
"""Items scored at a time."""


@dataclass(frozen=True)
class RatingsReader:
    """Reads pairs of users and items, and answers with ratings; and recommends.

    Attributes:
        columns: the names of the table's columns.
        users: the users' names.
        items: the items' names, as the table has them.
        names: what a person calls the items.
        sizes: of the function: ``marks``, ``numbers`` (``None`` for choices), ``ratings``.
    """

    columns: Columns
    users: list[str]
    items: list[str]
    names: list[str]
    sizes: dict[str, int | None]

    kind: ClassVar[str] = "ratings"

    @classmethod
    def of(cls, ratings: Ratings, function: Recommender) -> "RatingsReader":
        """Return the reader of what a function is made for."""
        sizes: dict[str, int | None] = {"marks": ratings.features.marks.shape[1], "ratings": len(ratings)}
        rated = isinstance(function, RatingProcess)
        sizes["numbers"] = ratings.features.numbers.shape[1] if rated else None
        return cls(ratings.columns, ratings.users, ratings.items, ratings.features.names, sizes)

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        names = None if self.names == self.items else self.names
        return {"kind": self.kind, **vars(self), "columns": asdict(self.columns), "names": names}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "RatingsReader":
        """Rebuild it."""
        names = saved["items"] if saved["names"] is None else saved["names"]
        columns = Columns(**saved["columns"])
        return cls(columns, saved["users"], saved["items"], names, saved["sizes"])

    def model(self) -> Recommender:
        """Build the function afresh; its buffers are loaded with its parameters."""
        marks, ratings = int(self.sizes["marks"] or 0), int(self.sizes["ratings"] or 0)
        timed, numbers = self.columns.time is not None, self.sizes["numbers"]
        if numbers is None:
            return NextItems(len(self.items), marks, ratings, len(self.users), timed=timed)
        spans = 2 if timed else 0
        return RatingProcess(len(self.items), marks, numbers, ratings, len(self.users), spans=spans)

    # Pairs ----------------------------------------------------------------------------------------
    def predict(self, model: Recommender, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Answer for each pair of a user and an item in a table.

        A rating that is known already is told from the user's others. A user or an item that is not known is
        told of in general, which the answer's ``note`` says.

        Args:
            model: the function, trained.
            source: a table with the columns of users and items, and of times where there were times; without,
                each user's latest time is taken.
            options: none.

        Returns:
            For each row ``{"row", user's column, item's column, "prediction"}``, or ``"score"`` where there
            were no ratings: of two items, the one with the higher score is chosen sooner; and ``"note"``.

        Raises:
            DataError: where the file cannot be read.
            UsageError: where it lacks a column.
        """
        known_options(options)
        table, _ = read_table(source)
        user_column = column_named(table, self.columns.user, "users")
        item_column = column_named(table, self.columns.item, "items")
        users, items = text_of(table[user_column]).to_list(), text_of(table[item_column]).to_list()
        has_time = self.columns.time is not None and self.columns.time in table.columns
        times = times_in(table, self.columns.time) if has_time else np.full(table.height, np.nan)
        number_of_user = {name: k for k, name in enumerate(self.users)}
        number_of_item = {name: k for k, name in enumerate(self.items)}
        rows_of: dict[int, list[int]] = {}
        for row, name in enumerate(users):
            rows_of.setdefault(number_of_user.get(name, -1), []).append(row)
        values = np.zeros(len(users))
        model.eval()
        for user, rows in rows_of.items():
            known = known_user(model.memory, user)
            wanted = torch.tensor([number_of_item.get(items[row], -1) for row in rows])
            own = torch.from_numpy(times[rows])
            values[rows] = (
                _told(model, known, wanted, torch.where(own.isnan(), known.now, own)).double().numpy()
            )
        what = "score" if self.columns.value is None else "prediction"
        answers = []
        for row, (user, item) in enumerate(zip(users, items, strict=True)):
            answer = {"row": row, user_column: user, item_column: item, what: float(values[row])}
            unknown = [
                n for n, k in (("user", user in number_of_user), ("item", item in number_of_item)) if not k
            ]
            answers.append(answer | ({"note": f"unknown {' and '.join(unknown)}"} if unknown else {}))
        if any("note" in answer for answer in answers):  # the same keys in each row
            answers = [{**answer, "note": answer.get("note", "")} for answer in answers]
        return answers

    # Recommendations ------------------------------------------------------------------------------
    def recommend(self, model: Recommender, known: Known, top: int = 10) -> list[dict[str, Any]]:
        """Recommend items that a user has not had.

        With ratings, they come in the order of the rating told less one standard deviation: rather something
        that is surely good than something rare that may be. Without, in the order of how likely each is next.

        Args:
            model: the function, trained.
            known: what is known of the user.
            top: how many items.

        Returns:
            For each item ``{"item", "name", "prediction", "spread"}`` or ``{"item", "name", "score"}``, with
            ``"because"``, of some known ratings that speak most for it ``{"item", "name", "rating",
            "share"}``, and ``"base"``: the prediction or score is the base and all ratings' shares (before
            the prediction is brought within the ratings' bounds).
        """
        model.eval()
        if isinstance(model, RatingProcess):
            parts = [
                self._explained(model, known, wanted)
                for wanted in torch.arange(len(self.items)).split(AT_A_TIME)
            ]
            told, spread = (torch.cat(column) for column in zip(*parts, strict=True))
            score = told - spread
        else:
            with torch.no_grad():
                told = model(known.items[None], torch.tensor([known.now], dtype=torch.float64))[0]
            score, spread = told, None
        score[known.items] = NEVER
        best = score.argsort(descending=True, stable=True)[: min(top, len(score) - len(known.items.unique()))]
        base, shares = self._shares(model, known, best)
        answers = []
        for k, item in enumerate(best.tolist()):
            answer: dict[str, Any] = {"item": self.items[item], "name": self.names[item]}
            if spread is None or isinstance(model, NextItems):
                answer["score"] = float(told[item])
            else:
                low, high = model.bounds.tolist()
                answer |= {
                    "prediction": min(max(float(told[item]), low), high),
                    "spread": float(spread[item]),
                }
            answer["base"] = float(base[k])
            answer["because"] = self._because(known, shares[k])
            answers.append(answer)
        return answers

    def _explained(self, model: RatingProcess, known: Known, wanted: Tensor) -> tuple[Tensor, Tensor]:
        base, spread, shares = model.explain(
            known.items, known.times, known.values, wanted, torch.full((len(wanted),), known.now).double()
        )
        return base + shares.sum(1), spread

    def _shares(self, model: Recommender, known: Known, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores in general (m,), and what each known rating adds (m, n)."""
        now = torch.tensor(known.now, dtype=torch.float64)
        if isinstance(model, NextItems):
            return model.explain(known.items, now, wanted)
        base, _, shares = model.explain(
            known.items, known.times, known.values, wanted, now.expand(len(wanted))
        )
        return base, shares

    def _because(self, known: Known, shares: Tensor) -> list[dict[str, Any]]:
        # A low rating may speak for something too, but nobody would say so.
        liked = known.values >= known.values.mean()
        reasons = []
        for k in shares.where(liked, -torch.inf).argsort(descending=True)[:REASONS].tolist():
            if shares[k] <= 0 or not liked[k]:
                break
            item = int(known.items[k])
            reason: dict[str, Any] = {"item": self.items[item], "name": self.names[item]}
            if self.columns.value is not None:
                reason["rating"] = float(known.values[k])
            reasons.append({**reason, "share": float(shares[k])})
        return reasons

    # Names ----------------------------------------------------------------------------------------
    def user_number(self, name: str) -> int:
        """Return a user's number.

        Raises:
            UsageError: where nobody has this name.
        """
        if name in self.users:
            return self.users.index(name)
        do = nearest(name, self.users[:1000])
        raise UsageError(
            f"one of {len(self.users):,} users",
            repr(name),
            f"{do}, or give ratings with --ratings or --likes",
        )

    def item_number(self, name: str) -> int | None:
        """Return the number of an item, by the table's name or, in any case, people's."""
        if name in self.items:
            return self.items.index(name)
        plain = name.strip().lower()
        return next((k for k, other in enumerate(self.names) if other.lower() == plain), None)


@torch.no_grad()
def _told(model: Recommender, known: Known, wanted: Tensor, when: Tensor) -> Tensor:
    """Return what is told of each wanted item (m,) of one user; what is known, from the user's others."""
    if isinstance(model, NextItems):
        base, shares = model.explain(
            known.items, torch.tensor(known.now, dtype=torch.float64), wanted.clamp(min=0)
        )
        return torch.where(wanted >= 0, base + shares.sum(1), model.popularity.min())
    base, _, shares = model.explain(known.items, known.times, known.values, wanted, when)
    told = base + shares.sum(1)
    for k in torch.isin(wanted, known.items).nonzero()[:, 0].tolist():
        others = known.items != wanted[k]
        general, _, part = model.explain(
            known.items[others],
            known.times[others],
            known.values[others],
            wanted[k : k + 1],
            when[k : k + 1],
        )
        told[k] = (general + part.sum(1))[0]
    return told.clamp(*model.bounds.tolist())
