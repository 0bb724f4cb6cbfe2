"""A table and the name of one of its columns, as a problem: predict that column from the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from descend.errors import DataError, UsageError
from descend.functions.column_choice import fit_columns
from descend.functions.columns import Column, column_from_json, column_to_json, encode
from descend.functions.data import InMemory
from descend.functions.line import best_lines
from descend.functions.measures import METRICS, OfEach, cross_entropy, mse
from descend.functions.problem import Problem, Settings
from descend.functions.table_files import read_table
from descend.functions.table_targets import (
    Amounts,
    Classes,
    Target,
    target_from_json,
    target_to_json,
)
from descend.functions.wide_and_deep import WideAndDeep
from descend.functions.words import SCALE, BagOfWords, RowsAndWords, Words, bags

if TYPE_CHECKING:
    import polars as pl

MEMBERS = 8
"""How many networks answer together where there are no texts."""
MANY_ROWS = 3000
"""Training rows from which the function needs less to hold it back."""


@dataclass(frozen=True)
class TableReader:
    """What turns a table's rows into features, and the function's outputs into answers.

    Attributes:
        target: the name of the predicted column.
        answer: what its values are.
        columns: the fitted columns that features come from, in order.
        shape: arguments of :class:`WideAndDeep`.
    """

    kind: ClassVar[str] = "table"
    target: str
    answer: Target
    columns: tuple[Column, ...]
    shape: dict[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Numbers a row, embedded categories apart."""
        return sum(column.width for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {
            "kind": self.kind,
            "target": self.target,
            "answer": target_to_json(self.answer),
            "columns": [column_to_json(column) for column in self.columns],
            "shape": self.shape,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TableReader":
        """Rebuild it."""
        columns = tuple(column_from_json(column) for column in saved["columns"])
        return cls(saved["target"], target_from_json(saved["answer"]), columns, saved["shape"])

    @property
    def texts(self) -> list[Words]:
        """The columns that hold texts."""
        return [column for column in self.columns if isinstance(column, Words)]

    def model(self) -> WideAndDeep | RowsAndWords:
        """Build the function afresh; its parameters are loaded afterwards."""
        outputs, slots = self.answer.outputs, [c.slots for c in self.columns if c.slots]
        rows = None
        if self.features or slots:
            rows = WideAndDeep(self.features, outputs, slots, **self.shape)
            if not self.texts:
                return rows
        words = BagOfWords(max(outputs, 1), dropout=0.3 if rows else 0.0)
        return RowsAndWords(words, rows, outputs)

    def inputs(self, table: "pl.DataFrame") -> tuple[Tensor, ...]:
        """Encode rows.

        Args:
            table: a table with at least this reader's columns, in any order.

        Returns:
            Where there are texts, what is in them, see :func:`descend.functions.words.bags`; features of
            shape (rows, features), float32; and, where a category is embedded, slots of shape (rows,
            embedded columns), int64.

        Raises:
            DataError: where a column is missing, or a cell cannot be read as its column's kind.
        """
        absent = [c.name for c in self.columns if c.name not in table.columns]
        if absent:
            raise DataError(
                f"the columns the function was trained on ({len(self.columns)} of them)",
                f"a table without {', '.join(map(repr, absent[:8]))}{' and more' if len(absent) > 8 else ''}",
                "add them; cells may be empty",
            )
        x, codes = encode(self.columns, table)
        inputs = (torch.from_numpy(x), torch.from_numpy(codes)) if codes.shape[1] else (torch.from_numpy(x),)
        if not self.texts:
            return inputs
        return bags(self.texts, table), *(inputs if self.features or codes.shape[1] else ())

    @torch.no_grad()
    def predict(
        self, model: nn.Module, source: "str | Path | pl.DataFrame", **options: Any
    ) -> list[dict[str, Any]]:
        """Answer for every row of a table.

        Args:
            model: the trained function.
            source: a CSV or Parquet file, or a polars table; columns that were not trained on are ignored,
                the target's among them.
            options: none is known.

        Returns:
            For each row, in order: ``prediction``; for classes also its ``probability``, and
            ``probability/<class>`` of each of at most 10 classes; where there are texts ``unknown words``,
            how many different ones were never seen in training.

        Raises:
            DataError: where the file cannot be read, or lacks a column.
            UsageError: where an option is given.
        """
        if options:
            raise UsageError("no options for a table", ", ".join(options), "leave them out")
        table = read_table(source)[0] if isinstance(source, str | Path) else source
        inputs = self.inputs(table)
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        try:
            parts = [
                model(*(t[at : at + 4096].to(device) for t in inputs)).cpu()
                for at in range(0, table.height, 4096)
            ]
        finally:
            model.train(training)
        answers = self.answer.answers(torch.cat(parts))
        if isinstance(model, RowsAndWords):
            known = model.words.known.cpu()
            unknown = zip(*(column.unknown(table[column.name], known) for column in self.texts), strict=True)
            answers = [{**row, "unknown words": sum(own)} for row, own in zip(answers, unknown, strict=True)]
        return answers


def problem_of_rows(
    table: "pl.DataFrame",
    classes: Classes | None,
    values: np.ndarray,
    parts: Sequence[Tensor],
    *,
    target: str,
    log: bool | None = None,
    known: np.ndarray | None = None,
    own: int | None = None,
    metric: str | None = None,
    seed: int = 0,
    name: str = "table",
    facts: Mapping[str, Any] | None = None,
) -> Problem:
    """Return the problem of predicting what is known of each row of a table.

    Args:
        table: the columns to predict from.
        classes: what is predicted; ``None`` stands for amounts.
        values: the answers, of shape (n,): numbers of classes, or amounts in their own unit.
        parts: which of the n are for training, validation and test; there may be none for the test.
        target: what is predicted, by name.
        log: whether amounts are learned as logarithms, see :class:`descend.functions.table_targets.Amounts`.
        known: the n rows of the table that the answers belong to, int64; by default all.
        own: see :func:`descend.functions.column_choice.fit_columns`.
        metric: of a regression, see :meth:`descend.functions.table_targets.Amounts.metric`.
        seed: draws the initial parameters.
        name: what reports call the problem.
        facts: what reports say about the data.

    Raises:
        DataError: where there is no column to learn from, or one is of numbers but for a few cells.
    """
    known = np.arange(table.height) if known is None else known
    columns, left_out, table = fit_columns(table, known[parts[0].numpy()], own)
    if not columns:
        raise DataError(
            f"at least one column to predict {target!r} from",
            "; ".join(f"{column!r}: {why}" for column, why in left_out.items()) or "no other column",
            "add columns to the table",
        )
    notes = [*(facts or {}).get("notes", [])]
    notes += [f"column {column} is left out: {why}" for column, why in left_out.items()]
    for column in columns:
        if isinstance(column, Words):
            notes += column.notes(table[column.name])
    learned = values[parts[0].numpy()]
    answer = classes or Amounts.fit(learned, log)
    texts = any(isinstance(column, Words) for column in columns)
    dropout = 0.3 if texts and len(learned) < MANY_ROWS else 0.1
    shape = {"dropout": dropout, "members": 1 if texts else MEMBERS}
    reader = TableReader(target, answer, tuple(columns), shape)
    inputs = reader.inputs(table[known])
    parted = [[t[part] for t in inputs] for part in parts if len(part)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        function = reader.model()
    if isinstance(function, RowsAndWords):
        function.words.weigh(parted[0][0])
    if isinstance(plain := function.rows if isinstance(function, RowsAndWords) else function, WideAndDeep):
        x = parted[0][1 if texts else 0]
        plain.forget((x == x[0]).all(0).nonzero().squeeze(1))
    chance = None
    if isinstance(function, WideAndDeep) and isinstance(answer, Amounts):
        answer = _begun(function, parted[0], learned, answer, log)
        reader, chance = replace(reader, answer=answer), 1.0  # the variance of a standardised target
    if isinstance(answer, Amounts) and answer.log:
        reason = "it is positive and skewed" if log is None else "as was asked for"
        notes.append(f"the logarithm of {target} is learned: {reason}")
    numbers = torch.from_numpy(answer.encode(values) if isinstance(answer, Amounts) else values)
    data = [InMemory(*x, numbers[part]) for x, part in zip(parted, filter(len, parts), strict=True)]
    kinds = [column.kind for column in columns]
    named = ("number", "category", "date", *(("text",) if texts else ()))
    more = {
        "target": target,
        "classes": list(answer.labels) if isinstance(answer, Classes) else None,
        "columns": {kind: kinds.count(kind) for kind in named},
        "features": reader.features,
        "notes": notes,
    }
    return Problem(
        function,
        OfEach(cross_entropy, 1) if isinstance(answer, Classes) else OfEach(mse),
        data[0],
        data[1],
        replace(METRICS["accuracy"], chooses=False)
        if isinstance(answer, Classes)
        else answer.metric(metric or "r2"),
        test=data[2] if len(data) > 2 else None,
        name=name,
        reader=reader,
        settings=_settings(len(parts[0]), reader),
        facts={**(facts or {}), **more},
        chance=chance,
    )


def _begun(
    function: WideAndDeep, inputs: Sequence[Tensor], values: np.ndarray, amounts: Amounts, log: bool | None
) -> Amounts:
    """Start from the best line, and return how amounts are learned.

    Where nobody said whether their logarithms are learned, that of the two whose line tells more of the
    amounts of rows that it was not given.
    """
    with torch.no_grad():
        x = function.encoded(*inputs)
    y, least = torch.from_numpy(values).double(), float("inf")
    ways = [amounts, Amounts.fit(values, False)] if amounts.log and log is None else [amounts]
    lines = best_lines(x, [torch.from_numpy(one.encode(values)) for one in ways])
    for one, line in zip(ways, lines, strict=True):
        error = float((one.predicted(line.apart) - y[line.rows]).square().sum())
        if error < least:
            least, amounts = error, one
            function.begin_at(line)
    return amounts


def _settings(rows: int, reader: TableReader) -> Settings:
    """Return how a table of so many training rows is best descended.

    Chosen on eighteen tables of 180 to 5,000 rows, held-out parts of which are then predicted about as well
    as by the better of gradient boosting and another network, tuned. The average of the weights, and not the
    last ones, is judged: a long descent learns few rows by heart, and its best point is to be met.
    """
    if reader.texts and len(reader.texts) == len(reader.columns):
        # Plain gradients: a word moves as often as it occurs. Adam's steps are as long for what one text
        # happens to say as for what a hundred say. The decay is logistic regression's with a C of 10.
        decay = SCALE**2 / (10 * rows)
        steps = min(max(600, 20 * rows // 64), 20_000)
        return Settings("sgd", 0.03, 64, steps, hyperparameters={"momentum": 0.9, "weight_decay": decay})
    if reader.texts:  # beside functions of numbers, which need Adam: a large ε for what was said above
        steps = min(max(600, 12 * rows // 64), 20_000)
        return Settings("adamw", 1e-2, 64, steps, hyperparameters={"weight_decay": 0.1, "eps": 1e-2})
    if rows < 1000:
        lr, batch_size, epochs = 1e-2, 128, 150
    elif rows < MANY_ROWS:
        lr, batch_size, epochs = 5e-3, 64, 50
    else:
        lr, batch_size, epochs = 5e-3, 128 if rows < 50_000 else 512, 100
    least = 300 if rows < MANY_ROWS else 3000
    steps = min(max(least, epochs * rows // batch_size), 8000)
    hyperparameters = {"weight_decay": 0.1, "average": 0.99}
    return Settings("adamw", lr, batch_size, steps, hyperparameters=hyperparameters)
