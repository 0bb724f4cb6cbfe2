"""Writing on: what is drawn, and that what was read once need not be read again."""

import pytest
import torch

from descend.functions.transformer import Past, Transformer
from descend.functions.writing import draw, tokens_after

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = Transformer(11, width=16, layers=2, heads=2, context=12).double()
    for p in net.parameters():  # blocks begin as the identity: nothing would be seen of attention
        torch.nn.init.normal_(p, std=0.3)
    net.cos, net.sin = net.cos.double(), net.sin.double()
    return net.eval()


@pytest.mark.parametrize("pieces", [[12], [5, 7], [1] * 12, [3, 1, 1, 4, 3]])
def test_piece_by_piece_is_the_same_as_at_once(net, pieces):
    tokens = torch.randint(11, (3, 12), generator=torch.Generator().manual_seed(1))
    past = Past(2)
    with torch.no_grad():
        parts = [net(part, past) for part in tokens.split(pieces, 1)]
        torch.testing.assert_close(torch.cat(parts, 1), net(tokens), rtol=1e-12, atol=1e-12)
    assert past.length == 12


def test_writing_reads_the_last_three_quarters_again(net):
    start = torch.tensor([1, 2, 3])
    written = list(tokens_after(net, start, 40, temperature=0, top_p=1, seed=0))
    known, at = start.tolist(), 0
    for token in written:  # the same by reading everything again at each step
        if len(known) - at > 12:
            at = len(known) - 9
        with torch.no_grad():
            assert int(net(torch.tensor([known[at:]]))[0, -1].argmax()) == token
        known.append(token)


def test_a_long_beginning_is_cut(net):
    start = torch.arange(30) % 11
    a = list(tokens_after(net, start, 5, temperature=0.5, top_p=0.9, seed=3))
    assert a == list(tokens_after(net, start[-12:], 5, temperature=0.5, top_p=0.9, seed=3))


def frequencies(**options) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([draw(LOGITS, generator=generator, **options) for _ in range(4000)])
    return drawn.bincount(minlength=4) / len(drawn)


def test_tokens_are_drawn_as_often_as_they_are_probable():
    torch.testing.assert_close(
        frequencies(temperature=1, top_p=1), LOGITS.softmax(0), atol=0.02, rtol=0, check_dtype=False
    )
    torch.testing.assert_close(
        frequencies(temperature=0.5, top_p=1), (2 * LOGITS).softmax(0), atol=0.02, rtol=0, check_dtype=False
    )
    assert frequencies(temperature=0, top_p=1).tolist() == [1, 0, 0, 0]
    assert frequencies(temperature=1e-300, top_p=1).tolist() == [1, 0, 0, 0]


def test_the_nucleus_is_the_fewest_that_reach_its_probability():
    expected = torch.tensor([LOGITS.softmax(0)[0], LOGITS.softmax(0)[1], 0, 0])
    seen = frequencies(temperature=1, top_p=0.8)  # the first has 64%, two have 88%
    torch.testing.assert_close(seen, expected / expected.sum(), atol=0.02, rtol=0, check_dtype=False)
    assert frequencies(temperature=1, top_p=0.6).tolist() == [1, 0, 0, 0]
    assert frequencies(temperature=1, top_p=1e-9).tolist() == [1, 0, 0, 0]
