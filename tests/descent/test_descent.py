"""The loop: what it computes, what it keeps, how it ends."""

import math
from pathlib import Path

import pytest
import torch
from problems import bowl, classes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from descend import DataError, Descent, Outcome, Problem, Until, UsageError
from descend.descent.loop import Loop
from descend.descent.record import Record, read_series


def equal(a: Descent, b: Descent) -> bool:
    one, two = a.function.state_dict(), b.function.state_dict()
    return all(torch.equal(one[k], two[k]) for k in one)


def test_it_is_the_loop_one_would_write_by_hand() -> None:
    problem = classes(dropout=0.0, norm=False, validation=False)
    descent = Descent(problem, "adamw", lr=0.01, batch_size=32, schedule="constant", warmup=0.0, seed=3)
    descent.run(Until(steps=40))

    model = problem.fresh_function()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    batches = problem.train.batches(32, 3, torch.device("cpu"))
    for _ in range(40):
        x, y = batches.next()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for ours, theirs in zip(descent.function.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=1e-7)


def test_the_problem_stays_as_it_was() -> None:
    problem = classes()
    before = {k: v.clone() for k, v in problem.function.state_dict().items()}
    Descent(problem).run(Until(steps=5))
    assert all(torch.equal(v, before[k]) for k, v in problem.function.state_dict().items())


def test_torchs_own_random_numbers_stay_as_they_were() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Descent(classes()).run(Until(steps=5))
    assert torch.equal(before, torch.get_rng_state())


