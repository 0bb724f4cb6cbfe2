"""The loop with methods that ask more of it: another point to evaluate at, gradients with their graph."""

import warnings
from pathlib import Path

import pytest
import torch
from problems import bowl, classes
from torch import nn
from torch.nn import functional as F

from descend import Descent, Outcome, Problem, Until

ELSEWHERE = ["schedulefreesgd", "schedulefreeadamw"]
CURVED = ["sophia", "adahessian"]
RATE_FREE = ["prodigy", "dadaptadam", "dog"]
QUICK = {"sophia": {"lr": 0.01, "hyperparameters": {"update_period": 3}}, "adahessian": {"lr": 0.05}}


def equal(a: Descent, b: Descent) -> bool:
    one, two = a.function.state_dict(), b.function.state_dict()
    return all(torch.equal(one[k], two[k]) for k in one)


# Another point ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_validates_and_keeps_where_the_method_evaluates(name: str) -> None:
    descent = Descent(classes(norm=False), name, schedule="constant")
    descent.run(Until(steps=20), evaluate_every=20)
    trains = {k: v.clone() for k, v in descent.function.state_dict().items()}
    assert descent.best is not None and descent.best["step"] == 20
    with descent.method.evaluation():
        x = {k: v.clone() for k, v in descent.function.state_dict().items()}
        found = descent.problem.evaluate(descent.function, descent.problem.validation)
    assert found == descent.best["validation"] == descent.validation
    assert all(torch.equal(descent.best["function"][k], x[k]) for k in x)
    assert all(torch.equal(descent.result().state_dict()[k], x[k]) for k in x)
    assert any(not torch.equal(trains[k], x[k]) for k in x)
    assert all(torch.equal(descent.function.state_dict()[k], trains[k]) for k in x)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_without_validation_the_result_is_that_point_too(name: str) -> None:
    descent = Descent(classes(validation=False, norm=False), name, batch_size=32, schedule="constant")
    descent.run(Until(steps=20))
    assert descent.best is None
    with descent.method.evaluation():
        x = {k: v.clone() for k, v in descent.function.state_dict().items()}
    assert all(torch.equal(descent.result().state_dict()[k], x[k]) for k in x)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_best_of_an_exact_loss_has_the_loss_that_it_says(name: str) -> None:
    descent = Descent(bowl(), name, lr=0.3, schedule="constant", warmup=0.0)
    descent.run(Until(steps=40))
    problem = descent.problem
    assert descent.best is not None
    assert problem.evaluate(descent.result(), problem.train)["loss"] == pytest.approx(descent.best["loss"])


def test_it_needs_no_schedule_unless_one_is_asked_for() -> None:
    assert Descent(classes(), "schedulefreeadamw").settings.schedule == "constant"
    assert Descent(classes(), "schedulefreeadamw", schedule="linear").settings.schedule == "linear"
    assert Descent(classes(), "sgd").settings.schedule == "cosine"


def test_looking_more_often_does_not_change_the_descent() -> None:
    seldom, often = (Descent(classes(), "schedulefreeadamw", schedule="constant") for _ in range(2))
    seldom.run(Until(steps=20), evaluate_every=20)
    often.run(Until(steps=20), evaluate_every=3)
    assert equal(seldom, often)


