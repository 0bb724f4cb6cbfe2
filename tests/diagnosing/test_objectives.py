"""Losses that are given the wrong thing, climbed, or no numbers; each beside a sound twin."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn import functional as F

from descend.diagnosing.objectives import DETECTORS
from descend.watching.watcher import Watcher


def watched(step: Callable[[nn.Module, Tensor, Tensor, int], Tensor], out=3, steps=40, **optimizer):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, out))
    descent = torch.optim.Adam(model.parameters(), lr=0.02, **optimizer)
    x = torch.randn(32, 4)
    watcher = Watcher(budget=1.0)  # so that many steps of so short a run are looked at
    watcher.start()
    try:
        for k in range(steps):
            loss = step(model, x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long(), k)
            descent.zero_grad()
            loss.backward()
            descent.step()
    finally:
        seen = watcher.stop()
    return {s.cause: s for detector in DETECTORS for s in detector(seen)}


def count_likelihood(m, x, y, k):
    """Minus the log-likelihood of a negative binomial, whose target is subtracted in a part of it."""
    mean, size, count = m(x)[:, 0].exp(), torch.tensor(2.0), y.float()
    p, q = (size / (size + mean)).log(), (mean / (size + mean)).log()
    return -(torch.lgamma(count + size + 0 * mean) - torch.lgamma(count + 1) + size * p + count * q).mean()


SOUND = {
    "a likelihood of counts": count_likelihood,
    "scores": lambda m, x, y, k: F.cross_entropy(m(x), y),
    "log-probabilities": lambda m, x, y, k: F.nll_loss(m(x).log_softmax(1), y),
    "logits": lambda m, x, y, k: F.binary_cross_entropy_with_logits(m(x)[:, 0], (y > 1).float()),
    "probabilities": lambda m, x, y, k: F.binary_cross_entropy(m(x)[:, 0].sigmoid(), (y > 1).float()),
    "a column": lambda m, x, y, k: F.mse_loss(m(x)[:, 0], x[:, 0]),
    "own loss": lambda m, x, y, k: (m(x)[:, :1] - x[:, :1]).square().mean(),
    "pairs": lambda m, x, y, k: (1 - (m(x)[:, :1] - m(x)[:, 0])).relu().mean(),
    "own likelihood": lambda m, x, y, k: -m(x).log_softmax(1)[range(32), y].mean(),
    "beside a reward": lambda m, x, y, k: F.mse_loss(m(x), x[:, :3]) - 0.01 * m(x).softmax(1).std(),
    "logarithm with a guard": lambda m, x, y, k: -(m(x).softmax(1) + 1e-9).log()[range(32), y].mean(),
}
WRONG = {
    "softmax": ("softmax-before-cross-entropy", lambda m, x, y, k: F.cross_entropy(m(x).softmax(1), y)),
    "sigmoid": ("softmax-before-cross-entropy", lambda m, x, y, k: F.cross_entropy(m(x).sigmoid(), y)),
    "sigmoid of one": (
        "softmax-before-cross-entropy",
        lambda m, x, y, k: F.binary_cross_entropy_with_logits(m(x)[:, 0].sigmoid(), (y > 1).float()),
    ),
    "second head": (
        "softmax-before-cross-entropy",
        lambda m, x, y, k: F.cross_entropy(m(x), y) + F.cross_entropy(m(x).softmax(1), y),
    ),
    "no logarithm": ("softmax-before-cross-entropy", lambda m, x, y, k: F.nll_loss(m(x).softmax(1), y)),
    "minus": ("wrong-loss-sign", lambda m, x, y, k: -F.cross_entropy(m(x), y)),
    "minus in an own loss": ("wrong-loss-sign", lambda m, x, y, k: -(m(x) - x[:, :3]).square().mean()),
    "no minus": ("wrong-loss-sign", lambda m, x, y, k: m(x).log_softmax(1)[range(32), y].mean()),
    "row": ("loss-broadcast", lambda m, x, y, k: F.l1_loss(m(x)[:, :1], x[:, 0])),
    "rows of many": (
        "loss-broadcast",
        lambda m, x, y, k: (m(torch.stack([x, -x]))[..., :1] - x[:, 0]).square().mean(),
    ),
    "square": ("loss-broadcast", lambda m, x, y, k: F.smooth_l1_loss(m(x)[:, :1] + x[:, 1], x[:, 0])),
    "row in an own loss": ("loss-broadcast", lambda m, x, y, k: (x[:, 0] - m(x)[:, :1]).square().mean()),
    "row of margins": ("loss-broadcast", lambda m, x, y, k: (1 - m(x)[:, :1] * x[:, 0].sign()).relu().mean()),
    "logarithm": ("not-finite", lambda m, x, y, k: (m(x).softmax(1) * (k < 15)).log().mean()),
    "division": ("not-finite", lambda m, x, y, k: F.mse_loss(m(x), x[:, :3] / (k != 15))),
    "root": ("not-finite", lambda m, x, y, k: (m(x) * (k < 15)).square().sum(1).sqrt().mean()),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_first(name):
    cause, step = WRONG[name]
    found = watched(step)
    assert max(found.values(), key=lambda s: s.confidence).cause == cause
    assert found[cause].confidence > 0.7


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_not_warned_of(name):
    assert not [s for s in watched(SOUND[name]).values() if s.confidence >= 0.5]


def test_maximize_climbs_a_loss_but_descends_its_negative():
    assert watched(SOUND["scores"], maximize=True)["wrong-loss-sign"].certain
    assert not watched(WRONG["minus"][1], maximize=True)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_policy_that_makes_good_actions_less_probable(sign):
    def step(model, x, y, k):
        scores = model(x)
        policy = Categorical(logits=scores[:, :2])
        action = policy.sample()
        advantage = (action == y).float() - scores[:, 2]
        return sign * (policy.log_prob(action) * advantage.detach()).mean() + advantage.square().mean()

    found = watched(step)
    assert ("wrong-loss-sign" in found) == (sign > 0)


def test_the_operation_that_made_the_first_number_that_is_none_is_named():
    assert watched(WRONG["logarithm"][1])["not-finite"].where == "log"
    assert watched(WRONG["root"][1])["not-finite"].where == "sqrt"
    assert "given" in watched(WRONG["division"][1])["not-finite"].evidence


def test_a_divergence_that_ends_in_overflow_is_no_operation_at_fault():
    found = watched(lambda m, x, y, k: F.mse_loss(m(x), x[:, :3]) * 10.0 ** (2 * k) * 1e-10)
    assert found["not-finite"].confidence < 0.5


@pytest.mark.parametrize("weighted", [True, False])
def test_rare_classes_that_are_never_recognised(weighted):
    def step(model, x, y, k):
        x = torch.randn(200, 4)
        y = (x[:, 0] + 1.5 * torch.randn(200) > 3.5).long()
        weight = torch.tensor([1.0, 30.0]) if weighted else None
        return F.cross_entropy(model(x), y, weight=weight)

    found = watched(step, out=2, steps=150)
    assert ("class-imbalance" in found) != weighted
    if not weighted:
        assert found["class-imbalance"].confidence >= 0.65
