"""Curves are fitted as scipy does, to the digits that NIST certifies, and bad input ends in a sentence."""

import functools
import math

import numpy as np
import pytest
import scipy.optimize
import torch

import descend
from descend import Outcome, curve_fit
from descend.descent.curve_fit import covariance_of
from descend.errors import DataError, UsageError

X = torch.linspace(0.1, 4, 30, dtype=torch.float64)


def decay(x, a, b, c):
    return a * torch.exp(-b * x) + c


def logistic(x, top, rate, middle):
    return top / (1 + torch.exp(-rate * (x - middle)))


def saturation(x, V, K):
    return V * x / (K + x)


def wave(x, a, f, phase, offset):
    return a * torch.sin(f * x + phase) + offset


def line(x, a, b):
    return a * x + b


def power(x, a, b):
    return a * x**b


def peak(x, height, centre, width):
    return height * torch.exp(-0.5 * ((x - centre) / width) ** 2)


CURVES = [
    (decay, [2.5, 1.3, 0.5], [1, 1, 1]),
    (logistic, [3, 2, 2], [1, 1, 1]),
    (saturation, [4, 0.8], [1, 1]),
    (wave, [1.5, 2, 0.3, 1], [1, 1.8, 0, 0]),
    (line, [-2, 7], [1, 1]),
    (power, [0.3, 1.7], [1, 1]),
    (peak, [5, 1.8, 0.4], [4, 1.7, 0.5]),
]
"""A function, its true parameters, and where to begin."""


def measured(f, truth, seed=0, noise=0.05) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return f(X, *truth) + noise * torch.randn(len(X), generator=generator, dtype=torch.float64)


def scipys(f, x, y, start, **options) -> tuple[np.ndarray, np.ndarray]:
    """Return scipy's parameters and covariance, by exact derivatives and to its last digit."""

    def numpy(x, *p):
        return f(torch.as_tensor(x), *torch.tensor(p, dtype=torch.float64)).numpy()

    def jacobian(x, *p):
        at = torch.tensor(p, dtype=torch.float64)
        return torch.func.jacfwd(lambda p: f(torch.as_tensor(x), *p))(at).numpy()

    tightest = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    return scipy.optimize.curve_fit(numpy, x, y, start, jac=jacobian, **tightest, **options)[:2]


def sigma_of(kind: str) -> np.ndarray | None:
    random = np.random.default_rng(3)
    if kind == "none":
        return None
    if kind == "errors":
        return random.uniform(0.02, 0.2, len(X))
    root = random.normal(size=(len(X), len(X))) / 30
    return root @ root.T + np.diag(random.uniform(0.001, 0.01, len(X)))


# As scipy does -----------------------------------------------------------------------------------
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("kind", ["none", "errors", "covariance"])
@pytest.mark.parametrize(("f", "truth", "start"), CURVES, ids=[f.__name__ for f, _, _ in CURVES])
def test_parameters_and_errors_are_scipys(f, truth, start, kind, absolute):
    y, sigma = measured(f, truth), sigma_of(kind)
    fit = curve_fit(f, X, y, start, sigma=sigma, absolute_sigma=absolute)
    parameters, covariance = scipys(f, X.numpy(), y.numpy(), start, sigma=sigma, absolute_sigma=absolute)
    assert fit.outcome is Outcome.MINIMUM
    np.testing.assert_allclose(fit.parameters, parameters, rtol=1e-8)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(fit.covariance.numpy() / scale, covariance / scale, atol=1e-8)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(covariance)), rtol=1e-8)


def test_one_number_as_sigma():
    y = measured(line, [2, 1])
    fit = curve_fit(line, X, y, sigma=0.05, absolute_sigma=True)
    same = curve_fit(line, X, y, sigma=[0.05] * len(X), absolute_sigma=True)
    torch.testing.assert_close(fit.covariance, same.covariance)


