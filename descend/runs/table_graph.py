"""How a table's rows become features and answers, as a function of tensors alone, which can be exported."""

from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from descend.functions.columns import DAY, FURTHEST, Dates, Levels, Numbers
from descend.functions.table_targets import Classes
from descend.functions.tables import TableReader
from descend.functions.words import RowsAndWords


class TableGraph(nn.Module):
    """Numbers and levels of rows → probabilities (n, classes) or amounts (n,), in double precision.

    What :meth:`TableReader.inputs` does with the cells of a table column by column, this does with tensors
    for all columns of a kind at once, and then brings the features into their order.

    Args:
        reader: of the run.
        model: the function, trained.
    """

    middle: Tensor
    center: Tensor
    scale: Tensor
    ramp_of: Tensor
    low: Tensor
    span: Tensor
    hot_of: Tensor
    slot: Tensor
    order: Tensor

    def __init__(self, reader: TableReader, model: nn.Module):
        super().__init__()
        self.answer = reader.answer
        self.words = model.words if isinstance(model, RowsAndWords) else None
        self.rows = model.rows if isinstance(model, RowsAndWords) else model
        numbers = [c for c in reader.columns if isinstance(c, Numbers | Dates)]
        levels = [c for c in reader.columns if isinstance(c, Levels)]
        dates = [c for c in numbers if isinstance(c, Dates)]
        self.dates = [i for i, c in enumerate(numbers) if isinstance(c, Dates)]
        self.has_numbers, self.has_levels = bool(numbers), bool(levels)
        self.embedded = [i for i, c in enumerate(levels) if c.embedded]
        # One fitted column of numbers for each given value, then one for each date's year.
        fitted = [c.elapsed if isinstance(c, Dates) else c for c in numbers] + [c.year for c in dates]
        hot = [(i, slot) for i, c in enumerate(levels) if not c.embedded for slot in range(c.width)]
        ramps = [(i, *pair) for i, c in enumerate(fitted) for pair in pairwise(c.knots)]
        # Where each feature is among all that are made: z, is it missing, ramps, levels, and the dates' own.
        k, d = len(fitted), len(dates)
        starts = list(accumulate([0, k, k, len(ramps), len(hot)]))
        place = {f"z{i}": [i] for i in range(k)} | {f"missing{i}": [k + i] for i in range(k)}
        for name, start, owners in (("ramps", starts[2], ramps), ("levels", starts[3], hot)):
            for i, owner in enumerate(owners):
                place.setdefault(f"{name}{owner[0]}", []).append(start + i)
        order: list[int] = []

        def add_number(i: int) -> None:
            order.extend([*place[f"z{i}"], *(place[f"missing{i}"] if fitted[i].missing else [])])
            order.extend(place.get(f"ramps{i}", []))

        for column in reader.columns:
            if isinstance(column, Numbers):
                add_number(numbers.index(column))
            elif isinstance(column, Dates):
                nth = dates.index(column)
                add_number(numbers.index(column))
                add_number(len(numbers) + nth)
                order.extend(starts[4] + at * d + nth for at in range(2 + 7 + 2 * column.hours))
            elif isinstance(column, Levels) and not column.embedded:
                order.extend(place[f"levels{levels.index(column)}"])

        def constant(name: str, values: list[Any], dtype: torch.dtype = torch.float64) -> None:
            self.register_buffer(name, torch.tensor(values, dtype=dtype), persistent=False)

        constant("middle", [c.middle for c in fitted])
        constant("center", [c.center for c in fitted])
        constant("scale", [c.scale for c in fitted])
        constant("ramp_of", [i for i, _, _ in ramps], torch.long)
        constant("low", [low for _, low, _ in ramps])
        constant("span", [high - low for _, low, high in ramps])
        constant("hot_of", [i for i, _ in hot], torch.long)
        constant("slot", [slot for _, slot in hot], torch.long)
        constant("order", order, torch.long)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the answers.

        Args:
            inputs: those of ``numbers`` (n, columns of numbers and dates), ``levels`` (n, columns of
                categories) and ``words`` (n, most in a row) that the table has.
        """
        given = list(inputs)
        numbers = given.pop(0) if self.has_numbers else None
        levels = given.pop(0) if self.has_levels else None
        output: Any = 0
        if self.rows is not None:
            x = self.features(numbers, levels)
            codes = levels[:, self.embedded] if levels is not None and self.embedded else None
            output = self.rows(x) if codes is None else self.rows(x, codes)
        if self.words is not None:
            output = output + self._told(given.pop())
        if isinstance(self.answer, Classes):
            return output.double().softmax(1)
        return self.answer.predicted(output)

    def features(self, numbers: Tensor | None, levels: Tensor | None) -> Tensor:
        """Return what :func:`descend.functions.columns.encode` makes of the same rows, float32."""
        parts: list[Tensor] = []
        dates: list[Tensor] = []
        if numbers is not None:
            values = numbers
            if self.dates:
                moments = numbers[:, self.dates]
                filled = torch.where(_absent(moments), self.middle[self.dates], moments)
                year, dates = date_features(filled)
                values = torch.cat([numbers, year], 1)
            absent = _absent(values)
            values = torch.where(absent, self.middle, values)
            z = ((values - self.center) / self.scale).clamp(-FURTHEST, FURTHEST)
            ramps = ((values[:, self.ramp_of] - self.low) / self.span).clamp(0, 1)
            parts = [z.float(), absent.float(), ramps.float()]
        if levels is not None:
            parts.append((levels[:, self.hot_of] == self.slot).float())
        return torch.cat([*parts, *dates], 1)[:, self.order]

    def _told(self, words: Tensor) -> Tensor:
        """Return what the words say: the look-up and sum of an embedding bag, which cannot be traced."""
        assert self.words is not None
        words = words.long()  # as ONNX looks up
        rarity = self.words.rarity[words]
        shares = self.words.scale * rarity.square().sum(1, keepdim=True).clamp(min=1e-6).rsqrt() * rarity
        vectors = nn.functional.embedding(words, self.words.weights.weight)
        told = (vectors * shares[:, :, None]).sum(1) + self.words.bias
        return told if self.answer.outputs else told.squeeze(-1)


def _absent(values: Tensor) -> Tensor:
    return values.isnan() | values.isinf()


def date_features(moments: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the years (n, dates), float64, and what else :meth:`Dates.features` makes of moments, float32.

    Args:
        moments: seconds since 1970, float64 of shape (n, dates).

    Returns:
        The second are eleven of shape (n, dates): sine and cosine of the time of year, the seven weekdays,
        and sine and cosine of the time of day.
    """
    days = (moments / DAY).floor()
    year, month = calendar(days)
    season = (2 * torch.pi / 12 * (month - 1)).float()
    clock = (2 * torch.pi * (moments / DAY - days)).float()
    weekday = days + 3 - 7 * ((days + 3) / 7).floor()  # 1970 began on a Thursday; Monday is 0
    week = [(weekday == day).float() for day in range(7)]
    return year, [season.sin(), season.cos(), *week, clock.sin(), clock.cos()]


