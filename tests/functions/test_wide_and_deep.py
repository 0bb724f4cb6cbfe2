import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from descend.functions.measures import OfEach, cross_entropy, mse
from descend.functions.wide_and_deep import QUICK, WideAndDeep


def drawn(outputs: int, members: int) -> WideAndDeep:
    torch.manual_seed(0)
    function = WideAndDeep(5, outputs, [4, 7], hidden=(16, 8), dropout=0.0, members=members)
    with torch.no_grad():
        for p in function.parameters():
            p.normal_(std=0.5)
    return function


def rows(n: int) -> tuple[Tensor, Tensor]:
    return torch.randn(n, 5), torch.stack([torch.randint(4, (n,)), torch.randint(7, (n,))], 1)


def alone(function: WideAndDeep, member: int, x: Tensor, codes: Tensor) -> Tensor:
    """One member's output, (rows, outputs), from its own copy of every weight."""
    assert function.embedding is not None
    x = torch.cat([x, *(function.embedding.weight[codes[:, i] + (0, 4)[i]] for i in range(2))], 1)
    h = x * QUICK * function.weighing
    for layer in function.layers:
        h = F.silu(h @ (layer.scale[member][:, None] * layer.weight).T + layer.shift[member])
    return x @ function.wide.weight.T + function.wide.bias + h @ function.last[member]


@pytest.mark.parametrize("members", [1, 4])
def test_amounts_are_the_mean_of_the_members(members):
    function, (x, codes) = drawn(0, members), rows(6)
    expected = torch.cat([alone(function, m, x, codes) for m in range(members)], 1)
    torch.testing.assert_close(function(x, codes), expected if members > 1 else expected[:, 0])
    torch.testing.assert_close(function.eval()(x, codes), expected.mean(1))


@pytest.mark.parametrize("members", [1, 4])
def test_probabilities_are_the_mean_of_the_members(members):
    function, (x, codes) = drawn(3, members), rows(6)
    expected = torch.stack([alone(function, m, x, codes) for m in range(members)], 1)
    torch.testing.assert_close(function(x, codes), expected if members > 1 else expected[:, 0])
    torch.testing.assert_close(function.eval()(x, codes).softmax(1), expected.softmax(2).mean(1))


@pytest.mark.parametrize("members", [1, 4])
def test_it_starts_at_the_mean_and_at_equal_chances(members):
    x, codes = rows(6)
    function = WideAndDeep(5, 3, [4, 7], members=members).eval()
    torch.testing.assert_close(function(x, codes).softmax(1), torch.full((6, 3), 1 / 3))
    assert not WideAndDeep(5, members=members).eval()(x).any()


def test_the_loss_of_each_member_has_the_gradient_that_members_apart_have():
    x, codes = rows(6)
    for outputs, loss, target in (
        (3, OfEach(cross_entropy, 1), torch.randint(3, (6,))),
        (0, OfEach(mse), torch.randn(6)),
    ):
        function = drawn(outputs, 4).train()
        together = torch.autograd.grad(loss(function(x, codes), target), list(function.parameters()))
        each = [alone(function, m, x, codes) for m in range(4)]
        losses = [loss(z if outputs else z[:, 0], target) for z in each]
        apart = torch.autograd.grad(torch.stack(losses).mean(), list(function.parameters()))
        torch.testing.assert_close(together, apart)


def test_forgotten_features_have_no_say():
    function = WideAndDeep(3, members=2).eval()
    with torch.no_grad():
        function.last.normal_()
    x = torch.randn(5, 3)
    before = function(x)
    function.forget(torch.tensor([1]))
    assert not torch.equal(function(x), before)
    torch.testing.assert_close(function(x), function(x * torch.tensor([1.0, 9.0, 1.0])))