def test_a_line_by_the_book():
    """The covariance of a straight line is s² (XᵀX)⁻¹, its residuals f(x) − y."""
    y = measured(line, [-2, 7])
    fit = curve_fit(line, X, y)
    A = torch.stack([X, torch.ones_like(X)], 1)
    w = torch.linalg.solve(A.T @ A, A.T @ y)
    r = A @ w - y
    torch.testing.assert_close(fit.parameters, w)
    torch.testing.assert_close(fit.residuals, r)
    torch.testing.assert_close(fit.covariance, (r @ r) / (len(X) - 2) * torch.linalg.inv(A.T @ A))


def test_residuals_are_over_their_sigma():
    y, sigma = measured(line, [2, 1]), torch.linspace(0.1, 1, len(X), dtype=torch.float64)
    fit = curve_fit(line, X, y, sigma=sigma)
    torch.testing.assert_close(fit.residuals, (line(X, *fit.parameters) - y) / sigma)


@pytest.mark.parametrize(
    "bounds",
    [
        (0, [4, 3, 2]),
        (-math.inf, math.inf),
        ([2.6, 0, -1], [9, 9, 9]),
        ([0, 0, 0], [2, 1, 9]),
        (0, [9, 9, 0.4]),
    ],
    ids=["inside", "none", "one below", "two above", "one above"],
)
def test_bounds_are_scipys(bounds):
    """scipy's ``trf`` stays inside the bounds, so that it meets one on its way only to some digits."""
    y = measured(decay, [2.5, 1.3, 0.5])
    fit = curve_fit(decay, X, y, [2.7, 0.5, 0.3], bounds=bounds)
    start = np.clip([2.7, 0.5, 0.3], *[np.broadcast_to(b, 3) for b in bounds])
    parameters, _ = scipys(decay, X.numpy(), y.numpy(), start, bounds=bounds, method="trf")
    lower, upper = (torch.as_tensor(b, dtype=torch.float64) for b in bounds)
    assert bool(((fit.parameters >= lower) & (fit.parameters <= upper)).all())
    np.testing.assert_allclose(fit.parameters, parameters, rtol=1e-5)
    ours, theirs = ((decay(X, *p) - y).square().sum() for p in (fit.parameters, torch.tensor(parameters)))
    assert float(ours) <= float(theirs) * (1 + 1e-12)
    assert fit.outcome is Outcome.MINIMUM


@pytest.mark.parametrize("seed", range(20))
def test_bounds_of_a_linear_function_are_those_of_linear_least_squares(seed):
    """Convex, so that there is one minimum; scipy's ``bvls`` finds it by the active bounds themselves."""
    random = np.random.default_rng(seed)
    A = torch.stack([X**k for k in range(4)], 1) / torch.tensor([1.0, 2.0, 8.0, 32.0])
    lower = random.normal(size=4)
    upper, start = lower + random.uniform(0.01, 1, 4), 3 * random.normal(size=4)
    y = A.numpy() @ random.normal(size=4) + 0.1 * random.normal(size=len(X))
    fit = curve_fit(lambda A, *p: A @ torch.stack(p), A, y, start, bounds=(lower, upper))
    best = scipy.optimize.lsq_linear(A.numpy(), y, (lower, upper), method="bvls", tol=1e-14)
    assert fit.outcome is Outcome.MINIMUM
    np.testing.assert_allclose(fit.parameters, best.x, rtol=1e-9, atol=1e-9)


def test_what_is_on_its_bound_is_there_to_the_last_bit():
    y = measured(decay, [2.5, 1.3, 0.5])
    fit = curve_fit(decay, X, y, bounds=(0, [2, 9, 9]))
    assert float(fit.parameters[0]) == 2 and "bounds" in fit.why
    rest = curve_fit(lambda x, b, c: decay(x, 2.0, b, c), X, y)
    torch.testing.assert_close(fit.parameters[1:], rest.parameters, rtol=1e-9, atol=0)


def test_equal_bounds_fix_a_parameter():
    y = measured(decay, [2.5, 1.3, 0.5])
    fit = curve_fit(decay, X, y, bounds=([-math.inf, 1.3, -math.inf], [math.inf, 1.3, math.inf]))
    rest = curve_fit(lambda x, a, c: decay(x, a, 1.3, c), X, y)
    assert float(fit.parameters[1]) == 1.3 and float(fit.errors[1]) == 0
    torch.testing.assert_close(fit.parameters[[0, 2]], rest.parameters, rtol=1e-9, atol=0)
    torch.testing.assert_close(fit.errors[[0, 2]], rest.errors, rtol=1e-9, atol=0)
    fixed = curve_fit(decay, X, y, bounds=([2, 1, 0.5], [2, 1, 0.5]))
    assert fixed.parameters.tolist() == [2, 1, 0.5] and not fixed.covariance.any()


