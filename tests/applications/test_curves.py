"""A formula and a table: from the file to parameters with errors, in the library and at the terminal."""

import csv
import io
import json
import math
from pathlib import Path

import pytest
import torch

import descend
from descend.applications.curves import curve_problem
from descend.cli.main import run as command
from descend.errors import DataError, DescendError, UsageError
from descend.runs.run import Run

X = torch.linspace(0, 4, 30, dtype=torch.float64)
NOISE = torch.randn(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = 2.5 * torch.exp(-1.3 * X) + 0.5 + 0.02 * NOISE
DECAY = "y = a*exp(-b*x) + c"


def decay(x, a, b, c):
    return a * torch.exp(-b * x) + c


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder of its own, with a table in it."""
    monkeypatch.chdir(tmp_path)
    table("d.csv", ["x,y,who,my col,µ", *(f"{x},{y},n{k},1,{x}" for k, (x, y) in enumerate(pairs()))])


def pairs():
    return list(zip(X.tolist(), Y.tolist(), strict=True))


def table(name: str, lines: list[str]) -> str:
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def descended(problem):
    """Descend in the problem's own way; return its best function and how it ended."""
    run = descend.Descent(problem)
    outcome = run.run(descend.Until(steps=500))
    return run.result(), outcome


@pytest.fixture
def said(capfd):
    """Run one command in this process; return its exit code and what it printed."""

    def call(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = command([str(word) for word in words])
        return code, *capfd.readouterr()

    return call


# The problem -------------------------------------------------------------------------------------
def test_it_is_curve_fits():
    problem = curve_problem("d.csv", model=DECAY)
    model, outcome = descended(problem)
    expected = descend.curve_fit(decay, X, Y)
    assert outcome is descend.Outcome.MINIMUM
    found = torch.stack([dict(model.named_parameters())[name].detach() for name in "abc"])
    torch.testing.assert_close(found, expected.parameters, rtol=1e-9, atol=0)
    assert problem.facts["rows"] == 30 and problem.facts["notes"] == [] and problem.name == "d"
    assert problem.settings.method == "levenbergmarquardt"
    json.dumps(problem.facts, allow_nan=False)


def test_where_parameters_begin():
    problem = curve_problem("d.csv", model=DECAY, start={"b": 2})
    assert {k: p.item() for k, p in problem.function.named_parameters()} == {"a": 1, "b": 2, "c": 1}
    assert problem.facts["start"] == {"a": 1, "b": 2, "c": 1}


def test_letters_that_look_alike_begin_alike():
    """The micro sign, which keyboards write, and Greek's letter: in a column's name and in a start's."""
    problem = curve_problem("d.csv", model="y = a*exp(-\u03bc) + c")
    assert problem.reader.read.inputs == ("\u00b5",)
    model, _ = descended(problem)
    assert "prediction" in problem.reader.predict(model, "d.csv")[0]
    table("e.csv", ["x,y", "1,2", "2,3"])
    assert curve_problem("e.csv", model="y = x*\u00b5", start={"\u00b5": 3}).facts["start"] == {"\u03bc": 3}


def test_rows_with_a_missing_cell_are_left_out_and_said():
    lines = ["x,y,z", *(f"{x},{y}," for x, y in pairs()), "1,,1", "NA,1,1", "inf,1,1"]
    problem = curve_problem(table("m.csv", lines), model=DECAY)
    assert problem.facts["notes"] == ["3 of 33 rows are left out: a number is missing"]
    x, y = problem.train.tensors
    torch.testing.assert_close(x[:, 0], X)
    torch.testing.assert_close(y, Y)


def test_a_column_that_is_not_used_may_miss_anything():
    lines = ["x,y,z", *(f"{x},{y}," for x, y in pairs())]
    assert curve_problem(table("m.csv", lines), model=DECAY).facts["rows"] == 30


def test_a_formula_without_columns_is_a_mean():
    problem = curve_problem("d.csv", model="y = m")
    model, outcome = descended(problem)
    assert outcome is descend.Outcome.MINIMUM
    torch.testing.assert_close(model.m.detach(), Y.mean())


def test_left_sides():
    x, y = X[1:] + 0.5, 0.3 * torch.exp(0.7 * X[1:])
    table("e.csv", ["x,y", *(f"{a},{b}" for a, b in zip(x.tolist(), y.tolist(), strict=True))])
    for left, right, target in (
        ("log(y)", "a + b*x", y.log()),
        ("1/y", "a*exp(-b*x)", 1 / y),
        ("x/y", "a*x*exp(-b*x)", x / y),
        ("y", "a*exp(b*x)", y),
    ):
        problem = curve_problem("e.csv", model=f"{left} = {right}")
        torch.testing.assert_close(problem.train.tensors[1], target)
        assert problem.reader.target == left
        model, outcome = descended(problem)
        assert outcome is descend.Outcome.MINIMUM
        assert model.b.item() == pytest.approx(0.7, rel=1e-6)


def test_rows_count_by_their_errors(said):
    sigma = 0.01 * (1 + X)
    lines = ["x,y,e", *(f"{x},{y},{e}" for (x, y), e in zip(pairs(), sigma.tolist(), strict=True))]
    table("s.csv", lines)
    expected = descend.curve_fit(decay, X, Y, sigma=sigma)
    code, out, err = said(
        *("fit", "s.csv", "--model", DECAY, "--sigma", "e", "--threads", 1, "--out", "run", "--json")
    )
    assert (code, err) == (0, "")
    estimates = json.loads(out, parse_constant=pytest.fail)["estimates"]
    assert [one["value"] for one in estimates] == pytest.approx(expected.parameters.tolist(), rel=1e-9)
    assert [one["error"] for one in estimates] == pytest.approx(expected.errors.tolist(), rel=1e-8)
    code, out, err = said("predict", "run", "s.csv")
    assert (code, err) == (0, "")
    predictions = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(out))]
    assert predictions == pytest.approx(decay(X, *expected.parameters).tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("errors", "match"), [(["0", "1", "1"], "errors above 0 in the column e; came 1 of 3")]
)
def test_errors_are_above_zero(errors, match):
    table("s.csv", ["x,y,e", *(f"{k},{k},{e}" for k, e in enumerate(errors))])
    with pytest.raises(DataError, match=match):
        curve_problem("s.csv", model="y = a*x", sigma="e")


