"""A curve: a formula's parameters as a function of a table's columns, with their standard errors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from descend.errors import DataError, UsageError
from descend.functions.cells import typed
from descend.functions.formula import Formula
from descend.functions.table_files import read_table

if TYPE_CHECKING:
    import polars as pl


class Curve(nn.Module):
    """A formula as a function with parameters.

    Args:
        formula: the line of arithmetic.
        start: where each parameter begins.

    Shape:
        A tensor (rows, inputs), float64 → (rows,); with weights (rows,) beside it each value times its own.
    """

    def __init__(self, formula: Formula, start: Mapping[str, float]):
        super().__init__()
        self.formula = formula
        for name in formula.parameters:
            value = torch.tensor(float(start[name]), dtype=torch.float64)
            self.register_parameter(_own(name), nn.Parameter(value))

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the curve at rows of inputs."""
        values = {name: getattr(self, _own(name)) for name in self.formula.parameters}
        columns = dict(zip(self.formula.inputs, x.unbind(1), strict=True)) if self.formula.inputs else {}
        y = self.formula(values | columns).expand(len(x))
        return y if weight is None else y * weight


_TAKEN = {*dir(nn.Module()), "formula"}


def _own(name: str) -> str:
    """Return a parameter's name in the module, which has words of its own; no two names become one."""
    return f"{name}_" if name in _TAKEN or name.endswith("_") else name


@dataclass(frozen=True)
class CurveReader:
    """What turns rows into a curve's inputs, and knows how sure its parameters are.

    Attributes:
        formula: the line of arithmetic.
        columns: the names that are inputs or in the left side.
        target: what is predicted: the left side.
        covariance: of the parameters, in the formula's order; ``None`` before they are known.
    """

    kind: ClassVar[str] = "curve"
    formula: str
    columns: tuple[str, ...]
    target: str
    covariance: tuple[tuple[float, ...], ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        rows = self.covariance and [[x if math.isfinite(x) else None for x in row] for row in self.covariance]
        return {
            "kind": self.kind,
            "formula": self.formula,
            "columns": list(self.columns),
            "target": self.target,
            "covariance": rows,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "CurveReader":
        """Rebuild it."""
        rows = saved["covariance"]
        covariance = rows and tuple(tuple(math.inf if x is None else x for x in row) for row in rows)
        return cls(saved["formula"], tuple(saved["columns"]), saved["target"], covariance)

    @property
    def read(self) -> Formula:
        """The formula, read."""
        return Formula(self.formula, self.columns)

    def model(self) -> Curve:
        """Build the function afresh; its parameters are loaded afterwards."""
        formula = self.read
        return Curve(formula, dict.fromkeys(formula.parameters, 0.0))

    def estimated(self, covariance: Tensor) -> "CurveReader":
        """Return the reader that knows the covariance (n, n) of the parameters."""
        return replace(self, covariance=tuple(tuple(row) for row in covariance.tolist()))

    def estimates(self, model: nn.Module) -> list[dict[str, Any]]:
        """Return each parameter's name, value and standard error; infinite where that is not known."""
        names = self.read.parameters
        variances = [math.inf] * len(names)
        if self.covariance is not None:
            variances = [row[k] for k, row in enumerate(self.covariance)]
        return [
            {"name": name, "value": getattr(model, _own(name)).item(), "error": math.sqrt(variance)}
            for name, variance in zip(names, variances, strict=True)
        ]

    def predict(
        self, model: nn.Module, source: "str | Path | pl.DataFrame", **options: Any
    ) -> list[dict[str, Any]]:
        """Answer for every row of a table.

        Args:
            model: the fitted curve.
            source: a CSV or Parquet file, or a polars table, with the formula's inputs.
            options: none is known.

        Returns:
            For each row, in order: ``prediction``, and ``error``, the standard error of the curve there:
            infinite where the data do not determine the parameters; both NaN where an input is missing.

        Raises:
            DataError: where the file cannot be read, or an input is missing or no number.
            UsageError: where an option is given.
        """
        if options:
            raise UsageError("no options for a curve", ", ".join(options), "leave them out")
        table = source if not isinstance(source, str | Path) else read_table(source)[0]
        x = numbers(table, self.read.inputs)
        with torch.no_grad():
            y = model(x)
        if self.covariance is None:
            return [{"prediction": value} for value in y.tolist()]
        parameters = dict(model.named_parameters())

        def at(values: dict[str, Tensor]) -> Tensor:
            return torch.func.functional_call(model, values, (x,))

        found = torch.func.jacfwd(at)({name: p.detach() for name, p in parameters.items()})
        J = torch.stack([found[_own(name)] for name in self.read.parameters], 1)
        C = torch.tensor(self.covariance, dtype=torch.float64)
        errors = ((J @ C) * J).sum(1).clamp_min(0).sqrt()
        if not bool(C.isfinite().all()):
            errors = torch.where(y.isnan(), y, math.inf)
        return [
            {"prediction": value, "error": error}
            for value, error in zip(y.tolist(), errors.tolist(), strict=True)
        ]


def numbers(table: "pl.DataFrame", names: Sequence[str]) -> Tensor:
    """Return columns as numbers.

    Args:
        table: as :func:`~descend.functions.table_files.read_table` returns it.
        names: of the columns.

    Returns:
        float64, shape (rows, columns); NaN where a cell is missing.

    Raises:
        DataError: where a column is not there, or holds something else than numbers.
    """
    parts = []
    for name in names:
        if name not in table.columns:
            raise DataError(f"a column {name}", f"{', '.join(table.columns[:20])}", "name it so in the file")
        kind, cells = typed(table[name])
        if cells.null_count() == len(cells):
            parts.append(torch.full((len(cells),), math.nan, dtype=torch.float64))
            continue
        if kind != "number":
            raise DataError(f"numbers in the column {name}", f"{kind}", "mend the file or the formula")
        parts.append(torch.from_numpy(cells.cast(float).to_numpy().copy()))
    return torch.stack(parts, 1) if parts else torch.empty(table.height, 0, dtype=torch.float64)