@pytest.mark.parametrize("method", ["lbfgs", "newton", "newton-cg", "gauss-newton", "cg"])
def test_other_methods_find_the_same(method):
    y = measured(decay, [2.5, 1.3, 0.5])
    expected, fit = curve_fit(decay, X, y), curve_fit(decay, X, y, method=method)
    assert fit.outcome is Outcome.MINIMUM
    torch.testing.assert_close(fit.parameters, expected.parameters, rtol=1e-6, atol=0)
    torch.testing.assert_close(fit.errors, expected.errors, rtol=1e-6, atol=0)


# The forms that numbers come in ------------------------------------------------------------------
def test_each_form_of_the_start():
    y = measured(decay, [2.5, 1.3, 0.5])
    expected = curve_fit(decay, X, y, [1, 1, 1])
    assert expected.names == ("a", "b", "c")
    for start in (None, (1, 1, 1), {"c": 1, "a": 1, "b": 1}, torch.ones(3), np.ones(3), torch.ones(3).long()):
        fit = curve_fit(decay, X, y, start)
        assert torch.equal(fit.parameters, expected.parameters) and fit.names == expected.names


def test_the_start_stays_as_it_was():
    start = torch.ones(2, dtype=torch.float64)
    curve_fit(line, X, measured(line, [2, 1]), start, bounds=(3, 9))
    assert torch.equal(start, torch.ones(2, dtype=torch.float64))


def test_names_and_numbers_of_parameters():
    y = measured(line, [2, 1])
    many = curve_fit(lambda x, *p: line(x, *p), X, y, [1, 1])
    assert many.names == ("p0", "p1")
    assert curve_fit(lambda x, *p: line(x, *p), X, y, {"slope": 1, "at 0": 1}).names == ("slope", "at 0")
    assert curve_fit(functools.partial(line, b=1.0), X, y).names == ("a",)

    def half(x, a, b=1.0, *, flag=True):
        return a * x + b

    assert curve_fit(half, X, y).names == ("a",)
    both = curve_fit(half, X, y, [1, 1])
    assert both.names == ("a", "b")
    torch.testing.assert_close(both.parameters, many.parameters)
    assert curve_fit(half, X, y, {"b": 1, "a": 1}).names == ("a", "b")
    assert curve_fit(lambda x, a: a * x, X, y, 1.0).parameters.shape == (1,)


def test_each_form_of_x_and_y():
    y = measured(line, [2, 1])
    expected = curve_fit(line, X, y).parameters
    for x in (X.numpy(), X.tolist(), X.numpy()[::-1][::-1]):
        for z in (y.numpy(), y.tolist(), tuple(y.tolist()), y.clone().requires_grad_()):
            torch.testing.assert_close(curve_fit(line, x, z).parameters, expected, rtol=1e-12, atol=0)
    polars = pytest.importorskip("polars")
    fit = curve_fit(line, polars.Series(X.numpy()), polars.Series(y.numpy()))
    torch.testing.assert_close(fit.parameters, expected, rtol=1e-12, atol=0)


def test_whole_numbers():
    fit = curve_fit(line, [0, 1, 2, 3, 4], [1, 3, 5, 8, 9])
    torch.testing.assert_close(fit.parameters, torch.tensor([2.1, 1.0], dtype=torch.float64))


@pytest.mark.parametrize("form", [tuple, list, np.stack, torch.stack])
def test_several_inputs(form, recwarn):
    parts = [X, X.square()]
    y = 2 * X - 0.3 * X.square()
    arrays = form([part.numpy() for part in parts]) if form is not torch.stack else form(parts)
    for x in (arrays, form(parts)) if form in (tuple, list) else (arrays,):
        fit = curve_fit(lambda x, a, b: a * x[0] + b * x[1], x, y)
        torch.testing.assert_close(fit.parameters, torch.tensor([2, -0.3], dtype=torch.float64))
    assert not recwarn.list


