"""Every method, by every executor, is someone else's method of the same name.

After 200 steps it is in ``test_parity_page.py``; here are more variants, and the ways in which a method is
used.
"""

import pytest
import torch
from cases import (
    CASES,
    WITHOUT,
    compared,
    copies,
    executors,
    give,
    gradients,
    has,
    laid_out,
    lr,
    methods,
    shares,
    together,
    unless,
    variants,
)
from pairs import Pair, Reference, agree, distances, feed, give_some, real
from parity import PACKAGES

from descend.methods import TABLE
from descend.methods.method import EXECUTORS, Method

STEPS = 40
FEW = 12  # for executors that test_parity_page.py and test_hyperparameters.py compare with the portable one


def test_every_method_has_a_row():
    assert set(CASES) == set(TABLE)


def test_a_source_says_what_it_is():
    """Torch, a package that the test extra has, or a text of our own."""
    for name, case in CASES.items():
        known = case.native or set(case.source.split()) & set(PACKAGES) or "written out" in case.source
        assert known, f"{name}: {case.source}"


def test_exceptions_are_known_and_have_reasons():
    for name, case in CASES.items():
        assert set(case.without) <= set(WITHOUT), name
        assert all(len(reason.split()) > 3 for reason in case.without.values()), name


def test_executors_are_the_ones_documented():
    assert Method.__doc__ is not None
    assert [name for name in EXECUTORS if f"``{name}``" not in Method.__doc__] == []


@variants
@executors
def test_float64(name, variant, executor):
    if variant.get("maximize"):
        unless(name, "maximize")
    Pair(name, laid_out(name), executor, **variant).descend(STEPS if executor == "foreach" else FEW).agree()


