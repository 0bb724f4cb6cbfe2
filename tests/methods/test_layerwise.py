"""LARS and LAMB beside the packages that have them, and at the edges of their ratios."""

import numpy as np
import pytest
import torch
from cases import apart, copies, executors, give, gradients, layouts
from torch import nn

import descend
from descend.methods import TABLE


def descended(method, parameters, steps, seed=1):
    for _, found in zip(range(steps), gradients(parameters, seed), strict=False):
        give(parameters, found)
        method.step()


def test_lars_is_that_of_a_package_while_lr_is_constant():
    """For matrices; the package leaves other tensors out."""
    theirs = pytest.importorskip("pytorch_optimizer").LARS
    parameters = layouts(shapes="matrices")
    others = copies(parameters)
    h = {"lr": 2.0, "momentum": 0.9, "weight_decay": 0.1, "trust_coefficient": 0.01}
    sure = theirs(others, **h)
    mine = descend.methods.LARS(parameters, **h)
    descended(mine, parameters, 50)
    descended(sure, others, 50)
    assert max(map(apart, parameters, others)) <= 1e-12
    # Ours keeps the rate that a step was taken with in the momentum, as the paper has it; theirs does not.
    mine.param_groups[0]["lr"] = sure.param_groups[0]["lr"] = 0.0
    descended(mine, parameters, 1)
    before = copies(others)
    descended(sure, others, 1)
    assert all(map(torch.equal, others, before))
    assert max(map(apart, parameters, others)) > 1e-3


def test_lamb_is_that_of_optax():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    parameters = layouts()
    parameters = [p for p in parameters if p.numel()]  # optax asks for at least one number
    h = {"b1": 0.8, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.1}
    mine = descend.methods.LAMB(parameters, lr=0.01, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1)
    with jax.enable_x64(True):
        sure = optax.lamb(0.01, **h)
        others = [jax.numpy.array(p.detach().numpy()) for p in parameters]
        state = sure.init(others)
        for _, found in zip(range(50), gradients(parameters), strict=False):
            give(parameters, found)
            mine.step()
            updates, state = sure.update([jax.numpy.array(g.numpy()) for g in found], state, others)
            others = optax.apply_updates(others, updates)
        others = [torch.from_numpy(np.array(x)) for x in others]
    assert max(map(apart, parameters, others)) <= 1e-12


@executors
@pytest.mark.parametrize(("name", "share"), [("lars", 1e-3), ("lamb", 1.0)])
def test_a_step_is_a_share_of_the_tensors_length(name, share, executor):
    """Whatever the sizes of gradient and tensor are."""
    h = {"lr": 0.5, "weight_decay": 0.0, "executor": executor}
    parameters = [nn.Parameter(torch.randn(7, 3).double() * 10.0**k) for k in (-6, 0, 6)]
    before = copies(parameters)
    method = TABLE[name](parameters, **h)
    give(parameters, [torch.randn(7, 3).double() * 10.0**k for k in (5, -5, 0)])
    method.step()
    for p, old in zip(parameters, before, strict=True):
        assert (p - old).norm().item() == pytest.approx(0.5 * share * old.norm().item(), rel=1e-3)


@executors
@pytest.mark.parametrize("name", ["lars", "lamb"])
def test_without_a_length_the_ratio_is_one(name, executor):
    zeros, still = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.ones(4))
    method = TABLE[name]([zeros, still], lr=0.5, weight_decay=0.0, executor=executor)
    give([zeros, still], [torch.ones(4), torch.zeros(4)])
    method.step()
    torch.testing.assert_close(zeros.detach(), torch.full((4,), -0.5))
    assert torch.equal(still, torch.ones(4))


@executors
def test_biases_may_have_plain_momentum(executor):
    """As LARS's docstring says: a group names another method."""
    weight, bias = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.zeros(3))
    groups = [{"params": [weight]}, {"params": [bias], "method": "momentum", "lr": 0.1}]
    method = descend.methods.LARS(groups, lr=1.0, weight_decay=0.0, executor=executor)
    give([weight, bias], [torch.ones(3, 3), torch.ones(3)])
    method.step()
    torch.testing.assert_close(bias.detach(), torch.full((3,), -0.1))
    torch.testing.assert_close(weight.detach(), torch.full((3, 3), 0.999))


@executors
def test_lamb_is_the_authors_once_the_correction_has_faded(executor):
    """Their TensorFlow code (github.com/google-research/albert) has no correction of m and v."""
    parameters = [p for p in layouts() if p.numel()]
    others = [p.detach().clone() for p in parameters]
    method = TABLE["lamb"](parameters, lr=0.01, weight_decay=0.1, executor=executor)
    descended(method, parameters, 1)
    for p, w in zip(parameters, others, strict=True):
        w.copy_(p.detach())
        method.state[p]["step"] = 10**6
    kept = [(method.state[p]["m"].clone(), method.state[p]["v"].clone()) for p in parameters]
    found = next(gradients(parameters, seed=2))
    give(parameters, found)
    method.step()
    for w, g, (m, v) in zip(others, found, kept, strict=True):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        update = m / (v.sqrt() + 1e-6) + 0.1 * w
        w -= w.norm() / update.norm() * 0.01 * update
    assert max(map(apart, parameters, others)) <= 1e-12
