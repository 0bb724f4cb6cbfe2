"""The test problems against the paper, MINPACK's own drivers, other people's code and scipy."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from descend.errors import UsageError
from descend.functions import testing_functions_any_size as sized
from descend.functions.sum_of_squares import Residuals, SumOfSquares
from descend.functions.testing_problems import TESTING_PROBLEMS, testing_problem

ROWS = [pytest.param(row, id=name) for name, row in TESTING_PROBLEMS.items()]
ATTAINED = [
    pytest.param(row, least.value, point, least.within, id=f"{name}-{least.value:.3g}-{k}")
    for name, row in TESTING_PROBLEMS.items()
    for least in row.minima
    for k, point in enumerate(least.minimisers)
]

PAPER = {
    "rosenbrock": "0",
    "freudenstein-roth": "0 48.9842",
    "powell-badly-scaled": "0",
    "brown-badly-scaled": "0",
    "beale": "0",
    "jennrich-sampson": "124.362",
    "helical-valley": "0",
    "bard": "8.21487e-3 17.4286",
    "gaussian": "1.12793e-8",
    "meyer": "87.9458",
    "gulf": "0",
    "box": "0",
    "powell-singular": "0",
    "wood": "0",
    "kowalik-osborne": "3.07505e-4 1.02734e-3",
    "brown-dennis": "85822.2",
    "osborne-1": "5.46489e-5",
    "biggs-exp6": "0 5.65565e-3",
    "osborne-2": "4.01377e-2",
    "watson": "2.28767e-3",
    "extended-rosenbrock": "0",
    "extended-powell": "0",
    "penalty-1": "7.08765e-5",
    "penalty-2": "2.93660e-4",
    "variably-dimensioned": "0",
    "trigonometric": "0",
    "brown-almost-linear": "0",
    "discrete-boundary-value": "0",
    "discrete-integral-equation": "0",
    "broyden-tridiagonal": "0",
    "broyden-banded": "0",
    "linear-full-rank": "5",
    "linear-rank-1": "2.14286",
    "linear-rank-1-with-zeros": "3.64706",
    "chebyquad": "3.51687e-3",
}
"""The paper's minima, cut after six digits, as two copies quote them: the R package funconstrain, and Ceres
Solver's examples/more_garbow_hillstrom.cc for the first 19 (those of the linear functions are formulas)."""

MINPACK_NORMS = {
    "linear-full-rank": (5.0000000,),
    "linear-rank-1": (2.9152187e02,),
    "linear-rank-1-with-zeros": (1.2603968e02,),
    "rosenbrock": (4.9193496, 1.3400631e03, 1.4300005e05),
    "helical-valley": (5.0000000e01, 1.0295630e02, 9.9126182e02),
    "powell-singular": (1.4662878e01, 1.2709839e03, 1.2688790e05),
    "freudenstein-roth": (2.0012496e01, 1.2432834e04, 1.1426455e07),
    "bard": (6.4561363, 3.6141853e01, 3.8411468e02),
    "kowalik-osborne": (7.2891510e-02, 2.9793701, 2.9959062e01),
    "meyer": (4.1153467e04, 4.1682169e06),
    "watson": (5.4772256,),
    "box": (3.2111584e01,),
    "jennrich-sampson": (6.4585650e01,),
    "brown-dennis": (2.8154384e03, 5.5507335e05, 6.1211252e07),
    "chebyquad": (1.9651386e-01,),
    "brown-almost-linear": (1.6530216e01, 9.7656240e06, 9.7656250e16),
    "osborne-1": (9.3756402e-01,),
    "osborne-2": (1.4468654,),
    "powell-badly-scaled": (1.0654866,),
    "discrete-boundary-value": (2.8080582e-02, 5.2555258e-01, 1.0657390e02),
    "discrete-integral-equation": (2.5182701e-01, 6.1168330, 1.2693089e03),
    "trigonometric": (8.4117534e-02, 2.0305195e01, 9.3369375e01),
    "broyden-tridiagonal": (4.5825757, 6.3910093e02, 6.3337583e04),
    "broyden-banded": (1.8973666e01, 1.7130922e04, 1.5949860e07),
}
"""Norms of the residuals at 1, 10 and 100 times the start, printed by MINPACK's drivers lmddrv and hybdrv."""

