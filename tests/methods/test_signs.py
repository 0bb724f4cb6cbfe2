"""Methods that follow signs, against their papers' equations: the packages that they are compared with in
``test_parity.py`` are not their authors'."""

import pytest
import torch
from cases import apart, executors, give, gradients, layouts
from torch import nn

from descend.methods import TABLE

STEPS = 100


def signsgd(w, g, own, lr=0.01):
    """Bernstein et al. 2018, algorithm 1."""
    w.sub_(lr * torch.sign(g))


def signum(w, g, own, lr=0.01, momentum=0.9):
    """Bernstein et al. 2018, algorithm 2."""
    own["m"] = momentum * own.get("m", 0 * w) + (1 - momentum) * g
    w.sub_(lr * torch.sign(own["m"]))


def lion(w, g, own, lr=0.01, beta1=0.9, beta2=0.99, decay=0.1):
    """Chen et al. 2023, algorithm 2."""
    m = own.get("m", 0 * w)
    c = beta1 * m + (1 - beta1) * g
    w.sub_(lr * (torch.sign(c) + decay * w))
    own["m"] = beta2 * m + (1 - beta2) * g


@executors
@pytest.mark.parametrize(
    ("name", "text", "hyperparameters"),
    [("signsgd", signsgd, {}), ("signum", signum, {}), ("lion", lion, {"weight_decay": 0.1})],
)
def test_the_papers_equations(name, text, hyperparameters, executor):
    parameters = layouts()
    others, states = [p.detach().clone() for p in parameters], [{} for _ in parameters]
    method = TABLE[name](parameters, lr=0.01, executor=executor, **hyperparameters)
    for _, found in zip(range(STEPS), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
        for w, g, own in zip(others, found, states, strict=True):
            text(w, g, own)
    assert max(map(apart, parameters, others)) <= 1e-12


@executors
@pytest.mark.parametrize("name", ["signsgd", "signum", "lion"])
def test_a_zero_has_no_sign(name, executor):
    p = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    method = TABLE[name]([p], lr=0.5, executor=executor)
    p.grad = torch.tensor([0.0, -0.0, 1e-40])
    method.step()
    assert p.tolist()[:2] == [1.0, -2.0]


@executors
@pytest.mark.parametrize("name", ["signsgd", "signum", "lion"])
def test_the_size_of_gradients_does_not_matter(name, executor):
    sides = layouts(), layouts()
    for parameters, size in zip(sides, (1.0, 2.0**40), strict=True):
        method = TABLE[name](parameters, executor=executor)
        for _, found in zip(range(10), gradients(parameters), strict=False):
            give(parameters, [size * g for g in found])
            method.step()
    assert all(map(torch.equal, *sides))
