"""Our methods inside of Lightning: what its loop does is what a loop by hand does."""

import warnings

import pytest
import torch
from ecosystem import FEW, batches, by_hand, loss_of, method, network, same
from torch.optim.lr_scheduler import LinearLR, OneCycleLR

pytest.importorskip("lightning")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning

pytestmark = pytest.mark.filterwarnings("ignore")


def schedule_of(opt):
    return LinearLR(opt, 1.0, 0.1, total_iters=16)


class Automatic(lightning.LightningModule):
    def __init__(self, name):
        super().__init__()
        self.net, self.name = network(), name

    def training_step(self, batch, index):
        return loss_of(self.net, batch)

    def configure_optimizers(self):
        opt = method(self.name, self.net)
        schedule = {"scheduler": schedule_of(opt), "interval": "step"}
        return {"optimizer": opt, "lr_scheduler": schedule}


class Manual(Automatic):
    automatic_optimization = False

    def training_step(self, batch, index):
        opt, schedule = self.optimizers(), self.lr_schedulers()
        loss = loss_of(self.net, batch)
        self.manual_backward(loss / 2)
        if index % 2:
            self.clip_gradients(opt, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
            opt.step()
            schedule.step()
            opt.zero_grad()


class Evaluating(Automatic):
    """Validates where the method evaluates."""

    def on_validation_epoch_start(self):
        self.there = self.trainer.optimizers[0].evaluation()
        self.there.__enter__()

    def validation_step(self, batch, index):
        self.log("loss", loss_of(self.net, batch))

    def on_validation_epoch_end(self):
        self.there.__exit__(None, None, None)


def trainer(folder, **given):
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    return lightning.Trainer(
        accelerator="cpu",
        devices=1,
        enable_checkpointing=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        **{**quiet, **given},
    )


def alone(name, epochs, **given):
    model = network()
    opt = method(name, model)
    by_hand(model, opt, schedule_of(opt), epochs, **given)
    return model, opt


@pytest.mark.parametrize("name", FEW)
def test_automatic_with_clipping_and_accumulation(name, tmp_path):
    module = Automatic(name)
    trainer(tmp_path, max_epochs=2, gradient_clip_val=0.5, accumulate_grad_batches=2).fit(module, batches())
    assert same(module.net, alone(name, 2, accumulate=2, clip=0.5)[0])


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_manual(name, tmp_path):
    module = Manual(name)
    trainer(tmp_path, max_epochs=2).fit(module, batches())
    assert same(module.net, alone(name, 2, accumulate=2, clip=0.5)[0])


@pytest.mark.parametrize("name", FEW)
def test_resuming_from_a_checkpoint(name, tmp_path):
    first = Automatic(name)
    fit = trainer(tmp_path, max_epochs=1)
    fit.fit(first, batches())
    fit.save_checkpoint(tmp_path / "middle.ckpt")
    second = Automatic(name)
    trainer(tmp_path, max_epochs=2).fit(second, batches(), ckpt_path=tmp_path / "middle.ckpt")
    assert same(second.net, alone(name, 2)[0])


def test_validating_where_the_method_evaluates(tmp_path):
    module = Evaluating("schedulefreeadamw")
    fit = trainer(tmp_path, max_epochs=2)
    fit.fit(module, batches(), batches())
    model, opt = alone("schedulefreeadamw", 2)
    assert same(module.net, model)
    with opt.evaluation():
        expected = sum(loss_of(model, batch).item() for batch in batches()) / len(batches())
    assert float(fit.callback_metrics["loss"]) == pytest.approx(expected, rel=1e-5)


def test_one_cycle(tmp_path):
    """A schedule that changes the momentum too."""

    def cycle(opt):
        return OneCycleLR(opt, max_lr=0.02, total_steps=20)

    class Cycled(Automatic):
        def configure_optimizers(self):
            opt = method("adamw", self.net)
            return [opt], [{"scheduler": cycle(opt), "interval": "step"}]

    module = Cycled("adamw")
    trainer(tmp_path, max_epochs=2).fit(module, batches())
    model = network()
    opt = method("adamw", model)
    by_hand(model, opt, cycle(opt), epochs=2)
    assert same(module.net, model)
    assert torch.isfinite(module.net.first.weight).all()
