"""A curve: what it predicts, how sure that is, and what of it is kept."""

import json
import math

import polars as pl
import pytest
import torch

from descend.errors import DataError, UsageError
from descend.functions.curves import Curve, CurveReader, numbers
from descend.functions.formula import Formula

COVARIANCE = [[0.04, 0.01, -0.002], [0.01, 0.09, 0.003], [-0.002, 0.003, 0.01]]


def reader(covariance=None) -> CurveReader:
    made = CurveReader("y = a*exp(-b*x) + c", ("x", "y"), "y")
    return made if covariance is None else made.estimated(torch.tensor(covariance, dtype=torch.float64))


def curve(**start: float) -> Curve:
    return Curve(reader().read, {"a": 2.0, "b": 1.5, "c": 0.25, **start})


# The function ------------------------------------------------------------------------------------
def test_its_values_are_the_formulas():
    x = torch.linspace(0, 2, 7, dtype=torch.float64)
    y = curve()(x[:, None])
    torch.testing.assert_close(y, 2 * torch.exp(-1.5 * x) + 0.25)
    assert y.dtype == torch.float64


def test_several_inputs_come_in_the_formulas_order():
    formula = Formula("y = a*z - x", ["x", "z", "y"])
    assert formula.inputs == ("z", "x")
    rows = torch.tensor([[1.0, 10.0], [2.0, 20.0]], dtype=torch.float64)
    assert Curve(formula, {"a": 3.0})(rows).tolist() == [-7, -14]


def test_a_formula_without_inputs_is_the_same_in_every_row():
    model = Curve(Formula("y = m + 2", ["y"]), {"m": 1.0})
    assert model(torch.empty(4, 0, dtype=torch.float64)).tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    "names",
    [
        "T train half weight", "training formula forward", "train train_ train__", "copy_ call_super_init",
        "parameters _parameters _buffers _modules", "lambda class if", "data grad shape", "α β μ",
        "state_dict e",
    ],
)  # fmt: skip
def test_parameters_may_have_any_name(names):
    names = names.split()
    made = CurveReader(f"y = {' + '.join(names)}", ("y",), "y").estimated(torch.eye(len(names)))
    model = Curve(made.read, {name: float(k) for k, name in enumerate(names)})
    assert [(one["name"], one["value"]) for one in made.estimates(model)] == [
        (n, k) for k, n in enumerate(names)
    ]
    fresh = made.model().requires_grad_(False)
    fresh.load_state_dict(model.state_dict())
    assert len(model.state_dict()) == len(names)
    assert float(fresh.train()(torch.empty(1, 0))) == sum(range(len(names)))


# What it knows -----------------------------------------------------------------------------------
@pytest.mark.parametrize("covariance", [None, COVARIANCE, [[math.inf] * 3] * 3])
def test_what_is_saved_comes_back(covariance):
    made = reader(covariance)
    saved = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert CurveReader.from_json(saved) == made
    assert saved["kind"] == "curve"


def test_estimates_are_values_with_the_roots_of_variances():
    found = reader(COVARIANCE).estimates(curve())
    assert [one["name"] for one in found] == ["a", "b", "c"]
    assert [one["value"] for one in found] == [2, 1.5, 0.25]
    assert [one["error"] for one in found] == pytest.approx([0.2, 0.3, 0.1])


def test_errors_that_are_not_known_are_infinite():
    for covariance in (None, [[math.inf] * 3] * 3):
        assert [one["error"] for one in reader(covariance).estimates(curve())] == [math.inf] * 3


# Predictions -------------------------------------------------------------------------------------
def test_errors_of_predictions_are_the_covariances():
    """The error at x is √(g C gᵀ), with g the curve's derivatives by a, b and c: e⁻ᵇˣ, −a x e⁻ᵇˣ and 1."""
    x = torch.linspace(-0.5, 3, 8, dtype=torch.float64)
    rows = reader(COVARIANCE).predict(curve(), pl.DataFrame({"x": x.tolist(), "more": ["text"] * 8}))
    falls = torch.exp(-1.5 * x)
    J = torch.stack([falls, -2 * x * falls, torch.ones_like(x)], 1)
    errors = (J @ torch.tensor(COVARIANCE, dtype=torch.float64) @ J.T).diagonal().sqrt()
    assert [row["prediction"] for row in rows] == pytest.approx((2 * falls + 0.25).tolist(), rel=1e-14)
    assert [row["error"] for row in rows] == pytest.approx(errors.tolist(), rel=1e-12)


def test_without_a_covariance_there_is_no_error():
    assert reader().predict(curve(), pl.DataFrame({"x": [0.0]})) == [{"prediction": 2.25}]


def test_errors_are_infinite_where_the_parameters_are_not_determined():
    rows = reader([[math.inf] * 3] * 3).predict(curve(a=0.0), pl.DataFrame({"x": [0.0, None]}))
    assert rows[0] == {"prediction": 0.25, "error": math.inf}
    assert math.isnan(rows[1]["prediction"]) and math.isnan(rows[1]["error"])


def test_a_missing_input_has_no_prediction(tmp_path):
    (tmp_path / "new.csv").write_text("x\n0\nNA\n\n1\n")
    rows = reader(COVARIANCE).predict(curve(), tmp_path / "new.csv")
    assert [math.isnan(row["prediction"]) for row in rows] == [False, True, True, False]
    assert [math.isnan(row["error"]) for row in rows] == [False, True, True, False]


def test_a_formula_without_inputs_predicts_each_row():
    made = CurveReader("y = m", ("y",), "y").estimated(torch.tensor([[0.25]]))
    rows = made.predict(Curve(made.read, {"m": 3.0}), pl.DataFrame({"other": [1, 2]}))
    assert rows == [{"prediction": 3.0, "error": 0.5}] * 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"t": [1.0]}, "a column x; came t"),
        ({"x": ["cold", "warm"]}, "numbers in the column x; came category"),
        ({"x": [[1.0], [2.0]]}, "numbers in the column x; came nothing"),
    ],
)
def test_tables_that_do_not_fit(table, said):
    with pytest.raises(DataError, match=said):
        reader(COVARIANCE).predict(curve(), pl.DataFrame(table))


def test_options_are_refused():
    with pytest.raises(UsageError, match="came length"):
        reader().predict(curve(), pl.DataFrame({"x": [1.0]}), length=3)


# Columns -----------------------------------------------------------------------------------------
def test_columns_as_numbers():
    table = pl.DataFrame({"a": ["1", " 2.5", "NA"], "b": [3, 4, 5], "c": ["$1,200", "3", ""]})
    found = numbers(table, ["b", "a", "c"])
    assert found.dtype == torch.float64
    assert found[:2].tolist() == [[3, 1, 1200], [4, 2.5, 3]]
    assert found[2].isnan().tolist() == [False, True, True]
    assert numbers(table, []).shape == (3, 0)


@pytest.mark.parametrize("cells", [["NA", ""], [None, None]])
def test_a_column_with_nothing_in_it_is_missing(cells):
    rows = reader(COVARIANCE).predict(curve(), pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)}))
    assert [math.isnan(row["prediction"]) for row in rows] == [True, True]