# The graph of the gradient ----------------------------------------------------------------------
@pytest.mark.parametrize("name", CURVED)
def test_it_is_the_loop_one_would_write_by_hand(name: str) -> None:
    from descend.methods import TABLE

    problem = classes(dropout=0.0, norm=False, validation=False)
    settings = {"batch_size": 32, "schedule": "constant", "warmup": 0.0, "seed": 3, **QUICK[name]}
    descent = Descent(problem, name, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        descent.run(Until(steps=20))

    model = problem.fresh_function()
    given = {**QUICK[name].get("hyperparameters", {}), "lr": QUICK[name]["lr"]}
    method = TABLE[name](model.parameters(), **given)
    batches = problem.train.batches(32, 3, torch.device("cpu"))
    for _ in range(20):
        x, y = batches.next()
        method.zero_grad()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            F.cross_entropy(model(x), y).backward(create_graph=method.needs_graph)
        method.step()
    for ours, theirs in zip(descent.function.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("settings", [{"clip": 0.1}, {"accumulate": 3, "batch_size": 20}, {}], ids=str)
def test_it_goes_down_and_holds_no_graph(name: str, settings: dict) -> None:
    descent = Descent(classes(), name, **{"batch_size": 32, **QUICK[name], **settings})
    assert descent.run(Until(steps=30)) is Outcome.OUT_OF_STEPS
    assert descent.recent_loss < descent.first_loss
    assert not any(p.grad.requires_grad for p in descent.parameters if p.grad is not None)


@pytest.mark.parametrize("name", CURVED)
def test_accumulated_batches_are_one_large_batch(name: str) -> None:
    """Estimates too: the Hessian of a mean is the mean of the Hessians."""
    problem = classes(dropout=0.0, norm=False, validation=False)
    settings = {"schedule": "constant", "warmup": 0.0, **QUICK[name]}
    large = Descent(problem, name, batch_size=60, **settings)
    small = Descent(problem, name, batch_size=20, accumulate=3, **settings)
    large.run(Until(steps=6))
    small.run(Until(steps=6))
    for a, b in zip(large.function.parameters(), small.function.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CURVED)
def test_fused_attention_which_has_no_second_derivative(name: str) -> None:
    class Attention(nn.Module):
        """One head, that sees what came before."""

        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(4, 12), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.into(x)[:, None].chunk(3, -1)
            return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0, -1])

    torch.manual_seed(0)
    x = torch.randn(64, 5, 4)
    problem = Problem(Attention(), "cross_entropy", train=(x, (x.sum((1, 2)) > 0).long()))
    descent = Descent(problem, name, batch_size=16, **QUICK[name])
    assert descent.run(Until(steps=20)) is Outcome.OUT_OF_STEPS
    assert descent.recent_loss < descent.first_loss


# The state --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [*ELSEWHERE, *CURVED, *RATE_FREE])
@pytest.mark.parametrize("way", ["fork", "file"])
def test_it_goes_on_exactly(name: str, way: str, tmp_path: Path) -> None:
    """With what is kept for all parameters, and with the random signs of the steps to come."""
    settings = {"batch_size": 32, "schedule": "constant", "seed": 2, **QUICK.get(name, {})}
    if name in RATE_FREE:  # steps that are seen
        settings["hyperparameters"] = {"reps_rel": 1e-2} if name == "dog" else {"d0": 1e-3}
    descent = Descent(classes(), name, **settings)
    descent.run(Until(steps=7))
    if way == "fork":
        other = descent.fork()
    else:
        descent.save(tmp_path / "state")
        other = Descent(classes(), name, **settings)
        other.load(tmp_path / "state")
    assert equal(descent, other)
    descent.run(Until(steps=15))
    other.run(Until(steps=15))
    assert equal(descent, other)
    groups = descent.method.param_groups[0], other.method.param_groups[0]
    for key in ("d", "d_max", "distance", "squares"):
        assert (key in groups[0]) == (key in groups[1])
        if key in groups[0]:
            assert torch.equal(groups[0][key], groups[1][key])


def test_going_back_to_the_start_forgets_the_rate_that_was_found() -> None:
    descent = Descent(classes(), "prodigy", batch_size=32, seed=2)
    start = descent.snapshot()
    descent.run(Until(steps=30))
    again = Descent(classes(), "prodigy", batch_size=32, seed=2)
    descent.restore(start)
    assert "d" not in descent.method.param_groups[0]
    descent.run(Until(steps=10))
    again.run(Until(steps=10))
    assert equal(descent, again)
