"""The column to predict: classes or amounts, as tensors to learn from and as answers to read."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError, UsageError, nearest
from descend.functions.cells import numbers_of, text_of, typed
from descend.functions.measures import METRICS, Metric

if TYPE_CHECKING:
    import polars as pl

MOST_CLASSES = 20
"""Whole numbers of more different values than this are amounts."""
SKEWED = 1.0
"""Skewness above which amounts that are all positive are learned as logarithms."""


@dataclass(frozen=True)
class Classes:
    """A target of classes.

    Attributes:
        labels: the classes as they stand in the table, in order: strings, whole numbers, numbers or
            truth values.
    """

    task: ClassVar[str] = "classification"
    labels: tuple[Any, ...]

    @classmethod
    def fit(cls, values: np.ndarray) -> "Classes":
        """Take the labels of all rows, shape (rows,), dtype object."""
        return cls(tuple(sorted(set(values))))

    @property
    def outputs(self) -> int:
        """Numbers the function returns a row."""
        return len(self.labels)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return class numbers, int64, from labels; both of shape (rows,)."""
        position = {label: i for i, label in enumerate(self.labels)}
        return np.array([position[value] for value in values], np.int64)

    def answers(self, output: Tensor) -> list[dict[str, Any]]:
        """Turn logits of shape (rows, classes) into a label, its probability, and all for ≤ 10 classes."""
        chances = output.double().softmax(-1)
        best = chances.argmax(-1).tolist()
        rows: list[dict[str, Any]] = []
        for row, i in zip(chances.tolist(), best, strict=True):
            answer = {"prediction": self.labels[i], "probability": row[i]}
            if len(self.labels) <= 10:
                answer |= {f"probability/{label}": p for label, p in zip(self.labels, row, strict=True)}
            rows.append(answer)
        return rows