def test_x_may_be_whatever_f_takes():
    y = measured(line, [2, 1])
    expected = curve_fit(line, X, y).parameters
    for x, f in (({"t": X}, lambda x, a, b: line(x["t"], a, b)), (None, lambda _, a, b: line(X, a, b))):
        torch.testing.assert_close(curve_fit(f, x, y).parameters, expected)


def test_complex_x_stays_complex():
    """Such as an impedance; y is real."""
    z = torch.complex(X, 2 - X)
    y = (3 + 0.5 * z).abs()
    for x in (z, z.numpy(), z.tolist()):
        fit = curve_fit(lambda x, a, b: (a + b * x).abs(), x, y, [1, 1])
        torch.testing.assert_close(fit.parameters, torch.tensor([3, 0.5], dtype=torch.float64))


def test_float32_is_computed_in_double():
    """The numbers are float32's, the arithmetic is not: it ends where double precision does."""
    x, y = X.float(), measured(decay, [2.5, 1.3, 0.5]).float()
    fit = curve_fit(decay, x, y, torch.ones(3))
    parameters, _ = scipys(decay, x.double().numpy(), y.double().numpy(), [1, 1, 1])
    assert fit.parameters.dtype == fit.covariance.dtype == torch.float64
    np.testing.assert_allclose(fit.parameters, parameters, rtol=1e-8)


def test_a_function_that_answers_in_float32_ends():
    fit = curve_fit(lambda x, *p: decay(x, *p).float(), X, measured(decay, [2.5, 1.3, 0.5]), [1, 1, 1])
    expected = curve_fit(decay, X, measured(decay, [2.5, 1.3, 0.5]))
    assert not fit.outcome.failed
    torch.testing.assert_close(fit.parameters, expected.parameters, rtol=1e-5, atol=0)


def test_gradients_may_be_off_outside():
    y = measured(line, [2, 1])
    with torch.no_grad():
        assert curve_fit(line, X, y).outcome is Outcome.MINIMUM
        assert not torch.is_grad_enabled()


def test_random_numbers_outside_stay_what_they_are():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    curve_fit(line, X, measured(line, [2, 1]))
    assert torch.equal(torch.rand(3), expected)


# What comes back ---------------------------------------------------------------------------------
def test_unpacking_and_words():
    y = measured(decay, [2.5, 1.3, 0.5])
    fit = curve_fit(decay, X, y)
    parameters, covariance = fit
    assert parameters is fit.parameters and covariance is fit.covariance
    *lines, last = str(fit).splitlines()
    assert [one.split()[0] for one in lines] == ["a", "b", "c"]
    assert [float(one.split()[2]) for one in lines] == pytest.approx(fit.parameters.tolist(), rel=1e-9)
    assert [float(one.split()[4]) for one in lines] == pytest.approx(fit.errors.tolist(), rel=1e-2)
    assert last == f"minimum: {fit.why}"
    assert not fit.parameters.requires_grad and not fit.covariance.requires_grad
    assert fit.steps <= fit.evaluations
    assert isinstance(fit, descend.CurveFit)


def test_out_of_steps_keeps_the_best():
    y = measured(decay, [2.5, 1.3, 0.5])
    fit = curve_fit(decay, X, y, steps=2)
    assert fit.outcome is Outcome.OUT_OF_STEPS and fit.steps == 2
    assert float(fit.residuals.square().sum()) < float((decay(X, 1, 1, 1) - y).square().sum())
    torch.testing.assert_close(fit.residuals, decay(X, *fit.parameters) - y)


def test_exact_data_have_no_error():
    fit = curve_fit(decay, X, decay(X, 2.5, 1.3, 0.5))
    torch.testing.assert_close(fit.parameters, torch.tensor([2.5, 1.3, 0.5], dtype=torch.float64))
    assert fit.outcome is Outcome.MINIMUM and float(fit.errors.max()) < 1e-12