NARROW = [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize(
    ("name", "variant", "executor"),
    # One variant is enough of the oracle, which is slow: float64 above covers the others.
    [
        (n, v, executor)
        for n in compared
        if CASES[n].native
        for executor in EXECUTORS
        for v in (CASES[n].variants if executor != "reference" else [{}])
        if (executor, torch.float32) in CASES[n].ulp
    ],
)
def test_a_few_ulp(name, variant, executor, dtype):
    """Where torch has the method, the same operations in the same order, to a few units of the last place."""
    unless(name, str(dtype).removeprefix("torch."))
    if (executor, dtype) not in CASES[name].ulp:
        pytest.skip("this executor computes in a wider format than torch, and is compared with the truth")
    parameters = laid_out(name, dtype)
    start = copies(parameters)
    bound = CASES[name].ulp[executor, dtype] * torch.finfo(dtype).eps
    Pair(name, parameters, executor, **variant).descend(STEPS).agree(bound, start)


@methods
@pytest.mark.parametrize("executor", [x for x in EXECUTORS if x != "foreach"])  # the page has that one
@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_near_the_truth(name, executor, dtype):
    """In a narrow format ours is about as near to the float64 truth as the surer side is in that format.

    The surer side is the reference where it can run in it, and otherwise the equations as plain torch.
    """
    unless(name, str(dtype).removeprefix("torch."))
    case = CASES[name]
    parameters = laid_out(name, dtype)
    start = copies(parameters)
    truth = Pair(name, copies(parameters), executor, torch.float64)
    mine = Pair(name, parameters, executor) if surer(name, dtype) else None
    other = TABLE[name](others := copies(parameters), executor="reference", **lr(name))
    if mine is None:
        mine = TABLE[name](parameters, executor=executor, **lr(name))
    for _, found in zip(range(FEW), gradients(parameters), strict=False):
        truth.step(found)
        if isinstance(mine, Pair):
            mine.step(found)
            continue
        for tensors, method in ((parameters, mine), (others, other)):
            feed(case, tensors, found)
            method.step()
    sure = mine.sure.parameters if isinstance(mine, Pair) else others
    allowed = distances(sure, truth.sure.parameters, start)
    for found, theirs in zip(distances(parameters, truth.sure.parameters, start), allowed, strict=True):
        assert found <= case.rounding * theirs + 8 * torch.finfo(dtype).eps
    # An executor without any error would pass as well; one that does nothing would not.
    assert max(distances(parameters, start)) > 0


def surer(name, dtype):
    return CASES[name].narrow or dtype != torch.bfloat16


@methods
@executors
def test_groups_with_their_own_hyperparameters(name, executor):
    unless(name, "groups")
    parameters = laid_out(name)
    second = {"lr": 10 * CASES[name].lr} if has(name, "lr") else {}
    if has(name, "weight_decay") and "decay" not in CASES[name].without:
        second["weight_decay"] = 0.2
    sure = Reference(name, [(parameters[:2], {}), (parameters[2:], second)])
    mine = TABLE[name](
        [{"params": parameters[:2]}, {"params": parameters[2:], **second}], **lr(name), executor=executor
    )
    for _, found in zip(range(20), gradients(parameters), strict=False):
        feed(CASES[name], parameters, found)
        mine.step()
        sure.along(found)
    agree(parameters, sure.parameters, CASES[name].double)


@methods
@executors
def test_an_unused_expert_counts_its_own_steps(name, executor):
    """Each parameter against an optimizer of its own, which steps only when there is a gradient.

    Where a method decides something for all parameters together, against one optimizer of them all.
    """
    parameters = laid_out(name)
    one_for_all = together(name)
    groups = [(parameters, {})] if one_for_all else [([p], {}) for p in parameters]
    sure = [Reference(name, [group]) for group in groups]
    mine = TABLE[name](parameters, **lr(name), executor=executor)
    case = CASES[name]
    for step, found in zip(range(24), gradients(parameters), strict=False):
        used = [step % (i + 1) == i for i in range(len(parameters))]
        found = [g if u else None for g, u in zip(found, used, strict=True)]
        give_some(case, parameters, found)
        mine.step()
        if "experts" in case.without:  # what ours does is looked at below
            continue
        for i, one in enumerate(sure):
            some = found if one_for_all else [found[i]]
            if any(g is not None for g in some):
                one.along(some)
    assert [mine.state[p]["step"] for p in parameters] == [24 // (i + 1) for i in range(len(parameters))]
    unless(name, "experts")
    agree(parameters, [p for one in sure for p in one.parameters], case.double)


@methods
@executors
def test_complex_parameters(name, executor):
    unless(name, "complex")
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, dtype=torch.complex128, generator=generator)
    pair = Pair(name, [torch.nn.Parameter(start)], executor)
    for _ in range(30):
        g = torch.randn(3, 4, dtype=torch.complex128, generator=generator)
        pair.parameters[0].grad = g.conj().t()  # not yet conjugated; torch's Adam cannot take that
        pair.mine.step()
        pair.sure.step([g.conj().t()])
    pair.agree()


@methods
@executors
def test_gradients_that_are_not_yet_negated(name, executor):
    """A view of numbers of the other sign, as the gradient of an imaginary part may be."""
    generator = torch.Generator().manual_seed(0)
    shape = (4, 3) if CASES[name].shapes == "matrices" else (12,)
    pair = Pair(name, [torch.nn.Parameter(torch.randn(shape, generator=generator).double())], executor)
    for k in range(0 if hasattr(pair.mine, "estimate") else 10):  # which asks for gradients with a graph
        g = torch.randn(shape, generator=generator).double()
        pair.parameters[0].grad = torch._neg_view(-g) if k % 3 else g
        pair.mine.step()
        pair.sure.step([g])
    pair.agree()


@methods
def test_many_tensors(name):
    generator = torch.Generator().manual_seed(0)
    matrix = CASES[name].shapes == "matrices"
    shapes = [(i % 7 + 2, 2) if matrix else (i % 7 + 1,) for i in range(60 if matrix else 200)]
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator).double()) for shape in shapes]
    Pair(name, parameters).descend(3).agree()


@methods
@executors
def test_closure(name, executor):
    unless(name, "closure")
    pair = Pair(name, laid_out(name), executor)
    losses = []
    for step, method, tensors in (
        (pair.mine.step, pair.mine, pair.parameters),
        (pair.sure.go, None, pair.sure.parameters),
    ):

        def closure(tensors=tensors, ours=method is not None):
            assert torch.is_grad_enabled()
            for p in tensors:
                p.grad = None
            loss = sum((p**2).sum() for p in tensors)
            loss.backward(create_graph=pair.case.graph)
            return loss.detach()

        losses.append([step(closure) for _ in range(10)])
    torch.testing.assert_close(losses[0], losses[1], rtol=max(pair.case.double, 1e-12), atol=0)
    pair.agree()