@dataclass(frozen=True)
class Amounts:
    """A target of numbers, learned standardised: z = (t(y) − center) / scale, t the identity or log.

    Attributes:
        center: mean of t(y) over the training rows.
        scale: standard deviation of t(y) over the training rows.
        log: whether t is the logarithm.
        lowest: the least z an answer may have; so that exp cannot turn one odd row into a wild amount.
        highest: the greatest z an answer may have.
    """

    task: ClassVar[str] = "regression"
    outputs: ClassVar[int] = 0
    center: float
    scale: float
    log: bool
    lowest: float
    highest: float

    @classmethod
    def fit(cls, values: np.ndarray, log: bool | None = None) -> "Amounts":
        """Learn from the training amounts of shape (rows,), in their own unit.

        Args:
            values: finite amounts.
            log: whether to learn logarithms; ``None`` decides: amounts that are all positive and whose
                skewness exceeds :data:`SKEWED`, where the logarithm makes it smaller.

        Raises:
            DataError: where a logarithm is asked for and an amount is not positive.
        """
        if log is None:
            log = bool(values.min() > 0 and skewness(values) > SKEWED)
            log = log and abs(skewness(np.log(values))) < skewness(values)
        elif log and values.min() <= 0:
            raise DataError("positive numbers to take the logarithm of", f"{values.min():g}", "leave out log")
        t = np.log(values) if log else values
        center, scale = float(t.mean()), float(t.std()) or 1.0
        z = (t - center) / scale
        # Half the training range beyond it: enough for honest extrapolation.
        slack = (z.max() - z.min()) / 2
        return cls(center, scale, log, float(z.min() - slack), float(z.max() + slack))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return z, float32, from amounts; both of shape (rows,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.log(np.maximum(values, np.finfo(float).tiny)) if self.log else values
        return ((t - self.center) / self.scale).astype(np.float32)

    def decode(self, z: Tensor) -> Tensor:
        """Return amounts in their own unit, float64, from z of the same shape."""
        z = z.double()
        return (z * self.scale + self.center).exp() if self.log else z * self.scale + self.center

    def predicted(self, output: Tensor) -> Tensor:
        """Return predicted amounts, float64, from the function's output of shape (rows,)."""
        return self.decode(output.clamp(self.lowest, self.highest) if self.log else output)

    def answers(self, output: Tensor) -> list[dict[str, Any]]:
        """Turn outputs of shape (rows,) into amounts."""
        return [{"prediction": amount} for amount in self.predicted(output).tolist()]

    def metric(self, name: str = "r2") -> Metric:
        """Return a metric of outputs and targets z, measured on the amounts themselves.

        Raises:
            UsageError: where ``name`` is no metric of amounts.
        """
        known = ["r2", "rmse", "mae"]
        if name not in known:
            raise UsageError(
                "r2, rmse or mae as the metric of a regression", repr(name), nearest(name, known)
            )
        plain = METRICS[name]
        middle = float(self.decode(torch.zeros(())))

        def sums(output: Tensor, target: Tensor) -> Tensor:
            # From the middle, so that the sums of squares lose no digits to a large mean.
            return plain.sums(self.predicted(output) - middle, self.decode(target) - middle)

        return Metric(name, sums, plain.finish, plain.larger_is_better)


Target = Classes | Amounts


def target_to_json(target: Target) -> dict[str, Any]:
    """Return a target as JSON values."""
    if isinstance(target, Classes):
        return {"task": target.task, "labels": list(target.labels)}
    return {"task": target.task, **asdict(target)}


def target_from_json(saved: dict[str, Any]) -> Target:
    """Rebuild a target."""
    if saved["task"] == Classes.task:
        return Classes(tuple(saved["labels"]))
    return Amounts(**{name: value for name, value in saved.items() if name != "task"})


def skewness(values: np.ndarray) -> float:
    """Return the third standardised moment; 0 without spread."""
    centred = values - values.mean()
    spread = centred.std()
    return float(np.mean((centred / spread) ** 3)) if spread > 0 else 0.0


def read_target(cells: "pl.Series", task: str | None = None) -> tuple[str, str, np.ndarray]:
    """Find out whether a target is of classes or of amounts.

    Args:
        cells: the target column; no cell is missing.
        task: ``"classification"`` or ``"regression"`` where the person says so.

    Returns:
        The task, the reason in a sentence, and the values: labels (an object array) or float64 amounts.

    Raises:
        DataError: where it is neither, or holds one class, or as many classes as rows.
        UsageError: where ``task`` is neither of the two.
    """
    if task not in (None, Classes.task, Amounts.task):
        raise UsageError(
            "classification or regression as the task", repr(task), "leave it out to have it found"
        )
    name, kind = cells.name, typed(cells)[0]
    if kind in ("date", "nothing"):
        raise DataError(
            f"classes or numbers in the target column {name!r}",
            "dates" if kind == "date" else f"values of type {cells.dtype}",
            "name another column as the target",
        )
    numbers = numbers_of(cells) if kind == "number" else None
    if numbers is None and task == Amounts.task:
        raise DataError(f"numbers in column {name!r} for a regression", f"{cells[0]!r}", "leave out the task")
    found, why = _task(numbers)
    if task is not None:
        found, why = task, "as was asked for"
    if found == Amounts.task and numbers is not None:
        if np.ptp(numbers) == 0:
            raise DataError(
                f"different values in the target column {name!r}",
                f"{numbers[0]:g} in every row",
                "name another one",
            )
        return found, why, numbers
    return found, why, _labels(cells, numbers)


def _task(numbers: np.ndarray | None) -> tuple[str, str]:
    if numbers is None:
        return Classes.task, "its values are names, not numbers"
    different = len(np.unique(numbers))
    whole = bool((numbers == np.round(numbers)).all())
    if different <= 2:
        return Classes.task, f"it has {different} different values"
    if whole and different <= MOST_CLASSES and 5 * different <= len(numbers):
        return Classes.task, f"it has {different} different values, all whole numbers"
    return Amounts.task, f"it has {different} different numbers"


def _labels(cells: "pl.Series", numbers: np.ndarray | None) -> np.ndarray:
    """Return each row's label as the person knows it, shape (rows,), dtype object."""
    if numbers is None:
        labels = text_of(cells).to_list()
        if set(labels) <= {"true", "false"}:
            labels = [label == "true" for label in labels]
    elif (
        (numbers == np.round(numbers)).all() and not cells.dtype.is_float() and np.abs(numbers).max() < 2**53
    ):
        labels = [int(value) for value in numbers]
    else:
        labels = numbers.tolist()
    counts = Counter(labels)
    if len(counts) == 1:
        raise DataError(
            f"at least two classes in the target column {cells.name!r}",
            f"{labels[0]!r} in every row",
            "name another column as the target",
        )
    if 2 * len(counts) > len(labels):
        came = (
            "a different value in every row"
            if len(counts) == len(labels)
            else f"{len(counts)} different values"
        )
        raise DataError(
            f"classes that come back in the target column {cells.name!r}",
            f"{came} ({len(labels)} rows)",
            "name another column as the target",
        )
    array = np.empty(len(labels), object)
    array[:] = labels
    return array
