"""A row of tokens as examples: every token in its place, batches that can be found again."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.errors import DataError
from descend.functions.data import Data
from descend.functions.windows import Windows

CPU = torch.device("cpu")


@given(n=st.integers(2, 300), context=st.integers(1, 40), size=st.integers(1, 9))
def test_a_pass_sees_each_character_once_in_order(n, context, size):
    if n <= context:
        return
    tokens = torch.arange(n)
    data = Windows(tokens, context)
    assert isinstance(data, Data)
    batches = list(data.passes(size, CPU))
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert len(x) == len(data) and x.shape[1] == context
    assert torch.equal(x.flatten(), tokens[: len(data) * context])
    assert torch.equal(y, x + 1)
    assert n - len(data) * context <= context  # no more is left out


@given(steps=st.integers(0, 30), seed=st.integers(0, 2**40))
def test_a_position_is_one_integer_and_is_found_again(steps, seed):
    data = Windows(torch.arange(200, dtype=torch.int32), 7)
    batches, other = data.batches(4, seed, CPU), data.batches(4, seed, CPU)
    for _ in range(steps):
        batches.next()
    state = json.loads(json.dumps(batches.state()))
    other.load_state(state)
    for a, b in zip(batches.next(), other.next(), strict=True):
        assert torch.equal(a, b)
    x, y = batches.next()
    assert x.shape == (4, 7) and x.dtype == torch.int64
    assert torch.equal(y, x + 1)


def test_batches_come_from_everywhere():
    data = Windows(torch.arange(40), 4)
    batches = data.batches(6, 0, CPU)
    assert batches.per_epoch == len(data) // 6
    seen = torch.cat([torch.cat(batches.next(), dim=1).flatten() for _ in range(100)])
    assert torch.equal(seen.unique(), torch.arange(40))
    assert not torch.equal(batches.next()[0], data.batches(6, 1, CPU).next()[0])


def test_too_few_tokens_for_a_piece():
    with pytest.raises(DataError, match="more than 8 tokens"):
        Windows(torch.arange(8), 8)