ELSEWHERE = {
    "rosenbrock": 15.462878507224747,
    "freudenstein-roth": 519.3365398073832,
    "powell-badly-scaled": 2578.9320442371586,
    "brown-badly-scaled": 999997891942.548,
    "beale": 13.047714249729431,
    "jennrich-sampson": 3452.3025420452395,
    "helical-valley": 2517.221844918527,
    "bard": 52.39902835446351,
    "gaussian": 0.002780461460117649,
    "meyer": 284695494.09758776,
    "gulf": 13.265378813874328,
    "box": 821.9373107722436,
    "powell-singular": 304.34260519732777,
    "wood": 21295.574819112313,
    "kowalik-osborne": 0.008173418030776243,
    "brown-dennis": 9335585.989536015,
    "osborne-1": 13.130348029256325,
    "biggs-exp6": 0.7021791633383534,
    "osborne-2": 3.5807002690037324,
    "watson": 30.464651856356113,
    "extended-rosenbrock": 176.74752938626915,
    "extended-powell": 685.4600567065659,
    "penalty-1": 133337.50295166796,
    "penalty-2": 158.66317510517212,
    "variably-dimensioned": 2224293.2412763266,
    "trigonometric": 0.007411316451750002,
    "brown-almost-linear": 280.64286305116207,
    "discrete-boundary-value": 0.0025174182775558195,
    "discrete-integral-equation": 0.06512014728744127,
    "broyden-tridiagonal": 25.032861400416905,
    "broyden-banded": 419.2231277307725,
    "linear-full-rank": 24.52520165625983,
    "linear-rank-1": 79961.30408890007,
    "linear-rank-1-with-zeros": 13659.934419734102,
    "chebyquad": 0.1478013515742374,
}
"""Sums of squares :func:`beside` the start by others' code: cminpack's ssqfcn.c and vecfcn.c, compiled, and
PyOPUS's mgh.py for the functions that they do not have; the two agree where both have one."""

TOWARDS = {
    "beale": (1, lambda s: (-s, 1 + 13.875 / 14 / s)),
    "jennrich-sampson": (1, lambda s: (-s, 0.33148527792217)),
    "bard": (1, lambda s: (0.84066666666666667, -s, -s)),
    "box": (1, lambda s: (0.6136003525261593, s, 1.3199552092025277)),
    "kowalik-osborne": (1, lambda s: (0.022095935730168 * s, -14.0758834006, -s, -0.6238013410487 * s)),
    "biggs-exp6": (
        2,
        lambda s: (1.227555947524, s, 0.832703063334660, 0.0, 1.227555947524, 0.832703063334660),
    ),
    "osborne-2": (1, lambda s: (0.917038418803, 1, 1, 1, 0.1327547810947, 1, 1, 1, s, s, s)),
}
"""Which of the minima is only approached, and a path along which it is."""


