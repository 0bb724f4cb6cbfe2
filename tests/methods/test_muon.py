"""Muon beside torch.optim.Muon itself, and what its roundings do to singular values."""

from unittest import mock

import pytest
import torch
from cases import apart, copies, give, gradients
from torch import nn

from descend.errors import UsageError
from descend.methods import orthogonalise
from descend.methods.muon import COEFFICIENTS, Muon, NorMuon
from descend.methods.orthogonalise import each_orthogonal, orthogonal
from descend.methods.scion import Scion

CONVENTIONS = ["original", "match_rms_adamw"]


def some(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


@pytest.mark.parametrize("convention", [*CONVENTIONS, None])
@pytest.mark.parametrize("nesterov", [True, False])
def test_torch_in_float64(convention, nesterov):
    """torch's own code, with its one conversion to bfloat16 turned into one to float64."""
    parameters = some((4, 6), (6, 4), (20, 5), (5, 20), (3, 3))
    others = copies(parameters)
    h = {"lr": 0.02, "nesterov": nesterov, "adjust_lr_fn": convention}
    mine, sure = Muon(parameters, **h), torch.optim.Muon(others, **h)
    with mock.patch.object(torch.Tensor, "bfloat16", lambda x: x.double().clone()):
        for _, found in zip(range(200), gradients(parameters), strict=False):
            give(parameters, found)
            give(others, found)
            mine.step()
            sure.step()
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 1e-12


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_torch_as_it_is(convention):
    """Both round to bfloat16 in the middle of it: a last place of the momentum moves a step by a percent."""
    parameters = some((64, 48), (30, 200), (200, 30), dtype=torch.float32)
    others = copies(parameters)
    h = {"lr": 0.02, "adjust_lr_fn": convention}
    mine, sure = Muon(parameters, **h), torch.optim.Muon(others, **h)
    for _, found in zip(range(20), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 5e-3


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(8, 2), (2, 8), (5, 5)])
def test_conventions_of_scale(convention, shape):
    """Written out: an orthogonal gradient gives a step of known size, in float64."""
    w = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    g = torch.linalg.qr(torch.randn(max(shape), min(shape), dtype=torch.float64))[0]
    w.grad = g if shape[0] >= shape[1] else g.T.contiguous()
    Muon(
        [w], lr=1.0, weight_decay=0.0, adjust_lr_fn=convention, ns_coefficients=(1.5, -0.5, 0.0), ns_steps=40
    ).step()
    ratio = max(1, shape[0] / shape[1]) ** 0.5 if convention == "original" else 0.2 * max(shape) ** 0.5
    torch.testing.assert_close(
        torch.linalg.matrix_norm(w.detach(), 2), torch.tensor(ratio).double(), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(w.detach(), -ratio * w.grad, rtol=1e-6, atol=1e-9)


def spectrum(kind, m, n):
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(k, m, generator=generator, dtype=torch.float64))[0] for k in (m, n)
    )
    i = torch.arange(m, dtype=torch.float64)
    s = {
        "noise": None,
        "decaying": 1 / (1 + i),
        "steep": 10 ** (-6 * i / m),
        "almost of low rank": torch.where(i < 20, 1.0, 1e-3).double(),
        "of low rank": (i < 5).double(),
        "orthogonal": torch.ones_like(i),
    }[kind]
    if s is None:
        return torch.randn(m, n, generator=generator, dtype=torch.float64)
    return left @ torch.diag(s) @ right.T


def plain(x, dtype):
    """Five rounds as torch does them."""
    a, b, c = COEFFICIENTS
    y = x.to(dtype)
    y = y / y.norm()
    for _ in range(5):
        gram = y @ y.T
        y = torch.addmm(y, torch.addmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return y.double()


@pytest.mark.parametrize(
    "kind", ["noise", "decaying", "steep", "almost of low rank", "of low rank", "orthogonal"]
)
@pytest.mark.parametrize("shape", [(96, 384), (384, 96), (200, 200)], ids=str)
def test_as_near_as_the_plain_form(kind, shape):
    """The small side, taken afresh after three rounds, is no worse in bfloat16 than the plain form is."""
    m, n = min(shape), max(shape)
    x = spectrum(kind, m, n)
    truth = plain(x, torch.float64)
    allowed = float((plain(x, torch.bfloat16) - truth).norm())
    given = x if shape[0] <= shape[1] else x.T
    for dtype, most in ((torch.float64, 1e-10), (torch.float32, 1.5 * allowed)):
        found = orthogonal(given.to(dtype), *COEFFICIENTS, 1e-7, 5).double()
        found = found if shape[0] <= shape[1] else found.T
        assert float((found - truth).norm()) <= most + 0.02 * m**0.5 * (dtype == torch.float32)


@pytest.mark.parametrize("shape", [(384, 800), (800, 384), (400, 400)], ids=str)
def test_strips_are_the_whole_product(shape):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = x if shape[0] <= shape[1] else x.T
    gram = orthogonalise._gram(y)
    torch.testing.assert_close(gram, y @ y.T, rtol=1e-12, atol=1e-11)


def test_lists_are_worked_on_as_one_by_one():
    xs = [p.detach() for p in some((6, 4), (4, 6), (6, 4), (3, 2, 5, 9), (0, 4), dtype=torch.float64)]
    scales = [1.0, 2.0, 1.0, 3.0, 1.0]
    found = each_orthogonal(xs, *COEFFICIENTS, 1e-7, 5, scales=scales)
    for x, y, scale in zip(xs, found, scales, strict=True):
        torch.testing.assert_close(y, orthogonal(x, *COEFFICIENTS, 1e-7, 5, scale), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cls", [Muon, NorMuon])
def test_a_stack_is_its_matrices(cls):
    (stack,) = some((3, 4, 6))
    apart_ = [nn.Parameter(x.detach().clone()) for x in stack]
    one, three = cls([stack], lr=0.1, stacked=True), cls(apart_, lr=0.1)
    for _, (g,) in zip(range(5), gradients([stack]), strict=False):
        stack.grad = g.clone()
        give(apart_, list(g))
        one.step()
        three.step()
    torch.testing.assert_close(stack.detach(), torch.stack(apart_).detach(), rtol=1e-12, atol=0)


def test_zero_gradients_move_nothing():
    for cls in (Muon, NorMuon, Scion):
        (w,) = some((4, 6), dtype=torch.float32)
        before = w.detach().clone()
        w.grad = torch.zeros_like(w)
        off = {"unconstrained": True} if cls is Scion else {"weight_decay": 0.0}
        cls([w], lr=0.1, **off).step()
        assert torch.equal(w, before)


@pytest.mark.parametrize(
    "given",
    [{"adjust_lr_fn": "moonshot"}, {"ns_steps": 0}, {"ns_steps": 100}, {"ns_coefficients": (1.0, 2.0)}],
)
def test_wrong_hyperparameters(given):
    with pytest.raises(UsageError):
        Muon(some((2, 2)), **given)


def test_vectors_are_for_others():
    with pytest.raises(UsageError, match=r'descend\.optimizer\("muon"'):
        Muon(some((3,)))
