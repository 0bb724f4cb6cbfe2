"""Parts of the data: none lost, none twice, each class alike, the same for one seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.errors import DataError
from descend.functions.splits import seeded, split


@given(
    n=st.integers(4, 400),
    test=st.sampled_from([0.0, 0.2, 1 / 3]),
    validation=st.sampled_from([0.0, 1 / 8]),
    classes=st.integers(0, 5),
    seed=st.integers(0, 2**40),
)
def test_every_example_is_in_one_part(n, test, validation, classes, seed):
    labels = torch.randint(classes, (n,)) if classes else None
    parts = split(n, test=test, validation=validation, seed=seed, labels=labels)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(n))
    assert all(torch.equal(part, part.sort().values) for part in parts)
    assert len(parts[2]) == (max(1, round(test * n)) if test else 0)
    assert bool(len(parts[1])) == bool(validation)
    again = split(n, test=test, validation=validation, seed=seed, labels=labels)
    assert all(torch.equal(a, b) for a, b in zip(parts, again, strict=True))


@given(
    counts=st.lists(st.integers(1, 90), min_size=2, max_size=8),
    test=st.sampled_from([0.2, 1 / 3]),
    seed=st.integers(0, 9),
)
def test_each_class_is_parted_alike_and_always_learned(counts, test, seed):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    n = len(labels)
    if n < 4:
        return
    train, _, held = split(n, test=test, validation=1 / 8, seed=seed, labels=labels)
    for k, count in enumerate(counts):
        if min(counts) >= 5:  # of fewer, none need be held out
            assert abs(int((labels[held] == k).sum()) - count * len(held) / n) <= 2
        assert len(train) < len(counts) or (labels[train] == k).any()


def test_another_seed_draws_other_parts():
    a, b = (split(200, test=1 / 5, validation=1 / 8, seed=seed)[2] for seed in (0, 1))
    assert not torch.equal(a, b)


def test_validation_is_not_left_to_luck():
    assert len(split(200, test=1 / 5, validation=1 / 8, seed=0)[1]) == 30  # not 20
    assert len(split(40, test=1 / 5, validation=1 / 8, seed=0)[1]) == 8  # a quarter of 32
    assert len(split(60_000, test=0, validation=1 / 12, seed=0)[1]) == 5000


def test_too_few_examples():
    with pytest.raises(DataError, match="at least 3 examples"):
        split(2, test=1 / 5, validation=1 / 8, seed=0)


def test_seeded_leaves_the_generator_as_it_was():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with seeded(3):
        a = torch.rand(4)
    with seeded(3):
        b = torch.rand(4)
    assert torch.equal(a, b)
    assert torch.equal(torch.get_rng_state(), before)
