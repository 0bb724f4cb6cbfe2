"""descend.Estimator goes where scikit-learn's own estimators go."""

import builtins
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import descend


@pytest.mark.parametrize("task", ["classification", "regression", None])
def test_it_passes_the_checks_of_scikit_learn(task: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its checks are made to warn
        check_estimator(descend.Estimator(task, steps=60, lr=0.01))


def rows(n: int = 240) -> tuple[pd.DataFrame, pd.Series]:
    """A table of all kinds, and a class that a number and a category decide."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": draw.normal(size=n),
            "colour": pd.Categorical(draw.choice(["red", "green", "blue"], n)),
            "shape": draw.choice(["round", "flat"], n),
            "old": draw.random(n) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 900, n), unit="D"),
            "rooms": pd.array(draw.integers(1, 6, n), dtype="Int64"),
        }
    )
    label = np.where((frame["size"] > 0) ^ (frame["colour"] == "red"), "yes", "no")
    frame.loc[::20, "size"] = np.nan
    frame.loc[::15, "rooms"] = pd.NA
    frame.loc[::25, "colour"] = None
    return frame, pd.Series(label, name="bought")


def small(**changes: Any) -> descend.Estimator:
    return descend.Estimator(**{"steps": 300, "random_state": 0, **changes})


def test_a_table_with_categories_dates_and_gaps_is_taken_as_it_is() -> None:
    frame, label = rows()
    estimator = small().fit(frame[:200], label[:200])
    assert list(estimator.classes_) == ["no", "yes"]
    assert list(estimator.feature_names_in_) == list(frame.columns) and estimator.n_features_in_ == 6
    kinds = [column.kind for column in estimator.reader_.columns]
    assert kinds == ["number", "category", "category", "category", "date", "number"]
    assert estimator.score(frame[200:], label[200:]) > 0.8
    chances = estimator.predict_proba(frame[200:])
    assert chances.shape == (40, 2) and np.allclose(chances.sum(1), 1)
    assert (estimator.classes_[chances.argmax(1)] == estimator.predict(frame[200:])).all()


def test_polars_and_pandas_give_the_same() -> None:
    frame, label = rows()
    columns = {name: frame[name].tolist() for name in ("size", "shape", "old")}
    columns["size"] = [None if cell != cell else cell for cell in columns["size"]]
    table = pl.DataFrame(columns)
    one = small(steps=30).fit(frame[list(columns)], label)
    other = small(steps=30).fit(table, pl.Series(label.tolist()))
    assert (one.predict_proba(frame[list(columns)]) == other.predict_proba(table)).all()
    assert list(other.feature_names_in_) == list(columns)
    with pytest.raises(ValueError, match="feature names"):
        other.predict(table.rename({"size": "weight"}))


def test_the_same_seed_gives_the_same_and_a_pickle_keeps_it() -> None:
    x, y = load_diabetes(return_X_y=True)
    one = small(steps=50).fit(x, y)
    assert (one.predict(x) == clone(one).fit(x, y).predict(x)).all()
    assert (one.predict(x) != small(steps=50, random_state=1).fit(x, y).predict(x)).any()
    assert (one.predict(x) == pickle.loads(pickle.dumps(one)).predict(x)).all()


def test_it_says_what_it_is_once_it_can_know() -> None:
    assert is_classifier(descend.Estimator("classification")) and is_regressor(
        descend.Estimator("regression")
    )
    found = descend.Estimator(steps=5)
    assert not is_classifier(found) and not is_regressor(found)
    x, y = load_diabetes(return_X_y=True)
    assert is_regressor(found.fit(x, y)) and not hasattr(found, "predict_proba")
    assert is_classifier(found.fit(x, y > 100)) and hasattr(found, "predict_proba")


def test_pipelines_cross_validation_and_grids() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    line = make_pipeline(StandardScaler(), small(task="classification", steps=60))
    assert cross_val_score(line, x, y, cv=3).mean() > 0.9
    grid = GridSearchCV(line, {"estimator__lr": [1e-6, 2e-3], "estimator__method": ["adamw"]}, cv=2)
    assert grid.fit(x, y).best_params_["estimator__lr"] == 2e-3
    frame, label = rows()
    chosen = ColumnTransformer([("kept", "passthrough", ["size", "colour"])])
    assert make_pipeline(chosen, small()).fit(frame, label).score(frame, label) > 0.9


def test_it_keeps_up_with_the_right_answer_on_real_tables() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x, held, y, known = train_test_split(x, y, stratify=y, random_state=0)
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y).score(held, known)
    assert small(steps=None).fit(x, y).score(held, known) > line - 0.02
    x, y = load_diabetes(return_X_y=True)
    folds = KFold(4, shuffle=True, random_state=0)  # a single one says too little of 442 rows
    ridge = cross_val_score(RidgeCV(np.logspace(-3, 3, 13)), x, y, cv=folds).mean()
    assert cross_val_score(small(steps=None), x, y, cv=folds).mean() > ridge - 0.05


def test_a_run_is_left_only_where_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame, label = rows()
    without = small(steps=20).fit(frame, label)
    assert not list(tmp_path.iterdir())
    kept = small(steps=20, folder=tmp_path / "kept").fit(frame, label)
    assert (without.predict_proba(frame) == kept.predict_proba(frame)).all()
    run = descend.Run.open(tmp_path / "kept")
    assert run.reader is not None and run.reader.to_json()["target"] == "bought"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert [row["prediction"] for row in run.predict(tmp_path / "rows.csv")] == kept.predict(frame).tolist()


def test_what_cannot_be_learned_from_is_said_as_scikit_learn_would() -> None:
    x = np.random.default_rng(0).normal(size=(30, 2))
    for bad, y, said in (
        (x, np.zeros(30), "at least two classes"),
        (np.ones((30, 2)), x[:, 0], "all values are the same"),
        (x, x[:29, 0], "inconsistent numbers of samples"),
        (x, np.where(x[:, 0] > 0, 1.0, np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=said):
            descend.Estimator(steps=2).fit(bad, y)
    with pytest.raises(ValueError, match="classification or regression"):
        descend.Estimator("clustering").fit(x, x[:, 0])
    with pytest.raises(ValueError, match="did you mean adam or adamw"):
        descend.Estimator(method="adamv").fit(x, x[:, 0])


def test_a_descent_that_fails_warns() -> None:
    x, y = load_diabetes(return_X_y=True)
    with pytest.warns(UserWarning, match="rose instead of falling|no longer a finite"):
        small(method="sgd", lr=1e9, steps=60).fit(x, y)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.delitem(sys.modules, "descend.runs.estimator")
    monkeypatch.delitem(vars(descend), "Estimator", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(descend.MissingExtra, match=r"pip install 'descend\[sklearn\]'"):
        _ = descend.Estimator