# What goes wrong ends in an outcome --------------------------------------------------------------
@pytest.mark.parametrize("start", [[math.nan, 1, 1], [1, math.inf, 1], [1, -1e308, 1], [1e308, -300, 0]])
def test_a_start_from_which_nothing_can_be_said(start):
    fit = curve_fit(decay, X, measured(decay, [2.5, 1.3, 0.5]), start)
    assert fit.outcome is Outcome.NOT_FINITE and "at the start" in fit.why
    np.testing.assert_array_equal(fit.parameters, start)
    assert bool(fit.covariance.isinf().all()) and bool(fit.errors.isinf().all())
    assert "not finite" in str(fit)


def test_nan_in_x():
    fit = curve_fit(line, torch.where(X > 2, X, math.nan), measured(line, [2, 1]))
    assert fit.outcome is Outcome.NOT_FINITE and "NaN in x" in fit.why


def test_a_wall_of_nan_is_gone_round():
    """The minimum is before the wall: steps that land beyond it are taken back."""
    y = 0.8 * torch.sqrt(4.2 - X)
    fit = curve_fit(lambda x, a, b: a * torch.sqrt(b - x), X, y, [1, 30])
    torch.testing.assert_close(
        fit.parameters, torch.tensor([0.8, 4.2], dtype=torch.float64), rtol=1e-6, atol=0
    )
    assert fit.outcome is Outcome.MINIMUM


def test_a_wall_of_nan_before_the_minimum():
    """The minimum, at a = 2.5, is beyond the wall: it stops before it and calls that no minimum."""

    def walled(x, a, b, c):
        return torch.where(a < 1.5, decay(x, a, b, c), math.nan)

    fit = curve_fit(walled, X, measured(decay, [2.5, 1.3, 0.5]), [1, 1, 1])
    assert bool(fit.parameters.isfinite().all()) and 1.4 < float(fit.parameters[0]) < 1.5
    assert fit.outcome is Outcome.NO_MORE_PROGRESS and "no finite numbers" in fit.why


@pytest.mark.parametrize(
    "f",
    [lambda x, a, b: a * b * x, lambda x, a, b: a * x, lambda x, a, b: (a + b) * x],
    ids=["product", "unused", "sum"],
)
def test_parameters_that_the_data_do_not_determine(f):
    y = measured(line, [2, 0])
    fit = curve_fit(f, X, y)
    assert fit.outcome is Outcome.MINIMUM and "Jacobian is singular" in fit.why
    assert bool(fit.covariance.isinf().all()) and bool(fit.errors.isinf().all())
    best = (X @ y) / (X @ X)
    torch.testing.assert_close(f(X, *fit.parameters), best * X, rtol=1e-9, atol=0)
    assert "± inf" in str(fit)


def test_fewer_measurements_than_parameters():
    x, y = X[::20], measured(decay, [2.5, 1.3, 0.5])[::20]
    fit = curve_fit(decay, x, y)
    assert len(x) == 2 and not fit.outcome.failed
    assert float(fit.residuals.abs().max()) < 1e-9
    for absolute in (False, True):
        covariance = curve_fit(decay, x, y, absolute_sigma=absolute).covariance
        assert covariance.shape == (3, 3) and bool(covariance.isinf().all())


def test_as_many_measurements_as_parameters():
    """The residuals, all zero, say nothing of the error; a sigma that is known does. scipy says the same."""
    x, y = X[[0, 9]], measured(line, [2, 1])[[0, 9]]
    assert bool(curve_fit(line, x, y).errors.isinf().all())
    fit = curve_fit(line, x, y, sigma=[0.1, 0.2], absolute_sigma=True)
    _, covariance = scipys(line, x.numpy(), y.numpy(), [1, 1], sigma=[0.1, 0.2], absolute_sigma=True)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-8)


@pytest.mark.parametrize(
    ("r", "J"), [([math.nan, 0, 0], 1.0), ([math.inf, 0, 0], 1.0), ([1, 1, 1], math.nan), ([1, 1, 1], 0.0)]
)
def test_no_covariance_is_infinite(r, J):
    r = torch.tensor(r, dtype=torch.float64)
    found = covariance_of(r, torch.tensor([[J, 1], [1, 2], [2, 1]], dtype=torch.float64) * (J and 1))
    assert found.shape == (2, 2) and bool(found.isinf().all())


