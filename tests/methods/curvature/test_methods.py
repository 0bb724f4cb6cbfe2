"""What every method that uses curvature must bear, from the table of them."""

import copy
import itertools
import math
import pickle

import pytest
import torch
from torch import nn

import descend
from descend.descent.descent import Descent
from descend.descent.outcome import Outcome
from descend.errors import UsageError
from descend.functions.surface_table import SURFACES
from descend.functions.testing_problems import TESTING_PROBLEMS, testing_problem
from descend.methods import CURVATURE
from descend.methods.curvature import least_squares

OF_SQUARES = [name for name, cls in CURVATURE.items() if cls.of_squares]
OF_ANY = [name for name in CURVATURE if name not in (*OF_SQUARES, "gaussnewton")]
SEARCHING = [name for name, cls in CURVATURE.items() if "line_search" in cls.defaults]

every = pytest.mark.parametrize("name", list(CURVATURE))
of_any = pytest.mark.parametrize("name", OF_ANY)


def curve(dtype=torch.float64, start=(1.0, 0.0)) -> descend.Problem:
    """Return the problem of finding 2 exp(−3x)."""
    x = torch.linspace(0, 1, 20, dtype=dtype)
    return descend.Problem(
        lambda p, x: p["a"] * torch.exp(p["b"] * x),
        "mse",
        train=(x, 2 * torch.exp(-3 * x) + 0.01 * torch.sin(40 * x)),
        parameters={"a": torch.tensor(start[0], dtype=dtype), "b": torch.tensor(start[1], dtype=dtype)},
    )


@every
def test_it_ends_at_the_minimum_and_knows_it(name: str) -> None:
    descent = Descent(curve(), name)
    assert descent.run(descend.Until(steps=300)) is Outcome.MINIMUM
    assert descent.ended is not None and descent.ended.why.endswith(".")
    gradient = torch.autograd.grad(
        descent.problem.loss_of(descent.function, descent.problem.train.tensors), descent.parameters
    )
    assert max(g.abs().item() for g in gradient) < 1e-13


@every
def test_all_end_at_the_same_point(name: str) -> None:
    descent = Descent(curve(), name)
    descent.run(descend.Until(steps=300))
    sure = Descent(curve(), "levenbergmarquardt")
    sure.run(descend.Until(steps=300))
    for p, q in zip(descent.result().parameters(), sure.result().parameters(), strict=True):
        assert p.item() == pytest.approx(q.item(), rel=1e-10)


@of_any
@pytest.mark.parametrize("surface", ["rosenbrock", "beale", "wood", "himmelblau", "goldstein-price", "booth"])
def test_surfaces(name: str, surface: str) -> None:
    row = SURFACES[surface]
    w = nn.Parameter(torch.tensor(row.start, dtype=torch.float64))
    method = CURVATURE[name]([w])
    for _ in range(600):
        method.step(lambda: row.function(w))
        if method.ended:
            break
    assert method.ended is not None and method.ended.outcome == "minimum"
    assert row.function(w).item() == pytest.approx(row.minimum, abs=1e-12)


@pytest.mark.parametrize("name", list(TESTING_PROBLEMS))
def test_the_default_method_meets_a_known_minimum(name: str) -> None:
    problem, row = testing_problem(name), TESTING_PROBLEMS[name]
    descent = Descent(problem)
    assert not descent.run(descend.Until(steps=3000)).failed
    value = descent.loss * row.m
    first = descent.first_loss * row.m
    assert any(
        abs(value - one.value) <= 1e-10 * (one.value or min(first, 1.0)) or value < row.minimum
        for one in row.minima
    )


@every
def test_a_step_never_climbs(name: str) -> None:
    descent = Descent(curve(start=(5.0, 2.0)), name)
    losses = []
    for k in range(40):
        descent.run(descend.Until(steps=k + 1))
        losses.append(descent.method.known.item())
        if descent.ended:
            break
    assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(losses))


@every
def test_forks_and_files_go_on_bit_for_bit(name: str, tmp_path) -> None:
    descent = Descent(curve(start=(5.0, 2.0)), name)
    descent.run(descend.Until(steps=4))
    fork = descent.fork()
    descent.save(tmp_path / "state")
    loaded = Descent(curve(start=(5.0, 2.0)), name)
    loaded.load(tmp_path / "state")
    for one in (descent, fork, loaded):
        one.run(descend.Until(steps=8))
    for other in (fork, loaded):
        for p, q in zip(descent.parameters, other.parameters, strict=True):
            assert torch.equal(p, q)


