"""Every method, by every executor, is torch.optim's method of the same name."""

import pytest
import torch
from cases import CASES, LR, SAME_TEXT, apart, copies, executors, give, gradients, layouts, methods, variants

from descend.methods import TABLE
from descend.methods.method import EXECUTORS

STEPS = 200


def pair(name, parameters, executor="foreach", **hyperparameters):
    """Return a method of ours and torch's, and torch's own parameters."""
    others = copies(parameters)
    case = CASES[name]
    hyperparameters = {"lr": case.lr, **hyperparameters}
    mine = TABLE[name](parameters, executor=executor, **hyperparameters)
    text = SAME_TEXT.get(parameters[0].dtype, {}) if case.source == "torch.optim" else {}
    return mine, case.reference(others, **case.theirs(hyperparameters), **text), others


def agree(parameters, others, bound=1e-12, start=None):
    for i, (p, other) in enumerate(zip(parameters, others, strict=True)):
        scale = 0.0 if start is None or not p.numel() else start[i].detach().abs().max()
        assert apart(p, other, scale) <= bound, f"parameter {i}"


def test_every_method_has_a_row():
    assert set(CASES) == set(TABLE)


@variants
@executors
def test_float64(name, variant, executor):
    parameters = layouts(shapes=CASES[name].shapes)
    mine, sure, others = pair(name, parameters, executor, **variant)
    for _, found in zip(range(STEPS), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    agree(parameters, others, CASES[name].double)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "variant", "executor"),
    # One variant is enough of the oracle, which is slow: float64 above covers the others.
    [(n, v, "foreach") for n, case in CASES.items() for v in case.variants]
    + [(n, {}, "reference") for n in CASES],
)
def test_a_few_ulp(name, variant, executor, dtype):
    parameters = layouts(dtype)
    start = copies(parameters)
    mine, sure, others = pair(name, parameters, executor, **variant)
    for _, found in zip(range(STEPS), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    agree(parameters, others, CASES[name].ulp[executor, dtype] * torch.finfo(dtype).eps, start)


@methods
@executors
def test_groups_with_their_own_hyperparameters(name, executor):
    parameters = layouts()
    others = copies(parameters)
    mine = TABLE[name](
        [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.1, "weight_decay": 0.2}],
        lr=LR,
        executor=executor,
    )
    sure = CASES[name].reference(
        [{"params": others[:2]}, {"params": others[2:], "lr": 0.1, "weight_decay": 0.2}], lr=LR
    )
    for _, found in zip(range(50), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    agree(parameters, others)


@methods
@executors
def test_an_unused_expert_counts_its_own_steps(name, executor):
    """Each parameter against a torch optimizer of its own, which steps only when there is a gradient."""
    parameters = layouts()
    others = copies(parameters)
    mine = TABLE[name](parameters, lr=LR, executor=executor)
    sure = [CASES[name].reference([p], lr=LR) for p in others]
    for step, found in zip(range(60), gradients(parameters), strict=False):
        for i, (p, other, g) in enumerate(zip(parameters, others, found, strict=True)):
            used = step % (i + 1) == i
            p.grad = g.clone() if used else None
            other.grad = g.clone() if used else None
            if used:
                sure[i].step()
        mine.step()
    agree(parameters, others)
    assert [mine.state[p]["step"] for p in parameters] == [60 // (i + 1) for i in range(len(parameters))]


@methods
@executors
def test_complex_parameters(name, executor):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, dtype=torch.complex128, generator=generator)
    parameters = [torch.nn.Parameter(start)]
    mine, sure, others = pair(name, parameters, executor)
    for _ in range(50):
        g = torch.randn(3, 4, dtype=torch.complex128, generator=generator)
        parameters[0].grad = g.conj().t()  # not yet conjugated; torch's Adam cannot take that
        others[0].grad = g.conj().t().resolve_conj()
        mine.step()
        sure.step()
    agree(*([torch.view_as_real(p.detach()) for p in tensors] for tensors in (parameters, others)))


@methods
def test_many_tensors(name):
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(i % 7 + 1, generator=generator)) for i in range(500)]
    mine, sure, others = pair(name, parameters)
    for _, found in zip(range(3), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    agree(parameters, others, 4 * torch.finfo(torch.float32).eps)


@methods
@executors
def test_closure(name, executor):
    parameters = layouts()
    mine, sure, others = pair(name, parameters, executor)
    losses = []
    for method, tensors in ((mine, parameters), (sure, others)):

        def closure(method=method, tensors=tensors):
            assert torch.is_grad_enabled()
            method.zero_grad()
            loss = sum((p**2).sum() for p in tensors)
            loss.backward()
            return loss

        losses.append([method.step(closure) for _ in range(10)])
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=0)
    agree(parameters, others)


@methods
def test_mixed_dtypes_in_one_group(name):
    wide, narrow = layouts(torch.float64), layouts(torch.float32)
    parameters = [p for both in zip(wide, narrow, strict=True) for p in both]
    mine, sure, others = pair(name, parameters)
    for _, found in zip(range(20), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    agree(parameters[::2], others[::2])
    agree(parameters[1::2], others[1::2], 4 * torch.finfo(torch.float32).eps)


@methods
@executors
def test_wide_state_of_narrow_parameters(name, executor):
    """float32 state beside bfloat16 parameters: computed in float32, and rounded once."""
    narrow = layouts(torch.bfloat16)
    mine = TABLE[name](narrow, lr=LR, executor=executor)
    found = next(gradients(narrow))
    give(narrow, found)
    mine.step()
    for own in mine.state.values():
        own.update({k: v.float() for k, v in own.items() if isinstance(v, torch.Tensor)})
    wide = [torch.nn.Parameter(p.detach().float()) for p in narrow]
    sure = TABLE[name](wide, lr=LR, executor="reference")
    sure.load_state_dict(mine.state_dict())
    give(narrow, found)
    give(wide, [g.float() for g in found])
    mine.step()
    sure.step()
    for p, q in zip(narrow, wide, strict=True):
        assert p.dtype == torch.bfloat16
        torch.testing.assert_close(p, q.to(torch.bfloat16), rtol=2**-7, atol=0)
        for key, kept in mine.state[p].items():
            if key != "step":
                assert kept.dtype == torch.float32
                torch.testing.assert_close(kept, sure.state[q][key], rtol=1e-6, atol=1e-20)


def test_executors_are_the_ones_documented():
    assert set(EXECUTORS) == {"reference", "foreach"}