@methods
@executors
def test_climbing_is_descending_along_the_negative_gradient(name, executor):
    unless(name, "maximize")
    parameters = laid_out(name)
    others = copies(parameters)
    up = TABLE[name](parameters, maximize=True, executor=executor, **lr(name))
    down = TABLE[name](others, executor=executor, **lr(name))
    for _, found in zip(range(5), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, [-g for g in found])
        up.step()
        down.step()
    agree(parameters, others, 1e-14)


@methods
@executors
def test_evaluation(name, executor):
    """Inside ``evaluation()`` the parameters are where the reference evaluates; outside, where it trains."""
    pair = Pair(name, laid_out(name), executor)
    for seed in range(3):
        pair.descend(5, seed)
        before = copies(pair.parameters)
        with pair.mine.evaluation():
            if pair.case.evaluation is None:
                assert distances(pair.parameters, before) == [0.0] * len(before)
                assert TABLE[name].evaluation_point is None, "the row does not say how to compare it"
                continue
            pair.sure.evaluate(True)
            pair.agree(pair.case.double)
        assert all(map(torch.equal, pair.parameters, before))
        pair.sure.evaluate(False)


@methods
@executors
def test_mixed_dtypes_in_one_group(name, executor):
    unless(name, "mixed")
    if shares(name):
        pytest.skip("numbers for all parameters are sums over both dtypes, and differ in float32")
    wide, narrow = laid_out(name), laid_out(name, torch.float32)
    parameters = [p for both in zip(wide, narrow, strict=True) for p in both]
    Mixed = TABLE[name](parameters, executor=executor, **lr(name))
    sure = [Reference(name, [(tensors, {})]) for tensors in (wide, narrow)]
    truth = Reference(name, [([torch.nn.Parameter(p.detach().double()) for p in narrow], {})])
    start = copies(narrow)
    for _, found in zip(range(10), gradients(wide), strict=False):
        short = [g.float() for g in found]
        feed(CASES[name], wide, found)
        feed(CASES[name], narrow, short)
        Mixed.step()
        for one, g in ((sure[0], found), (sure[1], short), (truth, [x.double() for x in short])):
            one.along(g)
    agree(wide, sure[0].parameters, CASES[name].double)
    allowed = distances(sure[1].parameters, truth.parameters, start)
    for found, theirs in zip(distances(narrow, truth.parameters, start), allowed, strict=True):
        assert found <= CASES[name].rounding * theirs + 4 * torch.finfo(torch.float32).eps


@methods
@executors
def test_wide_state_of_narrow_parameters(name, executor):
    """float32 state beside bfloat16 parameters: computed in float32, and rounded once."""
    unless(name, "wide")
    narrow = laid_out(name, torch.bfloat16)
    case = CASES[name]
    mine = TABLE[name](narrow, executor=executor, **lr(name))
    found = next(gradients(narrow))
    feed(case, narrow, found)
    mine.step()
    for own in mine.state.values():
        own.update({k: v.float() for k, v in own.items() if isinstance(v, torch.Tensor)})
    wide = [torch.nn.Parameter(p.detach().float()) for p in narrow]
    sure = TABLE[name](wide, executor="reference", **lr(name))
    sure.load_state_dict(mine.state_dict())
    feed(case, narrow, found)
    feed(case, wide, [g.float() for g in found])
    mine.step()
    sure.step()
    for p, q in zip(narrow, wide, strict=True):
        assert p.dtype == torch.bfloat16
        torch.testing.assert_close(p, q.to(torch.bfloat16), rtol=2**-7, atol=0)
        for key, kept in mine.state[p].items():
            if key != "step":
                assert kept.dtype == torch.float32
                torch.testing.assert_close(kept, sure.state[q][key], rtol=1e-5, atol=1e-20)


def test_complex_tensors_are_seen_as_real():
    x = torch.tensor([1 + 2j])
    assert real(x.conj()).tolist() == [[1, -2]]