def test_the_target_may_stand_beside_the_formula():
    plain, with_target = curve_problem("d.csv", model=DECAY), curve_problem("d.csv", "y", model=DECAY[4:])
    assert with_target.reader == plain.reader
    assert curve_problem("d.csv", "y", model=DECAY).reader == plain.reader


def test_as_many_rows_as_parameters():
    problem = curve_problem(table("e.csv", ["x,y", "1,2", "2,5"]), model="y = a*x + b")
    model, outcome = descended(problem)
    assert outcome is descend.Outcome.MINIMUM
    assert (model.a.item(), model.b.item()) == pytest.approx((3, -1))


def test_decimal_commas_are_read():
    problem = curve_problem(table("e.csv", ["x;y", "1,5;3", "2,5;5"]), model="y = a*x")
    assert problem.train.tensors[0].tolist() == [[1.5], [2.5]]


def test_where_the_start_gives_no_number_it_is_noted():
    problem = curve_problem("d.csv", model="y = a*log(x)")
    assert problem.facts["notes"] == ["in 1 of 30 rows the formula is no finite number at the start"]
    assert descended(problem)[1] is descend.Outcome.NOT_FINITE


@pytest.mark.parametrize(
    ("target", "model", "start", "kind", "said"),
    [
        (None, DECAY[4:], None, UsageError, "a formula with a left side"),
        ("x", DECAY, None, UsageError, "the left side y as --target; came 'x'"),
        ("my col", DECAY[4:], None, UsageError, "'my col'; rename it in the file"),
        ("z", DECAY[4:], None, UsageError, "a column on the left side of the formula; came 'z'"),
        (None, "y = a*my col", None, UsageError, "'my col'; rename it in the file"),
        (None, "y = 3*x", None, UsageError, "at least one name in the formula that is no column"),
        (None, "y = a*who", None, DataError, "numbers in the column who; came category"),
        (None, "who = a*x", None, DataError, "numbers in the column who; came category"),
        (None, DECAY, {"q": 1}, UsageError, "a start for a parameter of the formula; came q"),
        (None, DECAY, {"x": 1}, UsageError, "a start for a parameter of the formula; came x"),
        (
            None,
            "log(y - 0.6) = a*x",
            None,
            DataError,
            "finite numbers for log(y - 0.6); came NaN or infinity in ",
        ),
        (
            None,
            "y = " + " + ".join(f"b{k}*x^{k}" for k in range(31)),
            None,
            DataError,
            "at least 31 whole rows",
        ),
    ],
)
def test_what_cannot_be_fitted(target, model, start, kind, said):
    with pytest.raises(kind) as caught:
        curve_problem("d.csv", target, model=model, start=start)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_too_few_whole_rows():
    with pytest.raises(DataError, match="at least 2 whole rows, one a parameter; came 1"):
        curve_problem(table("e.csv", ["x,y", "1,2", "2,"]), model="y = a*x + b")
    with pytest.raises(DataError, match="came 0"):
        curve_problem(table("e.csv", ["x,y", "1,", "2,"]), model="y = a*x + b")


