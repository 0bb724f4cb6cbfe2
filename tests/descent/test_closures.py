"""A descent gives modifiers what they need: a closure, and evaluation where they evaluate."""

import pytest
import torch
from problems import bowl, classes

import descend
from descend import Descent, Until
from descend.errors import UsageError


def parameters_of(descent):
    return [p.detach().clone() for p in descent.parameters]


def same(some, others):
    return all(torch.equal(p, q) for p, q in zip(some, others, strict=True))


def seen_by(descent):
    """Note the batches that the loss is evaluated on."""
    seen, loss_of = [], descent.problem.loss_of

    def noted(function, batch):
        seen.append(batch)
        return loss_of(function, batch)

    descent.problem.loss_of = noted
    return seen


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_closure_evaluates_the_same_batches_again(accumulate):
    problem = classes(dropout=0.0, norm=False, validation=False)
    descent = Descent(
        problem, "sgd", lr=0.1, batch_size=20, accumulate=accumulate, hyperparameters={"sam": 0.05}
    )
    twin = Descent(problem, "sgd", lr=0.1, batch_size=20, accumulate=accumulate)
    expected = seen_by(twin)
    twin.run(Until(steps=2))
    seen = seen_by(descent)
    descent.run(Until(steps=2))
    for step in range(2):
        first, again = (seen[(2 * step + i) * accumulate :][:accumulate] for i in (0, 1))
        usual = expected[step * accumulate :][:accumulate]
        for batch, other, third in zip(first, again, usual, strict=True):
            assert torch.equal(batch[0], other[0])
            assert torch.equal(batch[0], third[0])
    assert not same(parameters_of(descent), parameters_of(twin))


@pytest.mark.parametrize("clip", [None, 0.5])
def test_sam_by_hand(clip):
    descent = Descent(bowl(), "sgd", lr=0.1, clip=clip, schedule="constant", hyperparameters={"sam": 0.5})
    descent.run(Until(steps=5))
    x, scale = torch.zeros(3, dtype=torch.float64), torch.arange(1, 4)
    for _ in range(5):
        g = scale * (x - 1)
        g = scale * (x + 0.5 * g / g.norm() - 1)
        x = x - 0.1 * g * (1.0 if clip is None else min(1.0, clip / (g.norm() + 1e-6)))
    torch.testing.assert_close(descent.parameters[0].detach(), x, rtol=1e-9, atol=0)


PARTS = {"sam": 0.05, "average": 0.9, "lookahead": 3, "cautious": True, "mars": 0.025, "clip_norm": 1.0}


@pytest.mark.parametrize("more", [{}, {"accumulate": 3}], ids=["", "accumulate"])
def test_resuming_changes_no_bit(more, tmp_path):
    def start():
        return Descent(classes(), "adamw", lr=0.01, batch_size=20, hyperparameters={**PARTS, **more})

    whole, resumed = start(), start()
    whole.run(Until(steps=7))
    whole.save(tmp_path / "state")
    resumed.load(tmp_path / "state")
    whole.run(Until(steps=14))
    resumed.run(Until(steps=14))
    assert same(parameters_of(whole), parameters_of(resumed))
    assert whole.best is not None
    assert whole.best["validation"] == resumed.best["validation"]


def test_the_average_is_evaluated_and_kept():
    descent = Descent(classes(dropout=0.0), "sgd", lr=1.0, batch_size=20, hyperparameters={"average": 1})
    descent.run(Until(steps=30), evaluate_every=30)
    own = [descent.method.state[p]["average_weights"] for p in descent.parameters]
    kept = [descent.best["function"][name] for name in descent.names]
    assert same(kept, own)
    assert not same(kept, parameters_of(descent))


def test_by_name_with_fit(tmp_path):
    given = {"until": Until(steps=40), "schedule": "constant"}
    run = descend.fit(bowl(), "sgd", 0.1, out=tmp_path / "sam", hyperparameters={"sam": 0.1}, **given)
    plain = descend.fit(bowl(), "sgd", 0.1, out=tmp_path / "plain", **given)
    assert 2 < plain.loss < 2.001
    assert 2 < run.loss < 2.001
    assert run.loss != plain.loss


def test_a_bad_dose_is_one_sentence():
    with pytest.raises(UsageError, match="sam above 0"):
        Descent(bowl(), "sgd", hyperparameters={"sam": -1.0})
