"""Watching inside of other people's loops."""

import warnings

import pytest
import torch
from torch import nn

from descend.diagnosing.telling import told

pytestmark = pytest.mark.filterwarnings("ignore")


def data(n=128):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 5, generator=g)
    return torch.utils.data.TensorDataset(x, (x[:, 0] > 0).long())


def test_lightning(tmp_path, capsys):
    pytest.importorskip("lightning")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning.pytorch as lightning

    from descend.diagnosing.in_lightning import WatchCallback

    class Net(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))

        def training_step(self, batch, index):
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-2)

    callback = WatchCallback()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[callback],
    )
    trainer.fit(Net(), torch.utils.data.DataLoader(data(), batch_size=16, shuffle=True))
    assert callback.watch.steps == 16 and len(callback.watch.seen.losses) == 16
    assert callback.watch.seen.windows and callback.watch.seen.windows[0].criteria
    assert not any(f.severity != "info" for f in callback.watch.findings)
    assert "16 steps" in capsys.readouterr().out


def test_transformers(tmp_path, capsys):
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from transformers import Trainer, TrainingArguments

    from descend.diagnosing.in_transformers import WatchCallback

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))

        def forward(self, x, labels):
            scores = self.net(x)
            return {"loss": nn.functional.cross_entropy(scores, labels), "logits": scores}

    rows = [{"x": x, "labels": y} for x, y in data()]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=12,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    callback = WatchCallback(show=False)
    Trainer(Net(), arguments, train_dataset=rows, callbacks=[callback]).train()
    assert callback.watch.steps == 12 and len(callback.watch.seen.losses) == 12
    assert "12 steps" in told(callback.watch.seen, callback.watch.findings)
    assert "12 steps" not in capsys.readouterr().out
