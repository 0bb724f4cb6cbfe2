"""Curves: what a formula's parameters are, and how sure that is. Rates, half-lives, doses, calibrations.

**The function** is a line of arithmetic that a person writes: ``y = a*exp(-b*x) + c``. Names of columns are
its inputs, every other name is a parameter.
**Its parameters** are these few numbers, in double precision.
**The loss** is the mean of the squared residuals, so that the parameters are the most probable ones where
errors are alike and normal. A left side may be a function of a column, ``log(y) = ...``: then its errors are
alike.
**The data** are the rows of a table. All of them are fitted; none is held out, for the formula is not chosen.
**The descent** is Levenberg and Marquardt's, which knows how each residual depends on each parameter, and
goes on to the last digit; standard errors follow from the same derivatives.

Change first: ``--start``, which is 1 for each parameter that it does not name: a start of the right size
finds the minimum where others find a worse one, or none. Then ``--sigma``, where some rows are surer.
"""

from collections.abc import Mapping
from pathlib import Path

from descend.errors import DataError, UsageError, nearest
from descend.functions.curves import Curve, CurveReader, numbers
from descend.functions.formula import Formula, plain_name
from descend.functions.problem import Problem, Settings
from descend.functions.table_files import read_table


def curve_problem(
    path: str | Path,
    target: str | None = None,
    *,
    model: str,
    start: Mapping[str, float] | None = None,
    sigma: str | None = None,
    seed: int = 0,
) -> Problem:
    """Return the problem of fitting a formula's parameters to a table.

    Args:
        path: a CSV or Parquet file.
        target: the column that the formula is to give, where it has no left side.
        model: the formula: ``"y = a*exp(-b*x) + c"``.
        start: where parameters begin; 1 for those that it does not name.
        sigma: the column with the standard error of each row's left side: rows count by it. Only the
            proportions matter; the residuals tell how large errors are.
        seed: without effect.

    Raises:
        DataError: where the file cannot be read, a column is missing, an error is not above 0 or there are
            fewer rows than parameters.
        UsageError: where the formula is none, or names and start do not fit.
    """
    path = Path(path)
    table, digest = read_table(path)
    formula = Formula(model, table.columns)
    if formula.left is None:
        if target is None:
            raise UsageError(
                "a formula with a left side, such as y = a*x + b", repr(model), "or add --target y"
            )
        formula = Formula(f"{target} = {model}", table.columns)
    elif target is not None and target not in formula.targets:
        raise UsageError(f"the left side {formula.left} as --target", repr(target), "leave it out")
    if not formula.parameters:
        raise UsageError("at least one name in the formula that is no column", "none", "name the parameters")
    given = {plain_name(name): value for name, value in (start or {}).items()}
    for name in given:
        if name not in formula.parameters:
            raise UsageError(
                "a start for a parameter of the formula", name, nearest(name, [*formula.parameters])
            )
    columns = list(dict.fromkeys((*formula.inputs, *formula.targets)))
    rows = numbers(table, columns if sigma is None else [*columns, sigma])
    whole = rows.isfinite().all(1)
    notes = []
    if not bool(whole.all()):
        notes.append(f"{int((~whole).sum())} of {len(rows)} rows are left out: a number is missing")
        rows = rows[whole]
    y = formula.target(dict(zip(columns, rows.unbind(1)[: len(columns)], strict=True)))
    x = rows[:, : len(formula.inputs)]
    if len(rows) < len(formula.parameters):
        raise DataError(
            f"at least {len(formula.parameters)} whole rows, one a parameter", f"{len(rows)}", "add rows"
        )
    if wrong := int((~y.isfinite()).sum()):
        came = f"NaN or infinity in {wrong} of {len(y)} rows"
        raise DataError(f"finite numbers for {formula.left}", came, "leave such rows out")
    train = (x, y)
    if sigma is not None:
        errors = rows[:, -1]
        if wrong := int((errors <= 0).sum()):
            came = f"{wrong} of {len(y)} that are not"
            raise DataError(f"errors above 0 in the column {sigma}", came, "leave such rows out")
        train = (x, 1 / errors, y / errors)
    begin = {name: float(given.get(name, 1.0)) for name in formula.parameters}
    curve = Curve(formula, begin)
    if wrong := int((~curve(x).isfinite()).sum()):
        notes.append(f"in {wrong} of {len(y)} rows the formula is no finite number at the start")
    return Problem(
        curve,
        "mse",
        train=train,
        metric="r2" if sigma is None else None,
        name=path.stem,
        reader=CurveReader(formula.text, tuple(columns), formula.left or ""),
        settings=Settings(
            method="levenbergmarquardt", batch_size=None, steps=2000, schedule="constant", warmup=0.0
        ),
        facts={
            "source": str(path),
            "kind": "curve",
            "formula": formula.text,
            "start": begin,
            "sigma": sigma,
            "rows": len(rows),
            "sha256": digest,
            "notes": notes,
        },
    )
