"""GradScaler and methods whose kernels divide by the scale themselves: the same as where torch does it."""

import pytest
import torch
from interpreted import DEVICE, READY, as_on_cuda
from torch import nn

import descend
from descend.methods import TABLE

pytestmark = pytest.mark.skipif(not READY, reason="Triton was imported before")
INFINITE = (1, 2, 5)
"""Steps whose gradients are infinite."""


@pytest.fixture(autouse=True)
def device():
    with as_on_cuda():
        yield


def descended(name, executor, unscaled=False, steps=8):
    """Return a network and its method after some steps through a GradScaler."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    parameters = [p for p in model.parameters() if TABLE[name].takes is None or TABLE[name].takes(p)]
    opt = TABLE[name](parameters, executor=executor)
    scaler = torch.amp.GradScaler(DEVICE.type, init_scale=1024.0, growth_interval=2)
    asked = []
    for step in range(steps):
        x = torch.randn(6, 5, generator=torch.Generator().manual_seed(step))
        opt.zero_grad()
        scaler.scale(model(x).square().mean()).backward()
        if step in INFINITE:
            parameters[0].grad[0, 0] = torch.inf
        if unscaled:
            scaler.unscale_(opt)
        asked.append(opt._step_supports_amp_scaling)
        scaler.step(opt)
        scaler.update()
    return model, opt, asked


@pytest.mark.parametrize("name", ["adamw", "lion", "lamb", "prodigy", "muon", "schedulefreeadamw"])
@pytest.mark.parametrize("unscaled", [False, True])
def test_steps_are_those_that_torch_would_have_taken(name, unscaled):
    model, opt, asked = descended(name, "fused", unscaled)
    other, sure, others = descended(name, "foreach", unscaled)
    assert all(asked) and not any(others)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=2e-4, atol=2e-5)
    counts = [own["step"] for own in opt.state_dict()["state"].values()]
    assert counts == [own["step"] for own in sure.state_dict()["state"].values()] == [5] * len(counts)


def test_a_count_is_right_wherever_it_is_looked_at():
    """A step in vain is counted until the next occasion, and never longer."""
    for look in (
        lambda opt: opt.state_dict(),
        lambda opt: opt.__getstate__(),
        lambda opt: opt.evaluation().__enter__(),
        lambda opt: opt.load_state_dict(opt.state_dict()),
    ):
        model = nn.Linear(2, 2)
        opt = descend.AdamW(model.parameters())
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        opt.found_inf, opt.grad_scale = torch.tensor(1.0), torch.tensor(8.0)
        before = [p.detach().clone() for p in model.parameters()]
        opt.step()
        look(opt)
        assert all(own["step"] == 0 for own in opt.state.values())
        assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("given", [{"clip_norm": 1.0}, {"average": 0.9}, {"accumulate": 2}], ids=str)
def test_where_something_looks_at_gradients_before_torch_divides(given):
    assert not descend.AdamW(nn.Linear(2, 2).parameters(), **given)._step_supports_amp_scaling
    assert not descend.AdaHessian(nn.Linear(2, 2).parameters())._step_supports_amp_scaling
