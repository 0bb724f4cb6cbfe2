"""Tables: one column predicted from the others. What a house sells for, whether a customer leaves.

**The function** is a line, and beside it eight small networks that share nearly all their weights and answer
together (:class:`descend.functions.wide_and_deep.WideAndDeep`). Numbers come in standardised and as ramps
between their quantiles, so that a line bends; levels of a category as zeros and ones, many of them as short
vectors; a date as what recurs in it; a missing cell says that it is missing.
**Its parameters** are the weights of the line and of the networks. For amounts the line begins where least
squares put it, with the penalty that errs least on rows left out one at a time; the networks begin at zero.
**The loss** is the squared error of the standardised amount, or of its logarithm where it is skewed and a
line tells it better; of classes the negative logarithm of the right one's probability. Each network has its
own.
**The data** are a CSV or Parquet file. Every choice about a column is made on the rows to learn from.
**The descent** goes by AdamW in batches of 32 to 512 rows. What is judged on held-out rows, and kept where it
is best, is an average of the weights over the last hundred steps: few rows make a noisy judge.

Change first: the columns, for what is not in them cannot be learned; then ``--steps``, and ``--set
weight_decay`` where the training loss falls far below the validation loss.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError, UsageError, nearest
from descend.functions.cells import typed
from descend.functions.problem import Problem
from descend.functions.splits import split
from descend.functions.table_files import read_table
from descend.functions.table_targets import Classes, read_target
from descend.functions.tables import problem_of_rows
from descend.functions.words import Words

if TYPE_CHECKING:
    import polars as pl

FEWEST_ROWS = 10
"""Rows below which there is nothing to hold out and little to learn."""


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
        log: whether a regression learns the target's logarithm; ``None`` decides by its skewness, and
            by what a line tells better.
        test: another file with the same columns, all of which is the test.
        seed: draws the parts and the initial parameters.

    Returns:
        The problem; its inputs are those of :meth:`descend.functions.tables.TableReader.inputs`.

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
        classes = Classes.fit(values)
        values = classes.encode(values)
        parts = _parted(len(known), held, share, seed, torch.from_numpy(values))
    else:
        classes = None
        parts = _parted(len(known), held, share, seed)

    facts = {"source": str(path), "kind": "table", "rows": rows, "sha256": digest, "task": f"{found}: {why}"}
    return problem_of_rows(
        table.drop(name),
        classes,
        values,
        parts,
        target=name,
        log=log,
        known=known,
        own=rows,
        metric=metric,
        seed=seed,
        name=path.name.split(".")[0],
        facts={**facts, "notes": notes},
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
