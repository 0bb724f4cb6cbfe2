"""Understanding texts: columns of texts are recognised, learned from beside others, and used."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import descend
from descend.applications.tables import table_problem
from descend.applications.targets import problem_from_target
from descend.applications.understanding_text import understanding_problem
from descend.errors import DataError, UsageError
from descend.functions.tables import TableReader
from descend.functions.wide_and_deep import WideAndDeep
from descend.functions.words import RowsAndWords

GOOD = ["lovely", "tasty", "delicious", "fresh", "perfect"]
BAD = ["stale", "bitter", "awful", "bland", "soggy"]
OTHER = ["the", "of", "and", "box", "came", "in", "taste", "was", "we", "had", "this", "coffee", "tea"]


def reviews(count: int = 300, seed: int = 0, **more) -> pl.DataFrame:
    """Return a table in which one word tells the stars, among a dozen that tell nothing."""
    g = np.random.default_rng(seed)
    good = g.random(count) < 0.5
    texts = [
        " ".join(g.permutation([*g.choice(OTHER, 12), g.choice(GOOD if good[k] else BAD), f"no{k}"]))
        for k in range(count)
    ]
    columns = {"id": range(count), "review": texts, "score": np.where(good, "great", "other"), **more}
    return pl.DataFrame(columns)


def write(folder: Path, table: pl.DataFrame, name: str = "reviews.csv") -> Path:
    table.write_csv(folder / name)
    return folder / name


def trained(problem, folder: Path, steps: int = 150):
    run = descend.fit(problem, until=descend.Until(steps=steps), out=folder / "run", watch=False)
    return run, run.facts["metrics"]


def test_texts_alone(tmp_path):
    path = write(tmp_path, reviews())
    problem = problem_from_target(str(path), target_column="score")
    assert problem.facts["columns"] == {"number": 0, "category": 0, "date": 0, "text": 1}
    assert isinstance(problem.function, RowsAndWords) and problem.function.rows is None
    run, metrics = trained(problem, tmp_path)
    assert metrics["accuracy/test"] > 0.95
    new = pl.DataFrame({"review": ["what a lovely box", None, "", "zyzzyva qwxz", "stale, utterly STALE"]})
    rows = run.predict(write(tmp_path, new, "new.csv"))
    assert [rows[k]["prediction"] for k in (0, 4)] == ["great", "other"]
    assert [row["unknown words"] for row in rows] == [2, 0, 0, 2, 1]
    # Of what is not known nothing is said: the chances are those of all.
    assert rows[1]["probability/great"] == rows[2]["probability/great"] == rows[3]["probability/great"]
    saved = run.reader.to_json()
    assert TableReader.from_json(saved).to_json() == saved


def test_texts_beside_numbers_and_categories(tmp_path):
    g = np.random.default_rng(1)
    table = reviews(400, grams=g.normal(size=400), shop=g.choice(["a", "b"], 400))
    amount = 2.0 * (table["score"] == "great").cast(pl.Float64) + table["grams"] + (table["shop"] == "a")
    path = write(tmp_path, table.drop("score").with_columns(stars=amount))
    problem = understanding_problem(path, "stars")
    assert problem.facts["columns"] == {"number": 1, "category": 1, "date": 0, "text": 1}
    assert isinstance(problem.function.rows, WideAndDeep)
    run, metrics = trained(problem, tmp_path, 300)
    assert metrics["r2/test"] > 0.7  # without the texts 0.56 at most, without the numbers 0.44
    assert len(run.predict(path)) == 400


def test_amounts_of_texts_alone(tmp_path):
    table = reviews().with_columns(
        stars=3.0 + 2 * (pl.col("score") == "great").cast(pl.Float64) + pl.col("id") / 1e4
    )
    problem = understanding_problem(write(tmp_path, table.drop("score", "id")), "stars")
    assert trained(problem, tmp_path, 200)[1]["r2/test"] > 0.6


def test_several_classes_and_two_columns_of_texts(tmp_path):
    one, other = reviews(seed=1), reviews(seed=2)
    both = [f"{a} and {b}" for a, b in zip(one["score"], other["score"], strict=True)]
    table = pl.DataFrame({"title": one["review"], "body": other["review"], "kind": both})
    problem = understanding_problem(write(tmp_path, table), "kind")
    assert problem.facts["columns"]["text"] == 2
    assert trained(problem, tmp_path)[1]["accuracy/test"] > 0.6  # of one column 0.5 at most


def test_a_file_of_its_own_is_the_test(tmp_path):
    path, apart = write(tmp_path, reviews()), write(tmp_path, reviews(50, 7), "held.csv")
    problem = table_problem(path, "score", test=apart)
    sizes = [len(data) for data in (problem.train, problem.validation, problem.test)]
    assert sizes == [270, 30, 50] and problem.facts["rows"] == 300
    assert "id" not in [column.name for column in problem.reader.columns]
    labels = problem.test.tensors[-1]
    assert labels.tolist() == [int(score == "other") for score in reviews(50, 7)["score"]]
    again = table_problem(path, "score", test=apart, seed=1)
    assert again.test.tensors[-1].equal(labels)
    with pytest.raises(DataError, match="none called 'review'"):
        table_problem(path, "score", test=write(tmp_path, reviews(50).drop("review"), "less.csv"))
    with pytest.raises(DataError, match="does not exist"):
        table_problem(path, "score", test=tmp_path / "gone.csv")
    unknown = reviews(50).with_columns(score=pl.lit(""))
    with pytest.raises(DataError, match="every one is missing"):
        table_problem(path, "score", test=write(tmp_path, unknown, "unknown.csv"))
    (tmp_path / "book.txt").write_text("a line of text\n" * 200)
    with pytest.raises(UsageError, match="an option of a text"):
        problem_from_target(str(tmp_path / "book.txt"), test=str(apart))


def test_the_test_has_no_say_in_what_is_learned(tmp_path):
    path = write(tmp_path, reviews(200))
    held = [write(tmp_path, reviews(n, n), f"{n}.csv") for n in (30, 60)]
    problems = [table_problem(path, "score", test=one) for one in held]
    readers = [{**p.reader.to_json()} for p in problems]
    assert readers[0] == readers[1]
    assert all(
        a[:, :9].equal(b[:, :9]) for a, b in zip(*(p.train.tensors[:1] for p in problems), strict=True)
    )


def test_empty_and_long_texts_are_counted(tmp_path):
    table = reviews(100)
    texts = table["review"].to_list()
    texts[0], texts[1], texts[2] = "", "...", " ".join(["word"] * 2000)
    problem = understanding_problem(write(tmp_path, table.with_columns(review=pl.Series(texts))), "score")
    notes = " ".join(problem.facts["notes"])
    assert "2 of 100 texts in review are empty" in notes
    assert "1 of 100 texts in review are longer than 512 words" in notes


def test_tables_without_texts_say_so(tmp_path):
    table = pl.DataFrame({"name": [f"Smith, Dr John {k}" for k in range(100)], "a": range(100, 0, -1)})
    path = write(tmp_path, table.with_columns(y=pl.col("a") * 2.5))
    assert table_problem(path, "y").facts["columns"] == {"number": 1, "category": 0, "date": 0}
    with pytest.raises(DataError, match="a column of texts"):
        understanding_problem(path, "y")


def test_the_same_from_a_state(tmp_path):
    problem = understanding_problem(write(tmp_path, reviews(100)), "score")
    run, _ = trained(problem, tmp_path, 40)
    opened = descend.Run.open(run.folder)
    bag = problem.test.tensors[0]
    with torch.no_grad():
        assert opened.model.eval()(bag).equal(run.model.eval()(bag))
