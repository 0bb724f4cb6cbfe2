"""Ratings told from others, beside explicit formulas in float64, and the batches they come in."""

import pytest
import torch
from rated import some_ratings

from descend.functions.rating_batches import PART, ToldFromKnown, ToldFromOthers
from descend.functions.rating_process import (
    BIAS,
    FACTOR,
    FEATURE_BIAS,
    FEATURE_FACTOR,
    LOGARITHM,
    RatingProcess,
)

CPU = torch.device("cpu")


def process(spans=2, items=12, marks=3):
    torch.manual_seed(0)
    f = RatingProcess(items, marks, 1, 5, 2, factors=4, spans=spans)
    f.features.copy_(torch.rand(items, marks))
    f.numbers.copy_(torch.randn(items, 1))
    f.counts.copy_(torch.randint(1, 30, (items,)))
    f.mean.fill_(3.5)
    f.variance.fill_(1.2)
    f.spans.copy_(torch.tensor([10.0, 1000.0])[:spans])
    with torch.no_grad():
        for p in f.parameters():
            p.add_(torch.randn_like(p))
        f.factor.mul_(8)
    return f.double()


def one_user(n=9, seed=1):
    g = torch.Generator().manual_seed(seed)
    items = torch.randperm(12, generator=g)[:n]
    return items, 100 * torch.rand(n, generator=g).double(), 5 * torch.rand(n, generator=g).double()


def told(f, items, times, values, wanted, when):
    """What is told in evaluation mode of other items, one user."""
    f.eval()
    n, m = len(items), len(wanted)
    given = torch.arange(n + m) < n
    all_values = torch.cat([values, torch.zeros(m).double()])
    return f(
        torch.cat([items, wanted])[None],
        torch.cat([times, when])[None],
        all_values[None],
        given[None],
        torch.tensor([float(n)]),
        ~given[None],
    )


def double_opinion(f, items, times, known):
    return f.opinion(items, times, torch.tensor(float(known)).double())


@pytest.fixture(autouse=True)
def in_double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_without_time_it_is_ridge_regression_on_the_items_factors():
    # δ = w·(1, q) with w ~ N(0, diag(c, 1, ..., 1)): exact least squares of the stacked equations.
    f = process(spans=0)
    items, times, values = one_user()
    wanted, when = torch.tensor([0, 3, 5, 11]), torch.full((4,), 50.0)
    general, q = double_opinion(f, items, times, 9)
    others, r = double_opinion(f, wanted, when, 9)
    shared = (0.15 * (LOGARITHM * f.log_shared).exp()).sqrt()

    def design(q):
        return torch.cat([shared.expand(len(q), 1), q], 1) * f.variance.sqrt()

    x, noise = design(q), f.noise(items).sqrt()
    stacked = torch.cat([x / noise[:, None], torch.eye(x.shape[1])])
    rhs = torch.cat([(values - general) / noise, torch.zeros(x.shape[1])])
    w = torch.linalg.lstsq(stacked, rhs[:, None]).solution[:, 0]
    assert torch.allclose(told(f, items, times, values, wanted, when), others + design(r) @ w, atol=1e-6)


def test_the_terms_are_what_is_written():
    f = process()
    items, times, _ = one_user()
    general, q = double_opinion(f, items, times, 9)
    x = f.features[items]
    assert torch.allclose(q, FACTOR * f.factor[items] + FEATURE_FACTOR * x @ f.feature_factor, atol=1e-6)
    with torch.no_grad():
        f.context.zero_()
    general, _ = double_opinion(f, items, times, 9)
    bias = BIAS * f.bias[items] + FEATURE_BIAS * x @ f.feature_bias
    assert torch.allclose(general, f.mean + f.variance.sqrt() * bias, atol=1e-6)
    k = f.kernel(q, times, q, times)
    expected = q @ q.T + 0.15 * torch.exp(LOGARITHM * f.log_shared)
    apart = (times[:, None] - times[None, :]).abs()
    for s, span in enumerate((10.0, 1000.0)):
        size, length = torch.exp(LOGARITHM * f.log_time[:, s])
        expected = expected + 0.06 * size * torch.exp(-apart / (span * length))
    assert torch.allclose(k, f.variance * expected, atol=1e-5)
    assert torch.allclose(k.diagonal(), f.kernel_diagonal(q), atol=1e-5)
    assert torch.linalg.eigvalsh(k.detach()).min() > -1e-6