def test_accumulated_batches_are_one_large_batch() -> None:
    problem = classes(dropout=0.0, norm=False, validation=False)
    settings = {"lr": 0.1, "schedule": "constant", "warmup": 0.0}
    large = Descent(problem, "sgd", batch_size=60, **settings)
    small = Descent(problem, "sgd", batch_size=20, accumulate=3, **settings)
    large.run(Until(steps=6))
    small.run(Until(steps=6))
    for a, b in zip(large.function.parameters(), small.function.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_clipping_bounds_the_whole_gradient() -> None:
    free, clipped = Descent(bowl(), "sgd", lr=1.0), Descent(bowl(), "sgd", lr=1.0, clip=0.25)
    for d in (free, clipped):
        d.run(Until(steps=1))
    x = clipped.function.state_dict()["x"]
    assert math.isclose(float(x.norm()), clipped.lr * 0.25, rel_tol=1e-5)
    assert float(free.function.state_dict()["x"].norm()) > 1


@pytest.mark.parametrize(
    ("until", "settings", "outcome"),
    [
        (Until(steps=7), {"lr": 0.1}, Outcome.OUT_OF_STEPS),
        (Until(seconds=0.05), {"lr": 1e-9}, Outcome.OUT_OF_TIME),
        (Until(steps=999, gradient_norm=1e-9), {"lr": 0.3, "schedule": "constant"}, Outcome.MINIMUM),
        (Until(steps=999, loss=2.5), {"lr": 0.1, "schedule": "constant"}, Outcome.SATISFIED),
        (Until(steps=999, patience=10), {"lr": 0.0}, Outcome.NO_MORE_PROGRESS),
        (Until(steps=300), {"lr": 0.9, "schedule": "constant"}, Outcome.DIVERGED),
    ],
    ids=lambda x: x.value if isinstance(x, Outcome) else "",
)
def test_outcomes(until: Until, settings: dict, outcome: Outcome) -> None:
    descent = Descent(bowl(), "sgd", warmup=0.0, **settings)
    assert descent.run(until) is outcome


def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_parameters() -> None:
    def root(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.sqrt(parameters["x"]).sum() + parameters["x"].sum()

    problem = Problem(root, parameters={"x": torch.ones(2, dtype=torch.float64)})
    descent = Descent(problem, "sgd", lr=0.4, warmup=0.0, schedule="constant")
    assert descent.run(Until(steps=50)) is Outcome.NOT_FINITE
    assert all(p.isfinite().all() for p in descent.function.parameters())


def test_validation_ends_it_and_keeps_the_best() -> None:
    descent = Descent(classes(), "adamw", lr=0.05)
    assert descent.run(Until(steps=2000, metric=0.8)) is Outcome.SATISFIED
    assert descent.best is not None
    assert descent.validation["accuracy"] >= 0.8
    found = descent.problem.evaluate(descent.result(), descent.problem.validation)
    assert found == descent.best["validation"]


def test_the_best_parameters_of_an_exact_loss_are_the_lowest_seen() -> None:
    # A rate beyond the edge of stability of one direction: it comes down first and then flies away.
    descent = Descent(bowl(), "sgd", lr=0.67, warmup=0.0, schedule="constant")
    descent.run(Until(steps=300))
    problem = descent.problem
    best = problem.evaluate(descent.result(), problem.train)["loss"]
    assert best == pytest.approx(descent.loss)
    assert best < problem.evaluate(descent.function, problem.train)["loss"]


@pytest.mark.parametrize("kind", ["tensors", "dataset", "loader", "own generator"])
def test_fork_sees_the_same_future(kind: str) -> None:
    problem = classes()
    if kind != "tensors":
        x, y = problem.train.tensors
        data = TensorDataset(x, y)
        generator = torch.Generator().manual_seed(1) if kind == "own generator" else None
        train = [(x[i], y[i]) for i in range(len(x))]
        if kind != "dataset":
            train = DataLoader(data, 32, shuffle=True, generator=generator)
        problem = Problem(problem.function, "cross_entropy", train=train)
    descent = Descent(problem, "adamw", lr=0.01, schedule="constant", batch_size=32, seed=2)
    descent.run(Until(steps=7))
    if kind == "own generator":  # one generator cannot serve two futures at once: one after the other
        state = descent.snapshot()
        descent.run(Until(steps=20))
        other = Descent(problem, "adamw", lr=0.01, schedule="constant", batch_size=32, seed=2)
        other.restore(state)
    else:
        other = descent.fork()
        descent.run(Until(steps=20))
    other.run(Until(steps=20))
    assert equal(descent, other)
    other.run(Until(steps=21))
    assert not equal(descent, other)


def test_a_snapshot_is_untouched_by_what_comes_next() -> None:
    descent = Descent(classes())
    descent.run(Until(steps=4))
    state = descent.snapshot()
    copy = {k: v.clone() for k, v in state.function.items()}
    descent.run(Until(steps=9))
    assert all(torch.equal(v, copy[k]) for k, v in state.function.items())


def test_what_is_not_a_loss_is_refused() -> None:
    problem = Problem(nn.Linear(2, 3), lambda o, t: o, train=(torch.ones(9, 2), torch.ones(9, 3)))
    with pytest.raises(DataError, match="one number"):
        Descent(problem).run(Until(steps=1))
    detached = Problem(
        nn.Linear(2, 1), lambda o, t: o.detach().mean(), train=(torch.ones(9, 2), torch.ones(9))
    )
    with pytest.raises(DataError, match="depends on no trainable parameter"):
        Descent(detached).run(Until(steps=1))


@pytest.mark.parametrize(
    "settings",
    [{"lr": -1.0}, {"batch_size": 0}, {"accumulate": 0}, {"clip": 0.0}, {"warmup": 1.0}, {"schedule": "x"},
     {"method": "adamx"}, {"learning_rate": 1.0}, {"hyperparameters": {"beta": 1}}],
    ids=str,
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    with pytest.raises(UsageError):
        Descent(bowl(), **settings)


def test_another_method_brings_its_own_rate() -> None:
    from descend import Settings

    problem = bowl()
    problem.settings = Settings(method="adamw", lr=0.5, hyperparameters={"betas": (0.5, 0.9)})
    assert Descent(problem).lr == 0.5
    assert Descent(problem, "sgd").lr == 1e-3
    assert Descent(problem, "AdamW", lr=0.1).method.param_groups[0]["betas"] == (0.5, 0.9)


def test_without_a_bound_it_does_not_start() -> None:
    with pytest.raises(UsageError):
        Descent(bowl()).run(Until())


def test_fetching_losses_together_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Off the CPU losses come sixteen at a time: the same record, the same bits, a stop a little later."""
    found = {}
    for wait in (1, 16):
        descent = Descent(classes(), "adamw", lr=0.02, batch_size=32)
        original = Loop.__init__

        def begin(self, *args, original=original, wait=wait):
            original(self, *args)
            self.wait = wait

        monkeypatch.setattr(Loop, "__init__", begin)
        record = Record(tmp_path / f"{wait}.db")
        assert descent.run(Until(steps=70), record=record) is Outcome.OUT_OF_STEPS
        record.close()
        monkeypatch.undo()
        found[wait] = (read_series(tmp_path / f"{wait}.db", "loss"), descent.loss, descent)
    assert found[1][:2] == found[16][:2]
    assert equal(found[1][2], found[16][2])
