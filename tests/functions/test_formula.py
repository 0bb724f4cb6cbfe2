"""A formula is read as arithmetic would be, and as nothing else."""

import copy
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.errors import UsageError
from descend.functions.formula import FUNCTIONS, Formula


def value(line: str, **values: float) -> float:
    """Return what the right side of ``y = line`` is worth in float64."""
    tensors = {name: torch.tensor(x, dtype=torch.float64) for name, x in values.items()}
    return float(Formula(f"y = {line}", ["y", "x"])(tensors))


# Arithmetic --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-x^2", -9),
        ("2^-x", 1 / 8),
        ("2^x^2", 512),
        ("2**x**2", 512),
        ("1 - 2 - x", -4),
        ("12/x/2", 2),
        ("+x*-2", -6),
        ("[1 + {x}]*(2)", 8),
        ("7/2 + 0*x", 3.5),
        ("1e-3*x + .5", 0.503),
        ("1_000*x", 3000),
        ("exp(-0.5*x)", math.exp(-1.5)),
        ("exp(1) + x", math.e + 3),
        ("x*-log(2)^2", -3 * math.log(2) ** 2),
        ("pi*x", 3 * math.pi),
        ("x² − 2·x ÷ 3 + x³×2", 9 - 2 + 54),
        ("x\n  + 1\t+ 1", 5),
    ],
)
def test_what_a_line_is_worth(line, expected):
    assert value(line, x=3.0) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("name", [*FUNCTIONS, "ln", "asin", "acos", "atan"])
def test_functions_are_those_of_the_library(name):
    inverse = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "ln": "log", "abs": "fabs"}
    assert value(f"{name}(x)", x=0.3) == pytest.approx(getattr(math, inverse.get(name, name))(0.3), rel=1e-14)
    assert value(f"{name}(0.3) + 0*x", x=1.0) == value(f"{name}(x)", x=0.3)


lines = st.recursive(
    st.sampled_from(["a", "b", "x", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(" ".join),
        inner.map(lambda part: f"({part})"),
        inner.map(lambda part: f"-{part}"),
        inner.map(lambda part: f"arctan({part})"),
    ),
    max_leaves=12,
)


@given(lines)
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_python(line):
    names = {"a": 1.7, "b": -0.6, "x": 0.9, "arctan": math.atan}
    try:
        expected = eval(line, {}, names)
    except ZeroDivisionError:
        return
    try:
        found = value(line, a=1.7, b=-0.6, x=0.9)
    except UsageError as error:  # a part without names that is not finite
        assert "finite" in str(error)
        return
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_rows_and_gradients_go_through():
    formula = Formula("y = a*exp(-b*x) + c", ["x", "y"])
    values = {
        name: torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for name, v in {"a": 2, "b": 1, "c": 3}.items()
    }
    x = torch.linspace(0, 1, 5, dtype=torch.float64)
    y = formula({**values, "x": x})
    torch.testing.assert_close(y, 2 * torch.exp(-x) + 3)
    y.sum().backward()
    torch.testing.assert_close(values["b"].grad, (-2 * x * torch.exp(-x)).sum())
    copied = copy.deepcopy(formula)
    torch.testing.assert_close(copied({**values, "x": x}), y)


# Names -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "columns", "parameters", "inputs", "left"),
    [
        ("y = a*exp(-b*x) + c", "x y", "a b c", "x", "y"),
        ("a*x + b*z + a", "x y z", "a b", "x z", None),
        ("log[y] = b2 + b1*x", "x y", "b2 b1", "x", "log[y]"),
        ("x/y = x/V + K/V", "x y", "V K", "x", "x/y"),
        ("y = T*x + train - half*weight", "x y", "T train half weight", "x", "y"),
        ("y = α*x + β_1", "x y", "α β_1", "x", "y"),
        ("y = exp(x)*a", "exp x y", "a", "x", "y"),
        ("y = exp*a*pi", "exp pi y", "a", "exp pi", "y"),
        ("y = N0*exp(-lambda*t)", "t y", "N0 lambda", "t", "y"),
        ("y = e^x", "x y", "e", "x", "y"),
        ("class = a*is", "class is", "a", "is", "class"),
        ("y = _a*exp(_exp)", "y", "_a _exp", "", "y"),
    ],
)
def test_names_are_columns_or_parameters(line, columns, parameters, inputs, left):
    formula = Formula(line, columns.split())
    assert formula.parameters == tuple(parameters.split())
    assert formula.inputs == tuple(inputs.split())
    assert formula.left == left
    values = {name: torch.tensor(0.5) for name in (*formula.parameters, *formula.inputs)}
    assert formula(values).isfinite()


def test_a_column_called_as_a_function_or_constant_is_the_column():
    values = {"exp": torch.tensor(2.0), "pi": torch.tensor(5.0)}
    assert float(Formula("y = exp*pi + exp(exp)*0", ["y", "exp", "pi"])(values)) == 10