def test_while_learning_each_rating_is_told_from_the_others():
    f = process()
    items, times, values = one_user()
    full, other = torch.full((1,), 9.0), torch.ones(1, 9, dtype=torch.bool)
    f.train()
    at_once = f(items[None], times[None], values[None], other, full, other)
    f.eval()
    for k in range(9):
        given = torch.arange(9) != k
        one = f(items[None], times[None], (values * given)[None], given[None], full, ~given[None])
        assert at_once[k].item() == pytest.approx(one.item(), abs=1e-5)


def test_users_in_one_batch_do_not_see_each_other_and_padding_counts_nothing():
    f = process()
    (a, ta, va), (b, tb, vb) = one_user(9, 1), one_user(5, 2)

    def padded(x, fill):
        return torch.cat([x, torch.full((9 - len(x),), fill, dtype=x.dtype)])

    items, times, values = (
        torch.stack([x, padded(y, fill)]) for x, y, fill in ((a, b, -1), (ta, tb, 7.0), (va, vb, 0.0))
    )
    there = items >= 0
    for mode in (True, False):
        f.train(mode)
        given = there if mode else there & (torch.arange(9) > 0)
        asked = there if mode else there & (torch.arange(9) == 0)
        known = torch.tensor([9.0, 5.0])
        both = f(items, times, values * given, given, known, asked)
        apart = [
            f(x[None], t[None], (v * g)[None], g[None], n[None], q[None])
            for x, t, v, g, n, q in ((a, ta, va, given[0], known[0], asked[0]),
                                     (b, tb, vb, given[1, :5], known[1], asked[1, :5]))
        ]  # fmt: skip
        assert torch.allclose(both, torch.cat(apart), atol=1e-6)


def test_reasons_sum_to_what_is_told_and_spread_shrinks_with_knowing():
    f = process()
    items, times, values = one_user()
    wanted, when = torch.tensor([1, 4, 7]), torch.full((3,), 60.0)
    base, spread, shares = f.explain(items, times, values, wanted, when)
    assert torch.allclose(base + shares.sum(1), told(f, items, times, values, wanted, when), atol=1e-6)
    _, before, none = f.explain(items[:0], times[:0], values[:0], wanted, when)
    assert none.shape == (3, 0) and (before >= spread - 1e-6).all()


def test_what_is_told_stays_within_bounds_and_an_unknown_item_is_told_in_general():
    f = process()
    f.bounds.copy_(torch.tensor([3.4, 3.6]))
    items, times, values = one_user()
    found = told(f, items, times, values, torch.tensor([-1, 2]), torch.full((2,), 60.0))
    assert found.min() >= 3.4 and found.max() <= 3.6


# Batches ------------------------------------------------------------------------------------------
def test_an_epoch_shows_every_rating_of_users_with_two_once():
    ratings = some_ratings()
    data = ToldFromOthers(ratings, torch.arange(350))
    assert len(data) == 349
    batches = data.batches(512, 3, CPU)
    seen = []
    for _ in range(batches.per_epoch):
        items, _, values, given, _, asked, target = batches.next()
        assert torch.equal(given, asked) and torch.equal(given, items >= 0)
        assert items.shape[1] <= PART and items.numel() <= 512
        assert torch.equal(values[asked], target)
        seen += target.tolist()
    assert sorted(seen) == list(range(1, 350))
    passed = [t for *_, target in data.passes(64, CPU) for t in target.tolist()]
    assert sorted(passed) == sorted(seen)


def test_a_position_is_found_again():
    data = ToldFromOthers(some_ratings(), torch.arange(350))
    a, b = data.batches(256, 5, CPU), data.batches(256, 5, CPU)
    for _ in range(7):
        a.next()
    b.load_state(a.state())
    for _ in range(9):
        assert all(torch.equal(x, y) for x, y in zip(a.next(), b.next(), strict=True))


def test_held_out_ratings_are_asked_once_with_all_that_is_known():
    ratings = some_ratings()
    order = torch.randperm(350, generator=torch.Generator().manual_seed(0))
    known, asked = order[:250], order[250:]
    data = ToldFromKnown(ratings, known, asked)
    told = []
    for items, _, values, given, count, asks, target in data.passes(99, CPU):
        assert not (given & asks).any() and torch.equal(given.sum(1).float(), count)
        assert not values[asks].any()
        assert torch.equal((given | asks), items >= 0)
        told += target.tolist()
    assert sorted(told) == sorted(ratings.value[asked].tolist()) and len(data) == 100
