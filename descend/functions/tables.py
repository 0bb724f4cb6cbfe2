"""A table and the name of one of its columns, as a problem: predict that column from the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from descend.functions.measures import METRICS
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
from descend.functions.words import SCALE, BagOfWords, RowsAndWords, Words, bags

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


def table_problem(
    path: str | Path,
    target: str | None = None,
    *,
    task: str | None = None,
    metric: str | None = None,
    log: bool | None = None,
    test: str | Path | None = None,
    seed: int = 0,
) -> Problem:
    """Return the problem of predicting one column of a table from the others.

    A fifth of the rows is held out for the test, unless it has a file of its own, and an eighth of the rest
    (where there are texts a fortieth) chooses the best parameters. All preprocessing is fitted on what
    remains.

    Args:
        path: a CSV (.csv, .tsv, .csv.gz; with a header line) or Parquet file.
        target: the column to predict. Rows in which it is missing are left out.
        task: ``"classification"`` or ``"regression"``; ``None`` finds out from the column.
        metric: for a regression ``"r2"`` (the default), ``"rmse"`` or ``"mae"``, on the target's own
            scale; for a classification ``"accuracy"``.
        log: whether a regression learns the target's logarithm; ``None`` decides by its skewness.
        test: another file with the same columns, all of which is the test.
        seed: draws the parts and the initial parameters.

    Raises:
        DataError: where the file or the column cannot be learned from.
        UsageError: where ``task`` or ``metric`` is unknown.
    """
    path = Path(path)
    table, digest = read_table(path)
    name = _target_named(table.columns, target, path.name)
    rows, notes, apart = table.height, [], 0
    if test is not None:
        table, apart = _with_test(table, Path(test), path.name)
    kind, cells = typed(table[name])
    known = np.flatnonzero((cells.is_not_nan() if kind == "number" else cells.is_not_null()).to_numpy())
    if len(known) == 0:
        raise DataError(
            f"values in the target column {name!r}",
            "none: every one is missing",
            "name another column as the target",
        )
    held = int((known >= rows).sum())  # rows of the test's own file
    if len(known) - held < FEWEST_ROWS:
        came = f"{len(known) - held}"
        raise DataError(f"at least {FEWEST_ROWS} rows with a known {name!r}", came, "add rows to the table")
    if apart and not held:
        came = "none: every one is missing"
        raise DataError(f"values in the target column {name!r} of {test}", came, "give another file")
    if len(known) < rows + apart:
        unknown = rows + apart - len(known)
        notes.append(f"{unknown} of {rows + apart} rows are left out: their {name} is missing")
    found, why, values = read_target(table[name].gather(known), task)
    # Texts are hungry, and of a function of their words there is little to choose: few do, by their loss.
    texts = any(Words.fit(column, table[column]) for column in table.columns if column != name)
    share = 1 / 40 if texts else 1 / 8
    if found == Classes.task:
        if metric not in (None, "accuracy"):
            raise UsageError("accuracy as the metric of a classification", repr(metric), "leave it out")
        answer: Target = Classes.fit(values)
        numbers = answer.encode(values)
        parts = _parted(len(known), held, share, seed, torch.from_numpy(numbers))
    else:
        parts = _parted(len(known), held, share, seed)
        answer = Amounts.fit(values[parts[0].numpy()], log)
        numbers = answer.encode(values)
        if answer.log:
            reason = "it is positive and skewed" if log is None else "as was asked for"
            notes.append(f"the logarithm of {name} is learned: {reason}")

    facts = {"source": str(path), "kind": "table", "rows": rows, "sha256": digest, "task": f"{found}: {why}"}
    return problem_of_rows(
        table.drop(name),
        answer,
        numbers,
        parts,
        target=name,
        known=known,
        own=rows,
        metric=metric,
        seed=seed,
        name=path.name.split(".")[0],
        facts={**facts, "notes": notes},
    )


def problem_of_rows(
    table: "pl.DataFrame",
    answer: Target,
    numbers: np.ndarray,
    parts: Sequence[Tensor],
    *,
    target: str,
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
        answer: what is predicted.
        numbers: the answers, as ``answer`` encodes them, of shape (n,).
        parts: which of the n are for training, validation and test; there may be none for the test.
        target: what is predicted, by name.
        known: the n rows of the table that the answers belong to, int64; by default all.
        own: see :func:`descend.functions.column_choice.fit_columns`.
        metric: of a regression, as in :func:`table_problem`.
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
    dropout = 0.3 if len(parts[0]) < MANY_ROWS else 0.1
    reader = TableReader(target, answer, tuple(columns), {"dropout": dropout})
    inputs = reader.inputs(table[known])
    data = [
        InMemory(*(t[part] for t in inputs), torch.from_numpy(numbers)[part]) for part in parts if len(part)
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        function = reader.model()
    if isinstance(function, RowsAndWords):
        function.words.weigh(data[0].tensors[0])
    if isinstance(plain := function.rows if isinstance(function, RowsAndWords) else function, WideAndDeep):
        x = data[0].tensors[1 if reader.texts else 0]
        plain.forget((x == x[0]).all(0).nonzero().squeeze(1))
    kinds = [column.kind for column in columns]
    named = ("number", "category", "date", *(("text",) if reader.texts else ()))
    more = {
        "target": target,
        "classes": list(answer.labels) if isinstance(answer, Classes) else None,
        "columns": {kind: kinds.count(kind) for kind in named},
        "features": reader.features,
        "notes": notes,
    }
    return Problem(
        function,
        "cross_entropy" if isinstance(answer, Classes) else "mse",
        data[0],
        data[1],
        replace(METRICS["accuracy"], chooses=not reader.texts)
        if isinstance(answer, Classes)
        else answer.metric(metric or "r2"),
        test=data[2] if len(data) > 2 else None,
        name=name,
        reader=reader,
        settings=_settings(len(parts[0]), reader),
        facts={**(facts or {}), **more},
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


def _with_test(table: "pl.DataFrame", path: Path, beside: str) -> "tuple[pl.DataFrame, int]":
    """Return the table with the rows of the test's own file below its own, and how many these are."""
    import polars as pl

    other = read_table(path)[0]
    absent = [column for column in table.columns if column not in other.columns]
    if absent:
        raise DataError(
            f"the columns of {beside} in {path}",
            f"none called {', '.join(map(repr, absent[:8]))}",
            "add them",
        )
    try:
        both = pl.concat([table, other.select(table.columns)], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        why = str(error).strip().splitlines()[0][:120]
        raise DataError(f"columns of the types of {beside} in {path}", why, "convert them") from None
    return both, other.height


def _parted(
    rows: int, held: int, share: float, seed: int, labels: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of each part; the last ``held``, if any, are the test; a share of the rest chooses."""
    if not held:
        return split(rows, test=1 / 5, validation=share, seed=seed, labels=labels)
    rest = rows - held
    own = None if labels is None else labels[:rest]
    train, chosen, _ = split(rest, test=0, validation=share, seed=seed, labels=own)
    return train, chosen, torch.arange(rest, rows)


def _settings(rows: int, reader: TableReader) -> Settings:
    """Return how a table of so many training rows is best descended.

    Chosen on twenty tables of 150 to 10,000 rows, held-out parts of which are then predicted about as well
    as by the better of ridge regression and gradient boosting. On few rows a strong decay keeps a long
    descent from learning them by heart.
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
    if rows < MANY_ROWS:
        batch_size = 32 if rows < 1000 else 64
        steps = max(300, 50 * rows // batch_size)
        return Settings("adamw", 2e-3, batch_size, steps, hyperparameters={"weight_decay": 1.0})
    batch_size = 128 if rows < 50_000 else 512
    steps = min(max(3000, 100 * rows // batch_size), 8000)
    return Settings("adamw", 3e-3, batch_size, steps, hyperparameters={"weight_decay": 0.1})
