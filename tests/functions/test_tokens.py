"""Texts as numbers, and back."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.errors import DataError, UsageError
from descend.functions.measures import bits_per_character
from descend.functions.tokens import BytePairs, Characters, tokens_from_json

SAYING = "the cat sat on the mat, and the rat sat on the cat;\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def pairs():
    pytest.importorskip("tokenizers")
    return BytePairs.of(SAYING * 40, 300)


@given(TEXTS)
def test_characters_come_back(text):
    tokens, numbers = Characters.of(text)
    assert tokens.alphabet == "".join(sorted(set(text)))
    assert tokens.written(numbers.tolist()) == text
    assert torch.equal(tokens.numbers(text), numbers.long())
    assert tokens_from_json(json.loads(json.dumps(tokens.to_json()))) == tokens


def test_an_unknown_character_is_named():
    tokens, _ = Characters.of("abc")
    with pytest.raises(DataError, match="a prompt of the 3 characters learned; came 'x', 'é'"):
        tokens.numbers("abxé")


@settings(deadline=None)
@given(text=TEXTS)
def test_byte_pairs_write_any_text(text, pairs):
    numbers = pairs.numbers(text)
    assert pairs.written(numbers.tolist()) == text
    assert pairs.lengths[numbers].sum() == len(text)  # whichever bytes its characters have


def test_byte_pairs_are_what_is_frequent(pairs):
    numbers = pairs.numbers(SAYING)
    assert 256 < len(pairs) <= 300
    assert len(numbers) < len(SAYING) / 2
    again = tokens_from_json(json.loads(json.dumps(pairs.to_json())))
    assert torch.equal(again.numbers(SAYING), numbers)


def test_a_vocabulary_too_small():
    pytest.importorskip("tokenizers")
    with pytest.raises(UsageError, match="more than 256 byte pairs; came 200"):
        BytePairs.of(SAYING, 200)


def test_bits_are_counted_by_characters(pairs):
    """Whatever the tokens, a function that knows nothing takes log2(tokens) bits for each of them."""
    numbers = pairs.numbers(SAYING)[None]
    metric = bits_per_character(pairs.lengths)
    told = metric.finish(metric.sums(torch.zeros(1, numbers.shape[1], len(pairs)), numbers).tolist())
    assert told == pytest.approx(math.log2(len(pairs)) * numbers.shape[1] / len(SAYING))