# At the terminal ---------------------------------------------------------------------------------
def fitted(said, *words, model=DECAY, out="run"):
    code, out, err = said("fit", "d.csv", "--model", model, "--threads", 1, "--out", out, "--json", *words)
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def test_fit_and_predict(said):
    expected = descend.curve_fit(decay, X, Y, absolute_sigma=False)
    answer = fitted(said, "--start", "a=1,b=2", "--start", "c=0")
    assert answer["outcome"] == "minimum" and answer["parameters"] == 3
    assert [one["name"] for one in answer["estimates"]] == ["a", "b", "c"]
    assert [one["value"] for one in answer["estimates"]] == pytest.approx(
        expected.parameters.tolist(), rel=1e-9
    )
    assert [one["error"] for one in answer["estimates"]] == pytest.approx(expected.errors.tolist(), rel=1e-8)

    run = Run.open("run")
    assert run.facts["estimates"] == answer["estimates"]
    assert "minimum" in run.facts["outcome"]["sentence"]

    table("new.csv", ["x,other", "0,1", "NA,1", "2,1"])
    code, out, err = said("predict", "run", "new.csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    at = torch.tensor([0.0, math.nan, 2.0], dtype=torch.float64)
    J = torch.func.jacfwd(lambda p: decay(at, *p))(expected.parameters)
    errors = (J @ expected.covariance @ J.T).diagonal().sqrt()
    predictions = decay(at, *expected.parameters)
    for k, row in enumerate(rows):
        assert float(row["prediction"]) == pytest.approx(float(predictions[k]), rel=1e-9, nan_ok=True)
        assert float(row["error"]) == pytest.approx(float(errors[k]), rel=1e-7, nan_ok=True)
    code, out, _ = said("predict", "run", "new.csv", "--json")
    assert json.loads(out, parse_constant=pytest.fail)["predictions"][1] == {
        "prediction": None,
        "error": None,
    }


def test_estimates_stand_first_for_a_log_and_for_a_person(said, monkeypatch):
    code, out, _ = said("fit", "d.csv", "--model", DECAY, "--threads", 1)
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines[:4]] == ["a", "b", "c", "outcome"]
    assert all(line[2].startswith("± 0.0") for line in lines[:3])
    from descend.cli.summary import summarise

    monkeypatch.setattr("descend.cli.summary.is_terminal", lambda: True)
    summarise(Run.open("runs/d"))


def test_parameters_that_the_data_do_not_determine(said):
    answer = fitted(said, model="y = a*b*x")
    assert [one["error"] for one in answer["estimates"]] == [None, None]
    assert "Jacobian is singular" in Run.open("run").facts["outcome"]["sentence"]
    code, out, err = said("predict", "run", "d.csv")
    assert (code, err) == (0, "")
    assert {row["error"] for row in csv.DictReader(io.StringIO(out))} == {"inf"}


def test_a_run_whose_errors_are_infinite_can_be_opened_again(said):
    words = ["fit", "d.csv", "--model", "y = a*b*x", "--threads", 1, "--out", "run"]
    assert said(*words, "-q")[0] == 0
    assert [one["error"] for one in Run.open("run").facts["estimates"]] == [math.inf, math.inf]
    code, out, err = said(*words, "--resume")
    assert (code, err) == (0, "") and "± inf" in out


def test_resuming_with_another_formula_is_refused(said):
    fitted(said)
    code, _, err = said("fit", "d.csv", "--model", "y = a*x", "--threads", 1, "--out", "run", "--resume")
    assert code == 2 and "formula was" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--start", "a"], "name=number for --start; came 'a'; for example --start a=1,b=0.5"),
        (["--start", "q=1", "--model", DECAY], "choose one of: a, b, c"),
        (["--start", "a=1"], "--model with the curve that --start is for"),
        (["--sigma", "y"], "--model with the curve that --sigma is for"),
        (["--sigma", "z", "--model", DECAY], "a column z"),
        (["--model", "y = a*exq(x)"], "did you mean exp"),
        (["--model", "a*x"], "or add --target y"),
        (["--model", "y = a*z(x)"], "a function that formulas know; came z"),
    ],
)
def test_one_sentence_says_what_is_wrong(said, words, expected):
    code, out, err = said("fit", "d.csv", *words)
    assert (code, out) == (2, "") and err.count("\n") == 1 and expected in err
    assert not Path("runs").exists()


@pytest.mark.parametrize("target", ["digits", "rosenbrock", "folder"])
def test_only_a_table_has_a_curve(said, target):
    Path("folder").mkdir()
    with pytest.raises(DescendError):
        descend_problem(target)
    code, _, err = said("fit", target, "--model", DECAY)
    assert code == 2 and err.count("\n") == 1


def descend_problem(target):
    from descend.applications.targets import problem_from_target

    return problem_from_target(target, model=DECAY)


def test_the_report_begins_with_the_parameters_and_their_errors():
    run = descend.fit(curve_problem("d.csv", model=DECAY), out="r")
    page = Path("r/report.html").read_text(encoding="utf-8")
    for one in run.facts["estimates"]:
        assert f"<dt>{one['name']}</dt>" in page
        assert f"± {one['error']:.4g}" in page
