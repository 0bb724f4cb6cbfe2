"""What the table's tests do not see of the methods with a matrix for every side."""

import pytest
import torch
from cases import apart, copies, give, gradients
from references import kronecker
from torch import nn

from descend.methods.psgd import PSGDKron, probe
from descend.methods.shampoo import Shampoo
from descend.methods.sides import blocks, merged, symmetric, together, tracked, unfolded
from descend.methods.soap import SOAP, first_basis


def some(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def both(mine, parameters, sure, others, steps=40):
    for _, found in zip(range(steps), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    return max(apart(p, q) for p, q in zip(parameters, others, strict=True))


# More than two dimensions -----------------------------------------------------------------------
@pytest.mark.parametrize("executor", ["reference", "foreach"])
@pytest.mark.parametrize("name", ["SOAP", "Shampoo", "PSGDKron"])
def test_higher_orders(name, executor):
    """Convolutions' kernels, of full rank on every side, so that the eigenbases are unique."""
    parameters = some((4, 3, 2), (4, 3, 2, 2), (3, 2, 2, 2, 2))
    others = copies(parameters)
    mine = {"SOAP": SOAP, "Shampoo": Shampoo, "PSGDKron": PSGDKron}[name](parameters, executor=executor)
    sure = getattr(kronecker, name)(others, lr=mine.defaults["lr"])
    assert both(mine, parameters, sure, others) <= 1e-12


@pytest.mark.parametrize("limit", [4, 100])
def test_soap_merges_dimensions(limit):
    parameters = some((2, 2, 3, 2))
    others = copies(parameters)
    mine = SOAP(parameters, merge_dims=True, max_precond_dim=limit)
    sure = kronecker.SOAP(others, merge_dims=True, max_precond_dim=limit)
    if limit == 100:  # one side of 24, of rank 1 in the first step: its basis is not unique
        for found in (next(gradients(parameters)), next(gradients(parameters, 2))):
            give(parameters, found)
            mine.step()
        assert mine.state[parameters[0]]["basis0"].shape == (24, 24)
    else:
        assert both(mine, parameters, sure, others) <= 1e-12
    assert merged((512, 2, 1, 3), 1000) == (512, 6)


def test_soap_of_vectors():
    parameters = some((2,), (1,))
    others = copies(parameters)
    mine, sure = SOAP(parameters, precondition_1d=True), kronecker.SOAP(others, precondition_1d=True)
    assert both(mine, parameters, sure, others) <= 1e-12
    assert mine.state[parameters[0]]["basis"].shape == (2, 2)


# SOAP's bases -----------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (6, 6), (30, 2, 3)])
def test_the_first_basis_is_an_eigenbasis(shape):
    """Of a long side too, most of whose eigenvalues are 0."""
    (g,) = some(shape)
    g = g.detach()
    product = unfolded(g, 0) @ unfolded(g, 0).T
    basis = first_basis(torch.empty_like(product), g, 0, 0)
    eye = torch.eye(len(product), dtype=g.dtype)
    assert float((basis.T @ basis - eye).abs().max()) <= 1e-13
    rotated = basis.T @ product @ basis
    sizes = torch.linalg.eigvalsh(product).flip(0)
    assert float((rotated - torch.diag(sizes)).abs().max()) <= 1e-11


def test_a_long_side_keeps_its_length_of_step():
    """Where the first basis is not unique: against the authors' form by what does not depend on it."""
    parameters = some((9, 4))
    mine = SOAP(parameters, lr=0.1, precondition_frequency=2, weight_decay=0.0)
    others = copies(parameters)
    theirs = kronecker.SOAP(others, lr=0.1, precondition_frequency=2, weight_decay=0.0)
    both(mine, parameters, theirs, others, 40)
    s, t = mine.state[parameters[0]], theirs.state[others[0]]
    # L is that of the gradients alone; of m, the length does not depend on the bases.
    assert apart(symmetric(s["gram0"]), t["L"][0]) <= 1e-12
    assert apart(s["m"].norm(), t["m"].norm()) <= 1e-12
    q = s["basis0"]
    assert apart(q.T @ q, torch.eye(9, dtype=q.dtype)) <= 1e-12


def test_the_lower_triangle_is_enough():
    (g,) = some((500, 3))
    gram = torch.zeros(500, 500, dtype=g.dtype)
    tracked.in_place(gram, g.detach(), 0.0, 1.0, 0, 0)
    assert torch.allclose(symmetric(gram), g.detach() @ g.detach().T, atol=1e-12)
    assert float(gram[0, -1]) == 0


def test_bases_in_float32_of_bfloat16_parameters():
    parameters = some((4, 3), dtype=torch.bfloat16)
    method = SOAP(parameters)
    for _, found in zip(range(12), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
    q = method.state[parameters[0]]["basis0"]
    assert q.dtype == torch.float32
    assert float((q.T @ q - torch.eye(4)).abs().max()) < 1e-5


def test_gradients_that_are_zero_or_not_finite():
    for value in (0.0, float("nan")):
        for make in (SOAP, Shampoo, PSGDKron):
            (p,) = parameters = some((3, 2))
            method = make(parameters)
            for _ in range(12):
                p.grad = torch.full_like(p, value)
                method.step()
            assert bool(p.isfinite().all()) == (value == 0.0)


# Shampoo ----------------------------------------------------------------------------------------
def test_blocks_and_back():
    for shape in ((5, 7), (4, 4), (3, 5, 2), (1, 9)):
        x = torch.arange(torch.Size(shape).numel()).reshape(shape)
        cut = blocks(x, 3)
        assert all(n <= 3 for n in cut.shape[1:])
        assert torch.equal(together(cut, x.shape, 3), x)


@pytest.mark.parametrize("graft", ["none", "sgd", "adagrad"])
def test_shampoo_of_a_package(graft):
    """pytorch_optimizer's, where it means the same: sums, roots by SVD, no merging."""
    package = pytest.importorskip("pytorch_optimizer")
    parameters = some((4, 3), (5, 7), (4, 3, 2, 2))
    others = copies(parameters)
    shared = {"nesterov": True, "block_size": 4, "weight_decay": 0.1}
    mine = Shampoo(parameters, beta2=1.0, grafting=graft, eps=1e-4, grafting_eps=1e-10, **shared)
    theirs = package.ScalableShampoo(
        others,
        matrix_eps=1e-4,
        use_svd=True,
        graft_type={"none": 0, "sgd": 1, "adagrad": 2}[graft],
        start_preconditioning_step=1,
        preconditioning_compute_steps=1,
        shape_interpretation=False,
        decoupled_weight_decay=True,
        **shared,
    )
    theirs.param_groups[0]["betas"] = (0.9, 1.0)  # its constructor refuses the sum
    mine.param_groups[0].update(precondition_frequency=1, start_preconditioning_step=1)
    assert both(mine, parameters, theirs, others) <= 1e-12


# SOAP and Kron beside packages ------------------------------------------------------------------
def test_soap_of_a_package():
    """pytorch_optimizer's decomposes in float32: as near as that allows (1e-9 was found)."""
    package = pytest.importorskip("pytorch_optimizer")
    parameters = some((4, 3), (5,), (4, 3, 2, 2))
    others = copies(parameters)
    assert both(SOAP(parameters), parameters, package.SOAP(others), others) <= 1e-7


@pytest.mark.parametrize("mode", [None, "smart_one_diag", "one_diag", "all_diag"])
def test_kron_of_a_package(mode, monkeypatch):
    """kron_torch's, with our probes: as near as its triangular solves in float32 allow (1e-8 was found)."""
    dynamo = pytest.importorskip("torch._dynamo")
    package = pytest.importorskip("kron_torch.kron")
    fit, t = package._calc_A_and_conjB, 0
    # It damps the momentum in place, and so moves the parameters by the probe: not meant to be.
    monkeypatch.setattr(package, "_calc_A_and_conjB", lambda e, g, q: fit(e, g.clone(), q))
    monkeypatch.setattr(package.torch, "randn_like", lambda x: probe(x, t))
    parameters = some((4, 3), (5,), (6, 6), (3, 8))
    others = copies(parameters)
    mine = PSGDKron(parameters, memory_save_mode=mode, weight_decay=0.1)
    theirs = package.Kron(others, precond_dtype=torch.float64, memory_save_mode=mode, weight_decay=0.1)
    for t, found in zip(range(1, 61), gradients(parameters), strict=False):  # noqa: B007
        give(parameters, found)
        give(others, found)
        mine.step()
        with dynamo.config.patch(disable=True):  # compiling it would take minutes
            theirs.step()
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 1e-6


def test_krons_updates_become_rare():
    (p,) = parameters = some((3,))
    method = PSGDKron(parameters)
    found = []
    method.state[p].update(step=3990, m=torch.ones_like(p), q=torch.ones_like(p))
    for _ in range(200):
        before = method.state[p]["q"].clone()
        p.grad = torch.ones_like(p)
        method.step()
        found.append(not torch.equal(before, method.state[p]["q"]))
    assert sum(found) == pytest.approx(6, abs=1)
