"""The successors of Adam against other people's packages, where these mean the same."""

from importlib import import_module

import pytest
import torch
from cases import apart, copies, give, gradients, layouts

from descend.methods import ADOPT, TABLE, AdEMAMix, LaProp


def theirs(name, parameters, **hyperparameters):
    return getattr(import_module("pytorch_optimizer"), name)(parameters, **hyperparameters)


def descended(*pairs, steps=60, scale=1.0):
    """Descend all along the same gradients."""
    for _, found in zip(range(steps), gradients(pairs[0][1]), strict=False):
        for method, parameters in pairs:
            give(parameters, [scale * g for g in found])
            method.step()
    first, *rest = [parameters for _, parameters in pairs]
    return max(apart(p, q) for others in rest for p, q in zip(first, others, strict=True))


@pytest.mark.parametrize(
    ("name", "their_name", "ours", "other"),
    [
        ("ademamix", "AdEMAMix", {}, {"alpha": 2.0}),
        (
            "ademamix",
            "AdEMAMix",
            {"alpha": 5.0, "alpha_warmup": 40, "beta3_warmup": 40, "weight_decay": 0.1},
            {"alpha": 5.0, "t_alpha_beta3": 40, "weight_decay": 0.1, "weight_decouple": True},
        ),
        (
            "adan",
            "Adan",
            {"no_prox": True, "weight_decay": 0.1},
            {"weight_decouple": True, "weight_decay": 0.1},
        ),
    ],
)
def test_pytorch_optimizer(name, their_name, ours, other):
    parameters = layouts()
    others = copies(parameters)
    pair = (TABLE[name](parameters, **ours), parameters), (theirs(their_name, others, **other), others)
    assert descended(*pair) <= 1e-12


@pytest.mark.parametrize("amsgrad", [False, True])
def test_laprop_of_pytorch_optimizer(amsgrad):
    """For large gradients: it adds 1e-15 under the root. (Its foreach form has step lengths in float32.)"""
    parameters = layouts()
    others = copies(parameters)
    mine = LaProp(parameters, lr=0.01, eps=0.0, amsgrad=amsgrad)
    sure = theirs("LaProp", others, lr=0.01, eps=0.0, ams_bound=amsgrad, foreach=False)
    assert descended((mine, parameters), (sure, others), scale=1e12) <= 1e-12


def test_adopts_bound_counts_from_the_first_step_taken():
    """pytorch_optimizer counts the step that only measures as well, and so bounds less at first."""
    parameters = layouts()
    ours, parity, free = parameters, copies(parameters), copies(parameters)
    loose = theirs("ADOPT", parity, clip_lambda=lambda step: (step - 1) ** 0.25)
    assert descended((ADOPT(ours), ours), (loose, parity)) <= 1e-12
    usual = theirs("ADOPT", free)
    assert descended((ADOPT(others := copies(parameters)), others), (usual, free), steps=2) > 1e-6


def test_adopts_first_gradient_only_measures():
    parameters = layouts()
    before = copies(parameters)
    method = ADOPT(parameters, weight_decay=0.1, decouple=True)
    give(parameters, next(gradients(parameters)))
    method.step()
    assert all(map(torch.equal, parameters, before))
    assert all(torch.equal(method.state[p]["v"], p.grad**2) for p in parameters)


def test_ademamix_without_the_slow_momentum_is_adamw():
    parameters = layouts()
    others = copies(parameters)
    mine, sure = (
        AdEMAMix(parameters, alpha=0.0, weight_decay=0.1),
        torch.optim.AdamW(others, weight_decay=0.1),
    )
    assert descended((mine, parameters), (sure, others)) <= 1e-12


def test_ademamix_grows_the_half_life_evenly():
    """Between the half-lives of β₁ and β₃; the authors' 1e-8 beside each β moves a rate by 1e-4 at most."""
    from math import log

    def half_life(beta):
        return log(0.5) / log(beta)

    beta1, beta3, steps = 0.9, 0.9999, 1000
    (w,) = parameters = [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))]
    method = AdEMAMix(parameters, betas=(beta1, 0.999, beta3), beta3_warmup=steps)
    before = 0.0
    for t in range(1, steps + 10):
        w.grad = torch.ones_like(w)
        method.step()
        slow = float(method.state[w]["slow"])
        found = 1 - (slow - before) / (1 - before)
        share = min(t / steps, 1.0)
        expected = (1 - share) * half_life(beta1) + share * half_life(beta3)
        authors = (1 - share) * half_life(beta1 + 1e-8) + share * half_life(beta3 + 1e-8)
        assert half_life(found) == pytest.approx(expected, rel=1e-6)
        assert half_life(found) == pytest.approx(authors, rel=2e-4)
        before = slow


def test_ademamix_needs_no_fast_momentum():
    parameters = layouts()
    method = AdEMAMix(parameters, betas=(0.0, 0.999, 0.9999), beta3_warmup=10, alpha_warmup=10)
    for _, found in zip(range(20), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
    assert all(p.isfinite().all() for p in parameters)