@of_any
def test_closures_as_torch_has_them(name: str) -> None:
    if name.startswith("newton"):
        pytest.skip("second derivatives need a closure without backward")
    torch.manual_seed(0)
    model = nn.Linear(3, 1).double()
    x = torch.randn(20, 3, dtype=torch.float64)
    y = x @ torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64) + 4
    method = CURVATURE[name](model.parameters())

    def closure():
        method.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        return loss

    first = method.step(closure)
    for _ in range(60):
        last = method.step(closure)
    assert last < 1e-20 * first
    assert all(p.grad is not None for p in model.parameters())


@every
def test_it_survives_copying_and_its_state_loads(name: str) -> None:
    problem = curve()
    descent = Descent(problem, name)
    descent.run(descend.Until(steps=3))
    again = copy.deepcopy(descent.method)
    assert again.param_groups[0]["params"] is not descent.method.param_groups[0]["params"]
    pickle.loads(pickle.dumps(descent.method.state_dict()))
    other = Descent(problem, name).method
    other.load_state_dict(descent.method.state_dict())
    assert other.kept.keys() == descent.method.kept.keys()


@of_any
def test_what_is_no_number_beyond_a_wall_is_stayed_before(name: str) -> None:
    # log falls for ever towards 0 from above; the minimum of x − log(x − 1) lies at 2, the wall at 1.
    w = nn.Parameter(torch.tensor([40.0, 1.001], dtype=torch.float64))
    method = CURVATURE[name]([w])
    for _ in range(200):
        method.step(lambda: (w - torch.log(w - 1)).sum())
        if method.ended:
            break
    assert torch.allclose(w.detach(), torch.tensor([2.0, 2.0], dtype=torch.float64), atol=1e-7)


@every
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_start_that_is_no_number_ends_with_its_sentence(name: str, bad: float) -> None:
    descent = Descent(curve(start=(bad, 0.0)), name)
    assert descent.run(descend.Until(steps=5)) is Outcome.NOT_FINITE
    assert descent.steps == 0


@of_any
def test_at_the_minimum_already(name: str) -> None:
    w = nn.Parameter(torch.zeros(3))
    method = CURVATURE[name]([w])
    method.step(lambda: (w * w).sum())
    assert method.ended is not None and method.ended.outcome == "minimum" and not w.any()


@every
def test_float32_ends_by_itself(name: str) -> None:
    descent = Descent(curve(torch.float32), name)
    outcome = descent.run(descend.Until(steps=500))
    assert outcome in (Outcome.MINIMUM, Outcome.NO_MORE_PROGRESS)
    assert descent.loss == pytest.approx(4.801e-5, rel=2e-3)
    assert next(descent.function.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", SEARCHING)
def test_an_edge_is_no_minimum(name: str) -> None:
    """|x| + 100 |y| has an edge at y = 0, on which no gradient leads anywhere."""
    w = nn.Parameter(torch.tensor([1.0, 0.7], dtype=torch.float64))
    method = CURVATURE[name]([w])
    for _ in range(300):
        method.step(lambda: w[0].abs() + 100 * w[1].abs())
        if method.ended:
            break
    assert method.ended is not None
    assert method.ended.outcome == "no more progress" or w.detach().abs().sum() < 1e-6


@of_any
def test_a_function_that_is_not_the_gradients_ends(name: str) -> None:
    """Gradients that point uphill: no step descends, and it says so."""
    if name.startswith("newton"):
        pytest.skip("its gradients are its own")
    w = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))
    method = CURVATURE[name]([w])

    def closure():
        loss = (w * w).sum()
        (-loss).backward()
        return loss.detach()

    for _ in range(50):
        method.step(closure)
        if method.ended:
            break
    assert method.ended is not None and method.ended.outcome == "no more progress"
    assert w.tolist() == pytest.approx([1.0, 1.0], abs=1e-12)


@every
def test_bad_hyperparameters_are_one_sentence(name: str) -> None:
    cls, w = CURVATURE[name], nn.Parameter(torch.zeros(2))
    with pytest.raises(UsageError, match="hyperparameter"):
        cls([w], learning_rate=1.0)
    with pytest.raises(UsageError, match="lr"):
        cls([w], lr=-1.0)
    with pytest.raises(UsageError, match="one number format"):
        cls([w, nn.Parameter(torch.zeros(2, dtype=torch.float64))])
    with pytest.raises(UsageError, match="closure"):
        cls([w]).step()


@pytest.mark.parametrize("name", [*OF_SQUARES, "gaussnewton"])
def test_a_loss_that_it_cannot_take_is_said(name: str) -> None:
    w = nn.Parameter(torch.zeros(2))
    with pytest.raises(UsageError, match="newton"):
        CURVATURE[name]([w]).step(lambda: (w - 1).square().sum())