def point(numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def beside(row: SumOfSquares) -> Tensor:
    x = point(row.start)
    return x + 0.1 * torch.cos(torch.arange(1, row.n + 1, dtype=x.dtype)) * x.abs().clamp(min=0.1)


def sum_of_squares(residuals: Residuals, x: Tensor) -> Tensor:
    return (residuals(x) ** 2).sum()


def hessian(residuals: Residuals, x: Tensor) -> Tensor:
    return torch.func.hessian(lambda x: sum_of_squares(residuals, x))(x)


def descended(residuals: Residuals, x: Tensor, most: int = 400) -> float:
    """Return where MINPACK's Levenberg–Marquardt, through scipy, ends from a point."""
    jacobian = torch.func.jacfwd(residuals)
    found = least_squares(
        lambda x: residuals(torch.from_numpy(x)).numpy(),
        x.numpy(),
        lambda x: jacobian(torch.from_numpy(x)).numpy(),  # pyright: ignore[reportArgumentType]
        method="lm",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
        max_nfev=most,
    )
    return 2 * float(found.cost)


def test_the_table_is_the_papers() -> None:
    assert [row.number for row in TESTING_PROBLEMS.values()] == list(range(1, 36))
    assert PAPER.keys() == ELSEWHERE.keys() == TESTING_PROBLEMS.keys()
    for name, row in TESTING_PROBLEMS.items():
        assert name == row.name == name.lower()
        assert "_" not in name
        assert row.source


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_complete(row: SumOfSquares) -> None:
    assert row.residuals(point(row.start)).shape == (row.m,)
    assert row.m >= row.n
    assert row.minima[0].attained
    assert row.minimum == min(least.value for least in row.minima)
    assert all(len(x) == row.n for least in row.minima for x in least.minimisers)


@pytest.mark.parametrize("row", ROWS)
def test_the_minima_are_the_papers(row: SumOfSquares) -> None:
    ours = [least.value for least in row.minima]
    for printed in map(float, PAPER[row.name].split()):
        assert any(value == pytest.approx(printed, rel=6e-6, abs=0) for value in ours), printed


@pytest.mark.parametrize("name", MINPACK_NORMS)
def test_the_starts_are_minpacks(name: str) -> None:
    row = TESTING_PROBLEMS[name]
    for k, norm in enumerate(MINPACK_NORMS[name]):
        ours = row.residuals(10**k * point(row.start)).norm()
        assert float(ours) == pytest.approx(norm, rel=1e-7), k


@pytest.mark.parametrize("row", ROWS)
def test_the_values_are_those_of_other_code(row: SumOfSquares) -> None:
    ours = float(sum_of_squares(row.residuals, beside(row)))
    assert ours == pytest.approx(ELSEWHERE[row.name], rel=1e-12)


@pytest.mark.parametrize(("row", "value", "x", "within"), ATTAINED)
def test_a_minimum_is_the_value_at_its_minimisers(row, value, x, within) -> None:
    assert float(sum_of_squares(row.residuals, point(x))) == pytest.approx(value, rel=1e-11, abs=1e-24)


@pytest.mark.parametrize(("row", "value", "x", "within"), ATTAINED)
def test_a_minimiser_is_stationary_and_curves_upwards(row, value, x, within) -> None:
    r, columns = row.residuals(point(x)), torch.func.jacrev(row.residuals)(point(x))
    if value > 0:  # the cosine between the residuals and each column, which no scaling of x changes
        cosines = (columns.T @ r).abs() / (columns.norm(dim=0) * r.norm()).clamp(min=1e-300)
        assert cosines.max() < 1e-8
    curvature = hessian(row.residuals, point(x))
    scale = curvature.diagonal().abs().clamp(min=1e-12).rsqrt()
    lowest = torch.linalg.eigvalsh(scale[:, None] * curvature * scale).min()
    assert (lowest > -1e-9) if not within else (lowest < -1e-3)


@pytest.mark.parametrize(("row", "value", "x", "within"), ATTAINED)
def test_scipy_finds_nothing_lower_from_a_minimiser(row, value, x, within) -> None:
    if not within:
        assert descended(row.residuals, point(x)) >= value * (1 - 1e-11)


@pytest.mark.parametrize("row", ROWS)
def test_scipy_finds_nothing_lower_from_elsewhere(row: SumOfSquares) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        step = torch.randn(row.n, generator=generator, dtype=torch.float64)
        x = beside(row) + 0.3 * step * point(row.start).abs().clamp(min=0.3)
        ended = descended(row.residuals, x, most=60)
        assert not ended < row.minimum * (1 - 1e-9)  # nan, where it overflowed, is not lower


@pytest.mark.parametrize("name", TOWARDS)
def test_a_minimum_at_infinity_is_approached(name: str) -> None:
    row = TESTING_PROBLEMS[name]
    which, path = TOWARDS[name]
    assert not row.minima[which].attained
    near, far = (sum_of_squares(row.residuals, point(path(s))) for s in (1e4, 1e6))
    assert float(far) == pytest.approx(row.minima[which].value, rel=1e-5)
    assert abs(far - row.minima[which].value) <= abs(near - row.minima[which].value) + 1e-9 * far


def test_every_minimum_at_infinity_has_its_path() -> None:
    known = {
        (row.name, k) for row in TESTING_PROBLEMS.values() for k, m in enumerate(row.minima) if not m.attained
    }
    assert known == {(name, which) for name, (which, _) in TOWARDS.items()}


@pytest.mark.parametrize("row", ROWS)
def test_the_jacobian_is_the_differences(row: SumOfSquares) -> None:
    x = beside(row)
    forward, reverse = torch.func.jacfwd(row.residuals)(x), torch.func.jacrev(row.residuals)(x)
    torch.testing.assert_close(forward, reverse, rtol=1e-12, atol=1e-12)
    for j in range(row.n):
        h = torch.zeros_like(x)
        h[j] = 1e-5 * max(1e-2, float(x[j].abs()))
        differences = (row.residuals(x + h) - row.residuals(x - h)) / (2 * h[j])
        error = (forward[:, j] - differences).abs().max()
        rounding = 1e-15 * (row.residuals(x).abs().max() + 1) / h[j]
        assert error <= 1e-7 * forward[:, j].abs().max() + rounding


@pytest.mark.parametrize("row", ROWS)
def test_derivatives_are_finite_at_the_start(row: SumOfSquares) -> None:
    x = point(row.start)
    assert torch.func.jacrev(row.residuals)(x).isfinite().all()
    assert hessian(row.residuals, x).isfinite().all()


@pytest.mark.parametrize("row", ROWS)
def test_a_batch_is_its_points_one_by_one(row: SumOfSquares) -> None:
    x = torch.stack([point(row.start), beside(row)])
    together = torch.func.vmap(row.residuals)(x)
    alone = torch.stack([row.residuals(one) for one in x])
    torch.testing.assert_close(together, alone, rtol=1e-13, atol=1e-13)
    jacobians = torch.func.vmap(torch.func.jacrev(row.residuals))(x)
    assert jacobians.shape == (2, row.m, row.n)


@pytest.mark.parametrize("row", ROWS)
def test_the_dtype_is_the_points(row: SumOfSquares) -> None:
    single = row.residuals(beside(row).float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, row.residuals(beside(row)).float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("residuals", "start", "value"),
    [
        (sized.watson, (0.0,) * 9, 1.39976e-6),
        (sized.watson, (0.0,) * 12, 4.72238e-10),
        (sized.penalty_1, (1.0, 2.0, 3.0, 4.0), 2.24997e-5),
        (sized.penalty_2, (0.5,) * 4, 9.37629e-6),
        (sized.chebyquad, tuple(i / 10 for i in range(1, 10)), 0.0),
        (sized.chebyquad, tuple(i / 11 for i in range(1, 11)), 6.50395e-3),
        (sized.brown_almost_linear, (0.5,) * 30, 0.0),
        (sized.linear_full_rank(50), (1.0,) * 5, 45.0),
        (sized.linear_rank_1(50), (1.0,) * 5, 50 * 49 / 202),
        (sized.linear_rank_1_with_zeros(50), (1.0,) * 5, (2500 + 150 - 6) / 194),
    ],
)
def test_the_papers_minima_in_other_sizes(residuals: Residuals, start, value: float) -> None:
    assert descended(residuals, point(start)) == pytest.approx(value, rel=6e-6, abs=1e-24)


def test_the_start_of_biggs_exp6_keeps_descents_on_a_plane() -> None:
    row = TESTING_PROBLEMS["biggs-exp6"]
    for x in (row.start, row.minima[1].minimisers[0]):
        gradient = torch.func.grad(lambda x: sum_of_squares(row.residuals, x))(point(x))
        assert gradient[0] == gradient[4]
        assert gradient[2] == gradient[5]


def test_one_of_the_papers_minima_is_none() -> None:
    residuals = sized.brown_almost_linear
    x = point((0.0,) * 9 + (11.0,))
    assert sum_of_squares(residuals, x) == 1
    assert (torch.func.grad(lambda x: sum_of_squares(residuals, x))(x) == 0).all()
    for c in (0.1, 0.2, 0.4):
        assert sum_of_squares(residuals, point((c,) * 9 + (11 - 10 * c,))) < 1


def test_the_helical_valley_turns_as_the_paper_has_it() -> None:
    valley = TESTING_PROBLEMS["helical-valley"].residuals
    for a, b in ((1.0, 0.5), (2.0, -3.0), (-1.0, 0.5), (-2.0, -3.0)):
        turn = math.atan(b / a) / (2 * math.pi) + (0.5 if a < 0 else 0.0)
        expected = point((10 * (0.7 - 10 * turn), 10 * (math.hypot(a, b) - 1), 0.7))
        torch.testing.assert_close(valley(point((a, b, 0.7))), expected, rtol=1e-14, atol=1e-14)
    assert float(valley(point((0.0, 2.0, 0.0)))[0]) == pytest.approx(-25.0)


class TestProblem:
    @pytest.mark.parametrize("row", ROWS)
    def test_its_loss_is_the_mean_of_the_squares(self, row: SumOfSquares) -> None:
        problem = testing_problem(row.name)
        (batch,) = problem.train.passes(1000, torch.device("cpu"))
        function = problem.fresh_function()
        loss = problem.loss_of(function, batch)
        loss.backward()
        (x,) = function.parameters()
        expected = sum_of_squares(row.residuals, point(row.start)) / row.m
        torch.testing.assert_close(loss.detach(), expected, rtol=1e-14, atol=0)
        gradient = torch.func.grad(lambda x: sum_of_squares(row.residuals, x))(point(row.start)) / row.m
        torch.testing.assert_close(x.grad, gradient, rtol=1e-12, atol=1e-12 * float(gradient.abs().max()))
        assert problem.evaluate(function, problem.train)["loss"] == pytest.approx(float(expected), rel=1e-14)
        assert problem.minimum == row.minimum / row.m

    def test_it_is_whole_in_float64_from_the_standard_start(self) -> None:
        problem = testing_problem("osborne-1")
        (x,) = problem.function.parameters()
        assert x.dtype == torch.float64
        assert x.tolist() == [0.5, 1.5, -1.0, 0.01, 0.02]
        assert problem.count == 5
        assert problem.has_data
        assert len(problem.train) == 33
        assert problem.settings.batch_size is None
        first = problem.train.batches(len(problem.train), 0, torch.device("cpu")).next()
        assert [part.tolist() for part in first] == [[0.0] * 33]

    def test_its_facts_are_json(self) -> None:
        for name in TESTING_PROBLEMS:
            facts = testing_problem(name).facts
            assert json.loads(json.dumps(facts)) == facts
            assert facts["minimum"] == facts["minima"][0]

    def test_names_are_found_in_any_spelling(self) -> None:
        assert testing_problem(" Brown_Badly scaled").name == "brown-badly-scaled"
        with pytest.raises(UsageError, match="did you mean jennrich-sampson"):
            testing_problem("jenrich-samson")

    def test_the_loop_descends_it(self, tmp_path) -> None:
        from descend.descent.until import Until
        from descend.runs.fit import fit

        problem = testing_problem("rosenbrock")
        run = fit(problem, method="adamw", lr=0.05, until=Until(steps=50), out=tmp_path / "run")
        assert run.loss < 24.2 / 2
        assert np.isfinite(run.loss)
