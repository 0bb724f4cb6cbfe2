"""Modifiers that decide where and when gradients are taken: sharpness-aware descent, accumulation."""

import pytest
import torch
from cases import CASES, apart, copies, executors, give, gradients, layouts
from modified import BASES, bases, far
from references import modifiers as text
from torch import nn

import descend
from descend.errors import UsageError
from descend.methods import TABLE


# Sharpness-aware descent ------------------------------------------------------------------------
def valley(tensors):
    """A loss with a curvature that varies, in all parameters together."""
    flat = torch.cat([p.flatten() for p in tensors])
    return torch.logsumexp(flat, 0) + 0.1 * (flat**2).sum() + torch.sin(flat * flat.roll(1)).sum()


def closure_of(method, tensors, sign=1.0, counted=None):
    def closure():
        assert torch.is_grad_enabled()
        for p in tensors:
            p.grad = None
        loss = sign * valley(tensors)
        loss.backward()
        if counted is not None:
            counted.append(loss)
        return loss.detach()

    return closure


@executors
@bases
@pytest.mark.parametrize("adaptive", [False, True])
def test_sam(base, adaptive, executor):
    ours, _ = BASES[base]
    tensors = layouts()
    others = copies(tensors)
    groups = [{"params": tensors[:2], "sam": 0.3}, {"params": tensors[2:]}]
    mine = TABLE[base](groups, lr=0.01, sam=0.1, sam_adaptive=adaptive, executor=executor, **ours)
    reference = CASES[base].reference(others, **CASES[base].theirs({"lr": 0.01, **ours}))
    sure = text.Climb(reference, [(others[:2], 0.3, adaptive), (others[2:], 0.1, adaptive)])
    counted = []
    for _ in range(30):
        loss = mine.step(closure_of(mine, tensors, counted=counted))
        assert apart(loss, sure.step(closure_of(sure, others))) <= 1e-12
    assert far(tensors, others) <= 1e-12
    assert len(counted) == 60
    assert mine.needs_closure


@executors
def test_sam_climbs_the_other_way_where_the_method_climbs(executor):
    tensors = layouts()
    others = copies(tensors)
    mine = descend.SGD(tensors, lr=0.01, sam=0.1, maximize=True, executor=executor)
    sure = descend.SGD(others, lr=0.01, sam=0.1, executor="reference")
    for _ in range(10):
        mine.step(closure_of(mine, tensors, -1.0))
        sure.step(closure_of(sure, others))
    assert far(tensors, others) <= 1e-12


def test_sam_with_other_parts():
    """Clipping measures the gradient that the step is taken with, not that of the climb."""
    tensors = layouts()
    others = copies(tensors)
    mine = descend.SGD(tensors, lr=0.01, sam=0.1, clip_norm=0.3, lookahead=3)
    sgd = torch.optim.SGD(others, lr=0.01)
    sure = text.Climb(text.ClipNorm(text.Lookahead(sgd, others, 3), others, 0.3), [(others, 0.1, False)])
    for _ in range(10):
        mine.step(closure_of(mine, tensors))
        sure.step(closure_of(sure, others))
    assert far(tensors, others) <= 1e-12


def test_sam_comes_back_where_the_closure_fails():
    tensors = layouts()
    before = copies(tensors)
    calls = []

    def failing():
        if calls:
            raise RuntimeError("no memory")
        calls.append(closure_of(None, tensors)())
        return calls[0]

    with pytest.raises(RuntimeError, match="no memory"):
        descend.SGD(tensors, lr=0.01, sam=0.1).step(failing)
    assert all(torch.equal(p, q) for p, q in zip(tensors, before, strict=True))


def test_sam_without_a_closure():
    tensors = layouts()
    method = descend.SGD(tensors, lr=0.01, sam=0.1)
    give(tensors, next(gradients(tensors)))
    with pytest.raises(UsageError, match="a closure with sam"):
        method.step()
    assert not descend.SGD(tensors, lr=0.01).needs_closure


# Accumulating gradients -------------------------------------------------------------------------
@executors
def test_accumulated_gradients_are_those_of_p_grad(executor):
    """Parameters that are used in some of the calls, in one, in none."""
    tensors = layouts()
    others = copies(tensors)
    mine = descend.AdamW(tensors, lr=0.01, accumulate=4, executor=executor)
    sure = torch.optim.AdamW(others, lr=0.01)
    for call, found in zip(range(48), gradients(tensors), strict=False):
        used = [call % (i + 1) == i or (i == 4 and call > 30) for i in range(len(tensors))]
        for p, q, g, here in zip(tensors, others, found, used, strict=True):
            p.grad = g.clone() if here else None
            if here:
                q.grad = g / 4 if q.grad is None else q.grad + g / 4
        mine.step()
        if call % 4 == 3:
            sure.step()
            sure.zero_grad()
        assert far(tensors, others) <= 1e-12
    steps = [int(sure.state[q]["step"]) if q in sure.state else 0 for q in others]
    assert [mine.state[p].get("step", 0) for p in tensors] == steps


def test_accumulation_keeps_its_sums_apart_and_only_as_long_as_needed():
    tensors = layouts(torch.bfloat16)
    method = descend.SGD(tensors, lr=0.01, accumulate=2)
    before = copies(tensors)
    give(tensors, next(gradients(tensors)))
    given = [p.grad.clone() for p in tensors]
    method.step()
    assert all(torch.equal(p, q) for p, q in zip(tensors, before, strict=True))
    assert all(torch.equal(p.grad, g) for p, g in zip(tensors, given, strict=True))
    assert all(own["gathered"].dtype == torch.float32 for own in method.state.values())
    assert all("step" not in own for own in method.state.values())
    method.step()
    assert all(own == {"step": 1} for own in method.state.values())


def test_groups_accumulate_by_themselves():
    tensors = layouts()
    others = copies(tensors)
    mine = descend.SGD([{"params": tensors[:2], "accumulate": 2}, {"params": tensors[2:]}], lr=0.01)
    sure = [descend.SGD(others[:2], lr=0.01, accumulate=2), descend.SGD(others[2:], lr=0.01)]
    for _, found in zip(range(7), gradients(tensors), strict=False):
        give(tensors, found)
        give(others, found)
        mine.step()
        for method in sure:
            method.step()
    assert all(torch.equal(p, q) for p, q in zip(tensors, others, strict=True))


def test_a_smaller_number_takes_the_step_with_what_is_there():
    p = nn.Parameter(torch.zeros(1))
    method = descend.SGD([p], lr=1.0, accumulate=4)
    for g in (1.0, 2.0, 6.0):
        p.grad = torch.tensor([g])
        method.step()
    method.param_groups[0]["accumulate"] = 1
    p.grad = torch.tensor([7.0])
    method.step()
    assert p.item() == -4.0
    method.step()
    assert p.item() == -11.0