def test_cross_entropy_by_newton_is_logistic_regression() -> None:
    torch.manual_seed(0)
    x = torch.randn(80, 3, dtype=torch.float64)
    y = (x[:, 0] + torch.randn(80, dtype=torch.float64) > 0).long()
    for name in ("newton", "gaussnewton", "lbfgs", "newtoncg"):
        problem = descend.Problem(nn.Linear(3, 2).double(), "cross_entropy", train=(x, y))
        descent = Descent(problem, name)
        assert descent.run(descend.Until(steps=200)) is Outcome.MINIMUM
        assert descent.loss == pytest.approx(0.40600493748, rel=1e-9)


@pytest.mark.parametrize("start", [(0.5, 1e-8), (0.5, 0.0), (0.0, 0.0)])
def test_newton_leaves_a_saddle(start) -> None:
    row = SURFACES["saddle"]
    w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    method = descend.Newton([w])
    for _ in range(50):
        method.step(lambda: row.function(w))
        if method.ended:
            break
    assert row.function(w).item() == pytest.approx(row.minimum, abs=1e-12)


def test_bounds_are_kept_and_met() -> None:
    scipy = pytest.importorskip("scipy.optimize")
    x = torch.linspace(0, 1, 20, dtype=torch.float64)
    y = 2 * torch.exp(-3 * x)
    for lower, upper in (([0.0, -2.0], [5.0, 5.0]), ([0.0, -9.0], [1.5, 0.0]), ([-9.0, -9.0], [9.0, 9.0])):
        descent = Descent(curve(), "lm", hyperparameters={"lower": lower, "upper": upper})
        descent.problem.train.tensors[1].copy_(y)
        assert descent.run(descend.Until(steps=300)) is Outcome.MINIMUM
        found = torch.stack([p.detach() for p in descent.result().parameters()])
        sure = scipy.least_squares(
            lambda p: p[0] * (p[1] * x).exp().numpy() - y.numpy(), [1.0, 0.0], bounds=(lower, upper),
            ftol=1e-14, xtol=1e-14, gtol=1e-14,
        )  # fmt: skip
        assert found.tolist() == pytest.approx(sure.x.tolist(), rel=1e-5, abs=1e-7)
        assert bool((found >= torch.tensor(lower)).all() and (found <= torch.tensor(upper)).all())


BOUNDS = [(None, None), ([0.0, -2.0], [5.0, 5.0]), ([0.0, -9.0], [1.5, 0.0]), (-9.0, 9.0), (None, [1.5, 9.0])]


@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
def test_without_a_matrix_it_comes_to_the_same(monkeypatch, lower, upper) -> None:
    found = []
    for numbers in (least_squares.MOST_NUMBERS, 0):
        monkeypatch.setattr(least_squares, "FEW", 0)
        monkeypatch.setattr(least_squares, "MOST_NUMBERS", numbers)
        descent = Descent(curve(), "lm", hyperparameters={"lower": lower, "upper": upper})
        assert descent.run(descend.Until(steps=300)) is Outcome.MINIMUM
        assert descent.method.kept["matrix"] == (numbers > 0)
        found.append([p.item() for p in descent.result().parameters()])
    assert found[0] == pytest.approx(found[1], rel=1e-7)


def test_many_parameters_are_fitted_without_a_matrix() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 150), nn.Tanh(), nn.Linear(150, 1)).double()
    x = torch.randn(1200, 8, dtype=torch.float64)
    y = torch.sin(x.sum(1, keepdim=True))
    descent = Descent(descend.Problem(model, "mse", train=(x, y)), "lm", batch_size=None)
    descent.run(descend.Until(steps=30))
    assert descent.method.kept["matrix"] == 0 and descent.loss < 0.01 * descent.first_loss


@pytest.mark.parametrize(
    ("lower", "match"), [((0.0,) * 3, "one lower bound"), ("low", "numbers"), (2.0, "exchange")]
)
def test_wrong_bounds_are_refused_before_the_descent(lower, match) -> None:
    with pytest.raises(UsageError, match=match) as error:
        Descent(curve(), "lm", hyperparameters={"lower": lower, "upper": 1.0})
    assert error.value.__cause__ is None


@pytest.mark.parametrize("name", ["newton", "gaussnewton", "lm", "sophia"])
def test_recurrent_layers_have_second_derivatives(name) -> None:
    torch.manual_seed(0)

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(2, 3, batch_first=True)

        def forward(self, x):
            return self.layer(x)[0][:, -1, :1]

    x = torch.randn(20, 5, 2)
    problem = descend.Problem(Last(), "mse", train=(x, x[:, -1, :1]))
    descent = Descent(problem, name, batch_size=None, lr=1e-2)
    descent.run(descend.Until(steps=5))
    assert descent.steps == 5 and descent.loss < descent.first_loss
