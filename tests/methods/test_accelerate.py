"""Our methods inside of Hugging Face Accelerate: what its loop does is what a loop by hand does."""

import pytest
import torch
from ecosystem import FEW, batches, by_hand, loss_of, method, network, same
from torch.optim.lr_scheduler import LinearLR

accelerate = pytest.importorskip("accelerate")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def accelerator(tmp_path):
    from accelerate.state import AcceleratorState, GradientState

    yield accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2, project_dir=tmp_path)
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def schedule_of(opt):
    return LinearLR(opt, 1.0, 0.1, total_iters=16)


def prepared(accelerator, name):
    model = network()
    opt = method(name, model)
    return accelerator.prepare(model, opt, batches(), schedule_of(opt))


def train(accelerator, model, opt, loader, schedule):
    for batch in loader:
        with accelerator.accumulate(model):
            accelerator.backward(loss_of(model, batch))
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 0.5)
            opt.step()
            schedule.step()
            opt.zero_grad()


def alone(name, epochs):
    model = network()
    opt = method(name, model)
    by_hand(model, opt, schedule_of(opt), epochs, accumulate=2, clip=0.5)
    return model, opt


@pytest.mark.parametrize("name", FEW)
def test_clipping_accumulation_and_resuming(name, accelerator, tmp_path):
    """Save in the middle, spoil everything, load, go on."""
    model, opt, loader, schedule = prepared(accelerator, name)
    train(accelerator, model, opt, loader, schedule)
    accelerator.save_state(str(tmp_path / "middle"))
    train(accelerator, model, opt, loader, schedule)
    expected, sure = alone(name, 2)
    assert same(model, expected)
    assert opt.param_groups[0]["lr"] == pytest.approx(sure.param_groups[0]["lr"])
    accelerator.load_state(str(tmp_path / "middle"))
    train(accelerator, model, opt, loader, schedule)
    assert same(model, expected)


def test_another_process_resumes(accelerator, tmp_path):
    """What was saved is loaded into objects that are new."""
    model, opt, loader, schedule = prepared(accelerator, "muon")
    train(accelerator, model, opt, loader, schedule)
    accelerator.save_state(str(tmp_path / "middle"))
    accelerator.free_memory()
    model, opt, loader, schedule = prepared(accelerator, "muon")
    accelerator.load_state(str(tmp_path / "middle"))
    train(accelerator, model, opt, loader, schedule)
    assert same(model, alone("muon", 2)[0])


def test_evaluation_through_the_wrapper(accelerator):
    model, opt, loader, schedule = prepared(accelerator, "schedulefreeadamw")
    train(accelerator, model, opt, loader, schedule)
    expected, sure = alone("schedulefreeadamw", 1)
    with opt.optimizer.evaluation(), sure.evaluation():
        assert same(model, expected)
    assert same(model, expected)
    assert torch.isfinite(model.first.weight).all()
