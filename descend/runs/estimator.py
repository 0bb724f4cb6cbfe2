"""A descent on a table, as scikit-learn's estimators are called: ``fit``, ``predict``, ``score``.

scikit-learn is not needed to train: this module alone imports it, and nothing imports this module before
``descend.Estimator`` is asked for.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from descend.descent.descent import Descent
from descend.descent.until import Until
from descend.errors import DataError, MissingExtra, UsageError
from descend.functions.frames import frame_of, is_frame
from descend.functions.splits import split
from descend.functions.table_targets import Amounts, Classes, read_target
from descend.functions.tables import TableReader, problem_of_rows

try:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.utils import ClassifierTags, RegressorTags, check_random_state
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        check_array,
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise MissingExtra("scikit-learn 1.6 or newer", "sklearn", "descend.Estimator") from None

if TYPE_CHECKING:
    import polars as pl

    from descend.functions.problem import Problem

TARGET = "target"
"""What the predicted column is called where y has no name, or that of one of the columns."""
_AT_A_TIME = 4096


def _has_classes(estimator: "Estimator") -> bool:
    if (estimator.task or getattr(estimator, "task_", None)) == Amounts.task:
        raise AttributeError("a regression has no probabilities")
    return True


class Estimator(BaseEstimator):
    """Predict one column of a table from the others, as ``descend fit TABLE`` does, in scikit-learn's manner.

    It goes where scikit-learn's own estimators go: into pipelines, cross-validation and the search over a
    grid. X is a NumPy array, or a DataFrame of pandas or polars with columns of numbers, categories, dates
    and texts; cells may be missing, and nothing needs to be scaled or encoded before. An eighth of the rows
    given to :meth:`fit` chooses the best parameters; the settings, where nothing is said, are those that
    ``descend fit`` takes for a table of that size.

    Args:
        task: ``"classification"`` or ``"regression"``. ``None`` finds out from y, by the rule of ``descend
            fit``: names, two values, or few whole numbers that come back often are classes. Say it where
            scikit-learn has to know before y is seen: cross-validation draws its folds class by class only
            for an estimator that says it is a classifier.
        method: a method's name.
        lr: the learning rate.
        steps: updates at the most.
        seconds: of training at the most. With it alone the result depends on how fast the machine is.
        batch_size: rows a step.
        schedule: how the learning rate and other hyperparameters go, as in :func:`descend.fit`.
        hyperparameters: of the method, by torch's names, such as ``{"weight_decay": 0.1}``.
        log: whether a regression learns y's logarithm; ``None`` decides by the skewness of y, and by
            what a line tells better.
        folder: where to leave a run, as :func:`descend.fit` does, watched and with a report, for ``descend
            predict`` and all else; a folder that holds a run already is refused. ``None`` writes nothing.
        device: where to train; the first GPU, or the CPU. What is fitted predicts on the CPU.
        random_state: draws the rows that choose the parameters, the initial values and the batches. The same
            whole number gives the same parameters on the same machine with as many threads.

    Attributes:
        task_: the task.
        classes_: the classes, sorted, of shape (classes,); only of a classification.
        n_features_in_: columns of X.
        feature_names_in_: their names; only where X had names.
        function_: the function with its best parameters, a ``torch.nn.Module``.
        reader_: what turns rows into its inputs.
        outcome_: how the descent ended, a :class:`descend.Outcome`.
        n_iter_: updates taken.

    Rows cannot be weighted: ``fit`` has no ``sample_weight``.

    Raises:
        MissingExtra: on ``descend.Estimator``, where scikit-learn is not installed.

    Example:
        >>> import descend, numpy
        >>> x = numpy.random.default_rng(0).normal(size=(200, 3))
        >>> estimator = descend.Estimator(steps=200, random_state=0).fit(x, x[:, 0] > 0)
        >>> estimator.task_, bool(estimator.score(x, x[:, 0] > 0) > 0.9)
        ('classification', True)
    """

    def __init__(
        self,
        task: str | None = None,
        *,
        method: str | None = None,
        lr: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        batch_size: int | None = None,
        schedule: str | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        log: bool | None = None,
        folder: str | Path | None = None,
        device: str | None = None,
        random_state: Any = None,
    ):
        self.task = task
        self.method, self.lr = method, lr
        self.steps, self.seconds = steps, seconds
        self.batch_size, self.schedule, self.hyperparameters = batch_size, schedule, hyperparameters
        self.log = log
        self.folder, self.device = folder, device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        tags.target_tags.required = True
        task = self.task or getattr(self, "task_", None)
        if task == Classes.task:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        elif task == Amounts.task:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        return tags

    def fit(self, X: Any, y: Any) -> "Estimator":
        """Learn from rows.

        Args:
            X: of shape (rows, columns): an array, or a DataFrame of pandas or polars.
            y: what to predict, of shape (rows,).

        Returns:
            This estimator.

        Raises:
            UsageError: where X and y cannot be learned from, or a parameter is out of its range; like what
                scikit-learn itself raises, a ``ValueError``.
        """
        table = self._table(X, y)
        named = getattr(y, "name", None)
        target = named if isinstance(named, str) and named and named not in table.columns else TARGET
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        try:
            self._descend(self._problem(table, y, target, int(seed)), int(seed))
        except DataError as error:  # no ValueError, which is what scikit-learn's programs expect
            raise UsageError(error.expected, error.came, error.do) from error
        return self

    def _problem(self, table: "pl.DataFrame", y: Any, target: str, seed: int) -> "Problem":
        values = _column(y)
        check_consistent_length(table, values)
        self.task_ = _task(values) if self.task is None else self.task
        if self.task_ not in (Classes.task, Amounts.task):
            raise UsageError("classification or regression as the task", repr(self.task), "or None")
        if self.task_ == Classes.task:
            check_classification_targets(values)
            self.classes_, numbers = np.unique(values, return_inverse=True)
            if len(self.classes_) < 2:
                came = f"one class, {self.classes_[0]!r}, in every row"
                raise UsageError("at least two classes in y", came, "add rows of another class")
            classes, values = Classes(tuple(self.classes_.tolist())), numbers
            parts = split(len(values), test=0, validation=1 / 8, seed=seed, labels=torch.from_numpy(numbers))
        else:
            values = check_array(values, ensure_2d=False, dtype="float64", input_name="y")
            classes, parts = None, split(len(values), test=0, validation=1 / 8, seed=seed)
        facts = {"source": "fit(X, y)", "kind": "table", "rows": len(values), "task": self.task_}
        return problem_of_rows(
            table, classes, values, parts, target=target, log=self.log, seed=seed, facts=facts
        )

    def _descend(self, problem: "Problem", seed: int) -> None:
        steps = self.steps
        if steps is None and self.seconds is None:
            steps = problem.settings.steps
        until = Until(steps=steps, seconds=self.seconds)
        names = "lr", "batch_size", "schedule", "hyperparameters"
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.folder is None:
            descent = Descent(problem, self.method, seed=seed, device=self.device, **given)
            self.outcome_, self.n_iter_ = descent.run(until), descent.steps
            function = descent.result()
        else:
            from descend.runs.fit import fit

            own = {"threads": torch.get_num_threads(), "device": self.device}  # the same bits as without it
            run = fit(problem, self.method, until=until, seed=seed, out=self.folder, **own, **given)
            self.outcome_, self.n_iter_, function = run.outcome, run.facts["steps"], run.model
        assert isinstance(problem.reader, TableReader)
        if self.outcome_.failed:
            warnings.warn(self.outcome_.meaning, ConvergenceWarning, stacklevel=3)
        self.reader_ = problem.reader
        # In double precision a row's answer does not depend on which rows are asked for along with it.
        self.function_ = function.cpu() if self.reader_.texts else function.cpu().double()
        self.function_.requires_grad_(False)

    def predict(self, X: Any) -> np.ndarray:
        """Return a class or an amount for each row, of shape (rows,).

        Args:
            X: rows with the columns of :meth:`fit`'s, in the same order.
        """
        output = self._outputs(X)
        if self.task_ == Classes.task:
            return self.classes_[output.argmax(1).numpy()]
        assert isinstance(self.reader_.answer, Amounts)
        return self.reader_.answer.predicted(output).numpy()

    @available_if(_has_classes)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return each class's probability for each row, of shape (rows, classes), in ``classes_``' order.

        Args:
            X: rows, as for :meth:`predict`.
        """
        output = self._outputs(X)
        return output.double().softmax(1).numpy()

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of a classification, or the R² of a regression.

        Args:
            X: rows, as for :meth:`predict`.
            y: what is known of them, of shape (rows,).
            sample_weight: how much each row counts, of shape (rows,).
        """
        predicted = self.predict(X)
        measure = accuracy_score if self.task_ == Classes.task else r2_score
        return float(measure(_like(y, predicted), predicted, sample_weight=sample_weight))

    @torch.no_grad()
    def _outputs(self, X: Any) -> torch.Tensor:
        check_is_fitted(self, "function_")
        table = self._table(X)
        dtype = next(self.function_.parameters()).dtype
        try:
            inputs = self.reader_.inputs(table)
        except DataError as error:
            raise UsageError(error.expected, error.came, error.do) from error
        parts = zip(*(t.split(_AT_A_TIME) for t in inputs), strict=True)
        floating = ([t.to(dtype) if t.is_floating_point() else t for t in part] for part in parts)
        return torch.cat([self.function_(*part) for part in floating])

    def _table(self, X: Any, y: Any = "no_validation") -> "pl.DataFrame":
        """Return X as a table of polars, once it and whether there is a y are checked."""
        learning = not isinstance(y, str)
        least = 2 if learning else 1
        if is_frame(X):
            validate_data(self, X, y, reset=learning, skip_check_array=True)
            if len(X) < least:
                raise UsageError(f"at least {least} rows", f"{len(X)} sample(s)", "add rows")
            names = [str(name) for name in X.columns]
            return frame_of(X, names)
        if learning:
            validate_data(self, X, y, skip_check_array=True)
        X = validate_data(
            self, X, reset=learning, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=least
        )
        return frame_of(X, [f"x{i}" for i in range(X.shape[1])])


def _column(y: Any) -> np.ndarray:
    """Return y as an array of shape (rows,), in which nothing is missing."""
    if hasattr(y, "to_numpy"):
        y = y.to_numpy()
    as_it_is: Any = None
    return column_or_1d(check_array(y, ensure_2d=False, dtype=as_it_is, input_name="y"), warn=True)


def _like(y: Any, predicted: np.ndarray) -> np.ndarray:
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    return values if values.dtype != object else values.astype(predicted.dtype)


def _task(values: np.ndarray) -> str:
    """Find out what is to be predicted, as for a column of a table."""
    import polars as pl

    if values.dtype.kind in "fc" and type_of_target(values).startswith("continuous"):
        return Amounts.task
    return read_target(pl.Series(TARGET, values.tolist()))[0]