def test_letters_that_look_alike_are_one():
    """Keyboards write the micro sign, µ; Python reads names in Unicode's normal form, the Greek μ."""
    formula = Formula("y = a*\u00b5", ["\u00b5", "y"])
    assert formula.inputs == ("\u00b5",) and formula.parameters == ("a",)
    assert float(formula({"a": torch.tensor(2.0), "\u00b5": torch.tensor(3.0)})) == 6
    assert Formula("y = a*\u03bc", ["\u00b5", "y"]).inputs == ("\u00b5",)


def test_the_left_side_is_a_function_of_columns():
    formula = Formula("log(y)/z = a", ["y", "z"])
    assert formula.targets == ("y", "z")
    found = formula.target({"y": torch.tensor([1.0, math.e]), "z": torch.tensor([1.0, 2.0])})
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5]))


# What is refused ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    [
        "y = a.b", "y = exp(x).T", "y = a.__class__", "y = ().__class__.__bases__[0]", "y = x[0]",
        "y = lambda: 1", "y = lambda x: x", "y = __import__('os')", "y = __builtins__", "y = __class__*x",
        "y = eval(x)", "y = _exp(x)", "y = exp(a)(x)", "y = 's'", "y = b's'", "y = f'{x}'",
        "y = [i for i in x]",
        "y = {x: a}", "y = (b := 3)", "y = (x, a)", "y = x,", "y = True*x", "y = None", "y = ...", "y = 1j*x",
        "y = a if x else b", "y = x and a", "y = not x", "y = ~x", "y = x // 2", "y = x % 2", "y = x @ a",
        "y = x < a", "y = x | a", "y = await x", "y = (yield x)", "y = exp()", "y = exp(a, x)", "y = exp(*x)",
        "y = exp(x=1)", "y = exp(**x)", "y = f(x)", "y = EXP(x)", "y = x(2)", "y = 2(x + 1)", "y = a(b)",
        "y = exp", "y = a*ln", "y = 3x", "y = a b", "y = 2if x", "y = 007*x", "y = a*x)", "y = (a*x",
        "y = a = b", "y == a*x", "y <= a", "= a*x", "y =", "", "   ", "y = a*x;b", "y = a*x # half of it",
        "y = a*x \\",
        "y = a\0", "y = a!", "y = *a", "y ~ a*x", "y = a'", "y := a", "y = import os", "y = x\\\n+a",
        "z = a*x", "log(z) = a*x", "y + b = a*x", "5 = a*x", "pi = a*x", "exp(1) = a",
    ],
)  # fmt: skip
def test_what_is_no_formula(line):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError) as caught:
            Formula(line, ["x", "y"])
    said = str(caught.value)
    assert said.startswith("expected ") and "\n" not in said and "ǃ" not in said


@pytest.mark.parametrize(
    "part",
    ["9**9**9**9", "10**400", "1e400", "1/0", "(-8)**(1/3)", "log(0)", "sqrt(0-1)", "0**-1", "exp(1e5)"],
)
def test_numbers_that_are_none_are_said_at_once(part):
    with pytest.raises(UsageError, match="real and finite numbers"):
        Formula(f"y = a*x + {part}", ["x", "y"])


@pytest.mark.parametrize(
    "line", ["(" * 500 + "x" + ")" * 500, "-" * 5000 + "x", "+".join("x" * 50_000), "9" * 5000]
)
def test_what_is_too_long_is_said_in_short(line):
    with pytest.raises(UsageError) as caught:
        Formula(f"y = {line}", ["x", "y"])
    assert len(str(caught.value)) < 500


def test_some_hundred_terms_are_taken():
    line = " + ".join(f"b{k}*x^{k}" for k in range(200))
    assert len(Formula(f"y = {line}", ["x", "y"]).parameters) == 200


def test_columns_that_cannot_be_written_are_named():
    columns = ["my col", "dose-mg", "y", "2", "%"]
    for line in ("y = a*my col", "my col = a", "y = a*dose-mg"):
        with pytest.raises(UsageError, match=r"'(my col|dose-mg)'; rename it in the file"):
            Formula(line, columns)
    assert Formula("y = 2*a", columns).parameters == ("a",)
    assert Formula("y = my*a", columns).parameters == ("my", "a")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y = a*exq(x)", "did you mean exp"),
        ("yy = a*x", "did you mean y"),
        ("y = a*exp", "write exp(...)"),
        ("y = a b", "near 'a b'"),
        ("y = a*x[0]", "a function that formulas know; came x"),
    ],
)
def test_what_to_do_is_said(line, said):
    with pytest.raises(UsageError) as caught:
        Formula(line, ["x", "y"])
    assert said in str(caught.value)
