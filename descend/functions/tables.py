"""A table and the name of one of its columns, as a problem: predict that column from the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from descend.errors import DataError, UsageError, nearest
from descend.functions.cells import typed
from descend.functions.column_choice import fit_columns
from descend.functions.columns import Column, column_from_json, column_to_json, encode
from descend.functions.data import InMemory
from descend.functions.problem import Problem, Settings
from descend.functions.splits import split
from descend.functions.table_files import read_table
from descend.functions.table_targets import (
    Amounts,
    Classes,
    Target,
    read_target,
    target_from_json,
    target_to_json,
)
from descend.functions.wide_and_deep import WideAndDeep

if TYPE_CHECKING:
    import polars as pl

FEWEST_ROWS = 10
"""Rows below which there is nothing to hold out and little to learn."""
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

    def model(self) -> WideAndDeep:
        """Build the function afresh; its parameters are loaded afterwards."""
        return WideAndDeep(
            self.features,
            self.answer.outputs,
            [c.slots for c in self.columns if c.slots],
            **self.shape,
        )

    def inputs(self, table: "pl.DataFrame") -> tuple[Tensor, ...]:
        """Encode rows.

        Args:
            table: a table with at least this reader's columns, in any order.

        Returns:
            Features of shape (rows, features), float32, and, where a category is embedded, slots of
            shape (rows, embedded columns), int64.

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
        return (torch.from_numpy(x), torch.from_numpy(codes)) if codes.shape[1] else (torch.from_numpy(x),)

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
            ``probability/<class>`` of each of at most 10 classes.

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
        return self.answer.answers(torch.cat(parts))


def table_problem(
    path: str | Path,
    target: str | None = None,
    *,
    task: str | None = None,
    metric: str | None = None,
    log: bool | None = None,
    seed: int = 0,
) -> Problem:
    """Return the problem of predicting one column of a table from the others.

    A fifth of the rows is held out for the test, and an eighth of the rest chooses the best parameters.
    All preprocessing is fitted on what remains.

    Args:
        path: a CSV (.csv, .tsv, .csv.gz; with a header line) or Parquet file.
        target: the column to predict. Rows in which it is missing are left out.
        task: ``"classification"`` or ``"regression"``; ``None`` finds out from the column.
        metric: for a regression ``"r2"`` (the default), ``"rmse"`` or ``"mae"``, on the target's own
            scale; for a classification ``"accuracy"``.
        log: whether a regression learns the target's logarithm; ``None`` decides by its skewness.
        seed: draws the parts and the initial parameters.

    Raises:
        DataError: where the file or the column cannot be learned from.
        UsageError: where ``task`` or ``metric`` is unknown.
    """
    path = Path(path)
    table, digest = read_table(path)
    name = _target_named(table.columns, target, path.name)
    rows, notes = table.height, []
    kind, cells = typed(table[name])
    known = np.flatnonzero((cells.is_not_nan() if kind == "number" else cells.is_not_null()).to_numpy())
    if len(known) == 0:
        raise DataError(
            f"values in the target column {name!r}",
            "none: every one is missing",
            "name another column as the target",
        )
    if len(known) < FEWEST_ROWS:
        raise DataError(
            f"at least {FEWEST_ROWS} rows with a known {name!r}", f"{len(known)}", "add rows to the table"
        )
    if len(known) < rows:
        notes.append(f"{rows - len(known)} of {rows} rows are left out: their {name} is missing")
    found, why, values = read_target(table[name].gather(known), task)
    if found == Classes.task:
        if metric not in (None, "accuracy"):
            raise UsageError("accuracy as the metric of a classification", repr(metric), "leave it out")
        answer: Target = Classes.fit(values)
        numbers = answer.encode(values)
        parts = split(len(known), test=1 / 5, validation=1 / 8, seed=seed, labels=torch.from_numpy(numbers))
    else:
        parts = split(len(known), test=1 / 5, validation=1 / 8, seed=seed)
        answer = Amounts.fit(values[parts[0].numpy()], log)
        numbers = answer.encode(values)
        if answer.log:
            reason = "it is positive and skewed" if log is None else "as was asked for"
            notes.append(f"the logarithm of {name} is learned: {reason}")

    columns, left_out, table = fit_columns(table.drop(name), known[parts[0].numpy()])
    if not columns:
        raise DataError(
            f"at least one column to predict {name!r} from",
            "; ".join(f"{column!r}: {why}" for column, why in left_out.items()) or "no other column",
            "add columns to the table",
        )
    notes += [f"column {column} is left out: {why}" for column, why in left_out.items()]
    dropout = 0.3 if len(parts[0]) < MANY_ROWS else 0.1
    reader = TableReader(name, answer, tuple(columns), {"dropout": dropout})
    inputs = reader.inputs(table[known])
    data = [InMemory(*(t[part] for t in inputs), torch.from_numpy(numbers)[part]) for part in parts]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        function = reader.model()
    x = data[0].tensors[0]
    function.forget((x == x[0]).all(0).nonzero().squeeze(1))
    kinds = [column.kind for column in columns]
    facts = {
        "source": str(path),
        "kind": "table",
        "rows": rows,
        "sha256": digest,
        "target": name,
        "task": f"{found}: {why}",
        "classes": list(answer.labels) if isinstance(answer, Classes) else None,
        "columns": {kind: kinds.count(kind) for kind in ("number", "category", "date")},
        "features": reader.features,
        "notes": notes,
    }
    return Problem(
        function,
        "cross_entropy" if isinstance(answer, Classes) else "mse",
        data[0],
        data[1],
        "accuracy" if isinstance(answer, Classes) else answer.metric(metric or "r2"),
        test=data[2],
        name=path.name.split(".")[0],
        reader=reader,
        settings=_settings(len(parts[0])),
        facts=facts,
    )


def _target_named(columns: Sequence[str], target: str | None, file: str) -> str:
    if target is None:
        raise DataError(
            f"the column of {file} to predict",
            "none",
            f"name one with --target: {', '.join(columns[:60])}{', ...' if len(columns) > 60 else ''}",
        )
    if target not in columns:
        raise DataError(f"a column of {file} as the target", repr(target), nearest(target, list(columns)))
    return target


def _settings(rows: int) -> Settings:
    """Return how a table of so many training rows is best descended.

    Chosen on twenty tables of 150 to 10,000 rows, held-out parts of which are then predicted about as well
    as by the better of ridge regression and gradient boosting. On few rows a strong decay keeps a long
    descent from learning them by heart.
    """
    if rows < MANY_ROWS:
        batch_size = 32 if rows < 1000 else 64
        steps = max(300, 50 * rows // batch_size)
        return Settings("adamw", 2e-3, batch_size, steps, hyperparameters={"weight_decay": 1.0})
    batch_size = 128 if rows < 50_000 else 512
    steps = min(max(3000, 100 * rows // batch_size), 8000)
    return Settings("adamw", 3e-3, batch_size, steps, hyperparameters={"weight_decay": 0.1})
