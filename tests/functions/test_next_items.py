"""What is chosen next: scores and measures beside explicit ones, and the batches they come from."""

import math

import numpy as np
import pytest
import torch
from rated import some_ratings
from sklearn.metrics import ndcg_score

from descend.functions.next_batches import NDCG, Choices, ndcg_sums, surprise
from descend.functions.next_items import NEVER, PACES, NextItems

CPU = torch.device("cpu")


def test_ndcg_is_scikit_learns():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 50, generator=g)
    target = torch.full((20, 15), -1)
    for row in target:
        n = int(torch.randint(0, 15, (), generator=g))
        row[:n] = torch.randperm(50, generator=g)[:n]
    relevant = torch.zeros(20, 50)
    for row, items in zip(relevant, target, strict=True):
        row[items[items >= 0]] = 1
    has = relevant.any(1)
    expected = ndcg_score(relevant[has].numpy(), logits[has].numpy(), k=10)
    sums = ndcg_sums(logits, target)
    assert sums[1] == has.sum()
    assert NDCG.finish(sums.tolist()) == pytest.approx(expected, abs=1e-9)


def test_surprise_is_each_users_mean():
    logits = torch.randn(3, 7)
    target = torch.tensor([[2, 5, -1], [0, -1, -1], [6, 1, 3]])
    p = logits.double().softmax(1)
    means = [-np.mean([math.log(p[k, i]) for i in row if i >= 0]) for k, row in enumerate(target.tolist())]
    assert float(surprise(logits, target)) == pytest.approx(np.mean(means), abs=1e-5)


def net(timed=True):
    torch.manual_seed(0)
    f = NextItems(30, 4, 5, 2, width=6, timed=timed)
    f.features.copy_(torch.rand(30, 4))
    f.popularity.copy_(torch.randn(30))
    f.calendar.copy_(torch.tensor([100.0, 50.0]))
    with torch.no_grad():
        for p in f.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return f.eval()


@pytest.mark.parametrize("timed", [True, False])
def test_scores_are_what_is_written(timed):
    f = net(timed)
    items, t = [7, 3, 22, 11], 120.0
    says = f.says + f.features @ f.feature_says
    asks = f.asks + f.features @ f.feature_asks
    u = torch.zeros(6)
    for s, pace in enumerate(PACES):
        w = [
            math.exp(-(len(items) - 1 - j) / (pace * math.exp(f.log_paces[s].item())))
            for j in range(len(items))
        ]
        z = sum(wj * says[j] for wj, j in zip(w, items, strict=True)) / sum(w) ** (0.5 + f.power.item())
        u = u + z @ (2 * torch.eye(6) + f.scales[s])
    if timed:
        at = (t - 100) / 50
        weights = torch.softmax(torch.tensor([-0.5 * ((at - k / 11) * 11) ** 2 for k in range(12)]), 0)
        u = u + weights @ f.seasons
    expected = f.popularity + f.bias + asks @ u
    expected[items] = NEVER
    logits = f(torch.tensor([[-1, -1, *items]]), torch.tensor([t], dtype=torch.float64))[0]
    assert torch.allclose(logits, expected, atol=1e-4)
    wanted = torch.tensor([0, 5, 29])
    base, shares = f.explain(torch.tensor(items), torch.tensor(t, dtype=torch.float64), wanted)
    assert shares.shape == (3, 4)
    assert torch.allclose(base + shares.sum(1), logits[wanted], atol=1e-4)


def test_who_has_chosen_nothing_is_told_what_is_popular():
    f = net(timed=False)
    logits = f(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1).double())[0]
    assert torch.allclose(logits, f.popularity + f.bias, atol=1e-5)


def test_moments_part_what_was_chosen_in_before_and_after():
    ratings = some_ratings()
    data = Choices(ratings, torch.arange(350))
    assert len(data) == 4  # one user has a single choice
    a, b = data.batches(16, 3, CPU), data.batches(16, 3, CPU)
    for _ in range(5):
        before, times, after = a.next()
        assert times.shape == (16,)
        for x, y in zip(before, after, strict=True):
            x, y = x[x >= 0].tolist(), y[y >= 0].tolist()
            # Items are numbered in the order of choosing.
            assert x + y == list(range(len(x) + len(y))) and x and 1 <= len(y) <= max(1, len(x) // 4 + 1)
    b.load_state(a.state())
    assert all(torch.equal(x, y) for x, y in zip(a.next(), b.next(), strict=True))


def test_held_choices_come_once_after_what_is_known():
    ratings = some_ratings()
    place = ratings.item
    known, asked = (place < 30).nonzero()[:, 0], (place >= 30).nonzero()[:, 0]
    data = Choices(ratings, known, asked)
    (batch,) = data.passes(100, CPU)
    before, _, after = batch
    assert len(data) == 2 and (before >= 0).sum() == 60 and (after >= 0).sum() == len(asked)
    assert before[:, -1].tolist() == [29, 29]
    assert len(Choices(ratings, known, asked, most=1)) == 1
