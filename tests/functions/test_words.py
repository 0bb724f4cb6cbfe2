"""Texts as sets of words: what is read in them, and a linear function of it."""

import numpy as np
import polars as pl
import pytest
import torch

from descend.functions.words import SLOTS, WORD_SLOTS, BagOfWords, Words, bags, features_of, tokens_of


def test_words_of_several_languages():
    assert tokens_of("I can’t – 100% sure!") == ["i", "can't", "100", "sure", "!"]
    assert tokens_of("Größe, très über_all") == ["größe", ",", "très", "über_all"]
    assert tokens_of("これは良い") == ["こ", "れ", "は", "良", "い"]
    assert tokens_of(" \n\t – ") == []


def test_negation_ends_with_its_clause():
    features = features_of(tokens_of("It isn't very good, but cheap"))
    assert "not: very" in features and "not: good" in features
    assert "not: but" not in features and "not: isn't" not in features


def test_a_column_is_of_texts_where_cells_are_many_different_and_long():
    long = [f"a text of several words number {k}" for k in range(40)]
    assert Words.fit("t", pl.Series("t", long)) == Words("t")
    assert Words.fit("t", pl.Series("t", [None, *long, ""])) == Words("t")
    assert Words.fit("t", pl.Series("t", long[:20])) is None
    assert Words.fit("t", pl.Series("t", long[:30] * 4)) is None  # a choice from a list
    assert Words.fit("t", pl.Series("t", [f"name {k}" for k in range(40)])) is None


def test_numbers_are_those_of_the_features_each_once():
    cells = pl.Series("t", ["good good tea", None, ""])
    rows = Words("t").numbers(cells)
    assert [len(row) for row in rows] == [len(features_of(["good", "good", "tea"])), 0, 0]
    assert ((rows[0] > 0) & (rows[0] < SLOTS)).all() and (np.diff(rows[0]) > 0).all()
    assert (rows[0] < WORD_SLOTS).sum() == 2  # good and tea
    assert not np.array_equal(rows[0], Words("other").numbers(cells)[0])
    both = bags([Words("t"), Words("u")], pl.DataFrame({"t": cells, "u": ["x", "", "y z"]}))
    assert (both > 0).sum(1).tolist() == [len(rows[0]) + 1, 0, 3] and both.dtype == torch.int32


BAG = torch.tensor([[3, 5, 9, 0, 0], [5, 0, 0, 0, 0], [5, 9, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.int32)


def weighed(outputs: int = 1, **options: float) -> BagOfWords:
    own = BagOfWords(outputs, **options)
    own.weigh(BAG)
    return own


def test_the_bag_is_a_linear_function_of_what_scikit_learn_makes_of_it():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    model = text.TfidfVectorizer(analyzer=str.split, vocabulary=["3", "5", "9"], binary=True)
    rows = [" ".join(str(n) for n in row if n) for row in BAG.tolist()]
    dense = torch.from_numpy(model.fit_transform(rows).toarray()).float()
    own = weighed(2, scale=3.0).eval()
    with torch.no_grad():
        own.weights.weight[1:].normal_()
        own.bias[:] = torch.tensor([0.5, -0.5])
        wanted = 3 * dense @ own.weights.weight[[3, 5, 9]] + own.bias
        assert torch.allclose(own(BAG), wanted, atol=1e-5)


def test_what_was_never_seen_says_nothing():
    own = weighed().eval()
    with torch.no_grad():
        own.weights.weight[1:] = 1
        seen = own(torch.tensor([[3, 5]], dtype=torch.int32))
        assert own(torch.tensor([[3, 5, 77, 1000]], dtype=torch.int32)).equal(seen)
        assert float(own(torch.tensor([[77, 1000]], dtype=torch.int32))) == 0
    assert own.known.nonzero().flatten().tolist() == [3, 5, 9]


def test_dropout_leaves_out_words_and_nothing_of_what_is_expected():
    bag = torch.arange(1, 101, dtype=torch.int32)[None]
    own = BagOfWords(1, dropout=0.5)
    own.weigh(bag)
    with torch.no_grad():
        own.weights.weight[1:] = 1
        torch.manual_seed(0)
        outputs = own.train()(bag.expand(400, 100))
        wanted = float(own.eval()(bag))
    assert outputs.std() > 0.5 and float(outputs.mean()) == pytest.approx(wanted, rel=0.02)