def test_covariance_of_columns_of_any_length():
    """Parameters whose sizes differ by 1e20 are no sign of a singular matrix."""
    J = torch.tensor([[1e12, 1e-8], [2e12, -1e-8], [0.5e12, 3e-8]], dtype=torch.float64)
    r = torch.tensor([0.1, 0.2, -0.1], dtype=torch.float64)
    scaled = J / torch.tensor([1e12, 1e-8], dtype=torch.float64)
    expected = torch.linalg.inv(scaled.T @ scaled) * (r @ r)
    units = torch.tensor([[1e24, 1e4], [1e4, 1e-16]], dtype=torch.float64)
    torch.testing.assert_close(covariance_of(r, J) * units, expected)


# What cannot be fitted is said -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x, a: a * np.exp(x.numpy()), "torch.exp for np.exp"),
        (lambda x, a: np.exp(-a * x), "torch.exp for np.exp"),
        (lambda x, a: a.item() * x, "torch.exp for np.exp"),
        (lambda x, a: x, "depend on no parameter"),
        (lambda x, a: (a * x).tolist(), "came a list"),
        (lambda x, a: None, "came a NoneType"),
        (lambda x, a: a, "shape (30,), as y is; came float64 of shape ()"),
        (lambda x, a: (a * x)[:, None], "came float64 of shape (30, 1)"),
        (lambda x, a: (a * x)[:4], "came float64 of shape (4,)"),
        (lambda x, a: (a * x).long(), "came int64"),
        (lambda x, a: a * x * 1j, "came complex128"),
    ],
)
def test_functions_that_are_none(f, said):
    with pytest.raises(DataError) as caught:
        curve_fit(f, X, X)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_errors_of_a_persons_own_function_stay_theirs():
    with pytest.raises(ZeroDivisionError):
        curve_fit(lambda x, a: 1 / 0, X, X)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (torch.where(X < 2, X, math.nan), "NaN or infinity"),
        (torch.where(X < 2, X, math.inf), "NaN or infinity"),
        (X[:, None], "shape (30, 1)"),
        ([], "shape (0,)"),
        (1.0, "shape ()"),
        (["a"] * 30, "came a list"),
        (["1"] * 30, "came a list"),
        ([None, 1.0] * 15, "NaN or infinity"),
        (None, "came a NoneType"),
        (X * 1j, "complex"),
    ],
)
def test_measurements_that_are_none(y, said):
    with pytest.raises(DataError) as caught:
        curve_fit(line, X, y)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"start": [1]}, "2 numbers to start from, for a, b; came 1"),
        ({"start": [1, 2, 3]}, "came 3"),
        ({"start": {"a": 1}}, "a start for a, b; came a"),
        ({"start": {"a": 1, "c": 1}}, "a start for a, b; came a, c"),
        ({"start": {}}, "a start for a, b; came none"),
        ({"start": "ab"}, "a start of numbers; came 'ab'"),
        ({"start": []}, "at least one parameter"),
        ({"start": [[1, 1]]}, "a start of numbers"),
        ({"start": [1, 1j]}, "a start of numbers"),
        ({"bounds": (1, 0)}, "lower bounds at most the upper ones"),
        ({"bounds": (math.nan, 1)}, "lower bounds at most the upper ones"),
        ({"bounds": ([0, 0, 0], 1)}, "bounds=(lower, upper) with a number each, or 2; came [0, 0, 0]"),
        ({"bounds": 5}, "bounds=(lower, upper)"),
        ({"bounds": (1, 2, 3)}, "bounds=(lower, upper)"),
        ({"bounds": ("a", 1)}, "bounds=(lower, upper)"),
        ({"bounds": (0, 9), "method": "lbfgs"}, "lm keeps them"),
        ({"sigma": [1, 2]}, "sigma of shape (30,) or (30, 30); came shape (2,)"),
        ({"sigma": "a"}, "sigma of shape (30,)"),
        ({"sigma": 0}, "errors above 0"),
        ({"sigma": -X}, "errors above 0"),
        ({"sigma": X * math.nan}, "errors above 0"),
        ({"sigma": -np.eye(30)}, "positive definite"),
        ({"sigma": np.eye(30) * math.nan}, "positive definite"),
        ({"method": "adamw"}, "a method that uses curvature; came 'adamw'"),
        ({"method": "lmm"}, "the name of a method"),
        ({"steps": 0}, "at least 1 for steps"),
    ],
)
def test_what_does_not_fit_is_said(given, said):
    with pytest.raises(UsageError) as caught:
        curve_fit(line, X, measured(line, [2, 1]), **given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_no_bounds_is_infinity():
    y = measured(line, [2, 1])
    expected = curve_fit(line, X, y).parameters
    for bounds in ((None, None), [None, math.inf], (None, (9, 9)), (torch.tensor(-99.0), np.array([9, 9]))):
        torch.testing.assert_close(curve_fit(line, X, y, bounds=bounds).parameters, expected)


@pytest.mark.parametrize("f", [lambda x, *p: x, lambda x: x, functools.partial(max)])
def test_a_function_that_names_no_parameter_needs_a_start(f):
    with pytest.raises(UsageError, match=r"give start=\[\.\.\.\]"):
        curve_fit(f, X, X)


# What NIST certifies -----------------------------------------------------------------------------
# Statistical Reference Datasets, nonlinear regression, https://www.itl.nist.gov/div898/strd: in the public
# domain. Rows are (y, x); then the two starts, the certified parameters and their standard deviations.
CERTIFIED = {
    "Misra1a": (
        lambda x, b1, b2: b1 * (1 - torch.exp(-b2 * x)),
        "10.07 77.6 14.73 114.9 17.94 141.1 23.93 190.8 29.61 239.9 35.18 289.0 40.02 332.8 44.82 378.4"
        " 50.76 434.8 55.05 477.3 61.01 536.8 66.40 593.1 75.47 689.1 81.78 760.0",
        ([500, 0.0001], [250, 0.0005]),
        [2.3894212918e02, 5.5015643181e-04],
        [2.7070075241e00, 7.2668688436e-06],
    ),
    "BoxBOD": (
        lambda x, b1, b2: b1 * (1 - torch.exp(-b2 * x)),
        "109 1 149 2 149 3 191 5 213 7 224 10",
        ([1, 1], [100, 0.75]),
        [2.1380940889e02, 5.4723748542e-01],
        [1.2354515176e01, 1.0455993237e-01],
    ),
    "MGH09": (
        lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
        "0.1957 4 0.1947 2 0.1735 1 0.16 0.5 0.0844 0.25 0.0627 0.167 0.0456 0.125 0.0342 0.1 0.0323 0.0833"
        " 0.0235 0.0714 0.0246 0.0625",
        ([25, 39, 41.5, 39], [0.25, 0.39, 0.415, 0.39]),
        [1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01],
        [1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02],
    ),
    "Rat43": (
        lambda x, b1, b2, b3, b4: b1 / (1 + torch.exp(b2 - b3 * x)) ** (1 / b4),
        "16.08 1 33.83 2 65.80 3 97.20 4 191.55 5 326.20 6 386.87 7 520.53 8 590.03 9 651.92 10 724.93 11"
        " 699.56 12 689.96 13 637.56 14 717.41 15",
        ([100, 10, 1, 1], [700, 5, 0.75, 1.3]),
        [6.9964151270e02, 5.2771253025e00, 7.5962938329e-01, 1.2792483859e00],
        [1.6302297817e01, 2.0828735829e00, 1.9566123451e-01, 6.8761936385e-01],
    ),
}  # fmt: skip


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", CERTIFIED)
def test_certified_digits(name, start):
    f, rows, starts, parameters, deviations = CERTIFIED[name]
    y, x = np.array(rows.split(), dtype=float).reshape(-1, 2).T
    fit = curve_fit(f, x, y, starts[start])
    assert fit.outcome is Outcome.MINIMUM
    np.testing.assert_allclose(fit.parameters, parameters, rtol=1e-9)
    np.testing.assert_allclose(fit.errors, deviations, rtol=1e-6)
