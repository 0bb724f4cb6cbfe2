"""Our methods beside torch's own tools: every schedule, gradient scaling, compiled models.

What else torch's users rely on stands in ``test_manners.py``; Lightning, Transformers and Accelerate have a
file each, and training on several processes is ``test_sharding.py``.
"""

import io
from functools import partial

import pytest
import torch
from ecosystem import KINDS, MODIFIED, batches, by_hand, loss_of, method, network, same
from torch import nn
from torch.optim import lr_scheduler as schedules
from torch.optim.swa_utils import SWALR

import descend

STEPS = 12


def _sequential(opt):
    parts = [schedules.LinearLR(opt, 0.1, total_iters=4), schedules.ExponentialLR(opt, 0.9)]
    return schedules.SequentialLR(opt, parts, milestones=[4])


def _chained(opt):
    return schedules.ChainedScheduler([schedules.ConstantLR(opt, 0.5, 4), schedules.ExponentialLR(opt, 0.9)])


ALL = {
    "LambdaLR": partial(schedules.LambdaLR, lr_lambda=lambda step: 0.9**step),
    "MultiplicativeLR": partial(schedules.MultiplicativeLR, lr_lambda=lambda step: 0.9),
    "StepLR": partial(schedules.StepLR, step_size=3),
    "MultiStepLR": partial(schedules.MultiStepLR, milestones=[3, 7]),
    "ConstantLR": schedules.ConstantLR,
    "LinearLR": schedules.LinearLR,
    "ExponentialLR": partial(schedules.ExponentialLR, gamma=0.9),
    "PolynomialLR": partial(schedules.PolynomialLR, total_iters=10, power=2.0),
    "CosineAnnealingLR": partial(schedules.CosineAnnealingLR, T_max=10),
    "CosineAnnealingWarmRestarts": partial(schedules.CosineAnnealingWarmRestarts, T_0=5),
    "CyclicLR": partial(schedules.CyclicLR, base_lr=1e-4, max_lr=1e-2, step_size_up=4, cycle_momentum=False),
    "OneCycleLR": partial(schedules.OneCycleLR, max_lr=0.02, total_steps=STEPS + 2, cycle_momentum=False),
    "ReduceLROnPlateau": partial(schedules.ReduceLROnPlateau, patience=1, factor=0.5),
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
    "SWALR": partial(SWALR, swa_lr=1e-3, anneal_epochs=6),
}


def test_every_schedule_has_its_test():
    assert {name for name in schedules.__all__ if name != "LRScheduler"} <= ALL.keys()


def step(schedule):
    losses = {"metrics": 1.0} if isinstance(schedule, schedules.ReduceLROnPlateau) else {}
    schedule.step(**losses)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", KINDS)
def test_schedules(kind, name):
    """The same as setting, by hand, the rates that the schedule gives an optimizer of torch's.

    In the middle, optimizer and schedule are saved and go on as new objects.
    """
    model, other = network(), network()
    opt, sure = method(kind, model), method(kind, other)
    schedule = ALL[name](opt)
    rates = [{"params": [nn.Parameter(torch.zeros(1))], "lr": g["lr"]} for g in sure.param_groups]
    torchs = torch.optim.SGD(rates)
    known = ALL[name](torchs)
    loader = list(batches())
    for i in range(STEPS):
        if i == STEPS // 2:
            saved = through_a_file({"opt": opt.state_dict(), "schedule": schedule.state_dict()})
            opt = method(kind, model)
            schedule = ALL[name](opt)
            opt.load_state_dict(saved["opt"])
            schedule.load_state_dict(saved["schedule"])
        for group, theirs in zip(sure.param_groups, torchs.param_groups, strict=True):
            group["lr"] = theirs["lr"]
        assert [g["lr"] for g in opt.param_groups] == [g["lr"] for g in sure.param_groups]
        for net, m in ((model, opt), (other, sure)):
            m.zero_grad()
            loss_of(net, loader[i % len(loader)]).backward()
            m.step()
        step(schedule)
        torchs.step()
        step(known)
    assert same(model, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bare_loop_learns(kind):
    model = network()
    opt = method(kind, model)
    losses = by_hand(model, opt, epochs=25)
    with opt.evaluation():
        end = sum(loss_of(model, batch).item() for batch in batches()) / len(batches())
    assert end < 0.8 * sum(losses[: len(batches())]) / len(batches())


@pytest.mark.parametrize("kind", ["adamw", "lamb", "muon", "prodigy"])
def test_scaled_gradients_are_unscaled_and_clipped(kind):
    model, other = network(), network()
    opt, sure = method(kind, model), method(kind, other)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for batch in batches():
        scaler.scale(loss_of(model, batch)).backward()
        scaler.unscale_(opt)
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    by_hand(other, sure, clip=0.5)
    assert same(model, other)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_compiled_models(kind):
    model, other = network(), network()
    opt, sure = method(kind, model), method(kind, other)
    compiled = torch.compile(model, backend="aot_eager")
    by_hand(compiled, opt)
    by_hand(other, sure)
    assert same(model, other)


def test_our_clipping_is_torchs():
    """``clip_norm`` is ``clip_grad_norm_`` before the step, without a pass over the gradients."""
    model, other = network(), network()
    opt = method("lamb", model, clip_norm=0.5)
    by_hand(model, opt)
    by_hand(other, method("lamb", other), clip=0.5)
    assert same(model, other)


def test_our_average_is_torchs():
    model = network()
    opt = descend.AdamW(model.parameters(), average=0.9, lr=MODIFIED["adamw"]["lr"])
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    for batch in batches():
        opt.zero_grad()
        loss_of(model, batch).backward()
        opt.step()
        averaged.update_parameters(model)
    with opt.evaluation():
        assert same(model, averaged)