def calendar(days: Tensor) -> tuple[Tensor, Tensor]:
    """Return the year and the month, 1 to 12, of days since 1 January 1970; all are whole float64.

    Counted in eras of 400 years that begin on 1 March, so that a leap day is the last of its year.

    Source: Hinnant, chrono-compatible low-level date algorithms (2021), ``civil_from_days``.

    Example:
        >>> [int(x) for x in calendar(torch.tensor([19782.0], dtype=torch.float64))]
        [2024, 2]
    """
    days = days + 719_468
    era = (days / 146_097).floor()
    day = days - era * 146_097
    year = ((day - (day / 1460).floor() + (day / 36_524).floor() - (day / 146_096).floor()) / 365).floor()
    rest = day - (365 * year + (year / 4).floor() - (year / 100).floor())
    month = ((5 * rest + 2) / 153).floor()  # 0 is March
    month = torch.where(month < 10, month + 3, month - 9)
    return year + era * 400 + (month <= 2).double(), month


def table_graph(
    reader: TableReader, model: nn.Module, rows: int
) -> tuple[TableGraph, dict[str, Tensor], dict[str, Any]]:
    """Return the function, examples of its inputs by name, and what a caller has to know.

    Args:
        reader: of the run.
        model: the function, trained.
        rows: of the examples.
    """
    numbers = [c.name for c in reader.columns if isinstance(c, Numbers | Dates)]
    dates = [c.name for c in reader.columns if isinstance(c, Dates)]
    levels = {c.name: [None, *c.levels] for c in reader.columns if isinstance(c, Levels)}
    inputs: dict[str, Tensor] = {}
    if numbers:
        inputs["numbers"] = torch.zeros(rows, len(numbers), dtype=torch.float64)
    if levels:
        inputs["levels"] = torch.zeros(rows, len(levels), dtype=torch.long)
    if reader.texts:
        inputs["words"] = torch.ones(rows, 4, dtype=torch.int32)
    says: dict[str, Any] = {"target": reader.target, "numbers": numbers, "dates": dates}
    # As pairs of a name and its list, in order; the first place is that of unknown levels.
    says |= {"levels": list(levels.items()), "texts": [c.name for c in reader.texts]}
    if isinstance(reader.answer, Classes):
        says["classes"] = list(reader.answer.labels)
    return TableGraph(reader, model), inputs, says
