"""What the loop costs: a step of ``fit`` beside a bare torch loop, Lightning and skorch.

The same model, initial parameters, batch size and data; the loops take turns in one process, a block of
steps each, and the figure is the median over blocks of the ratio to the bare loop's block beside it. ``fit``
records in full (loss every step, norms, rates, times, into SQLite). Run it on a quiet machine::

    OMP_NUM_THREADS=1 python bench/overhead.py
"""

import argparse
import logging
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from descend import Descent, Problem, Until
from descend.descent.record import Record
from descend.methods import AdamW

BATCH = 64


def mlp() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    model = nn.Sequential(nn.Linear(64, 84), nn.ReLU(), nn.Linear(84, 36), nn.ReLU(), nn.Linear(36, 10))
    return model, torch.randn(1200, 64), torch.randint(0, 10, (1200,))


def cnn() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 49, 230), nn.ReLU(), nn.Linear(230, 10),
    )  # fmt: skip
    return model, torch.randn(2000, 1, 28, 28), torch.randint(0, 10, (2000,))


def indices(n: int, seed: int = 0):
    generator, epoch = torch.Generator(), 0
    while True:
        order = torch.randperm(n, generator=generator.manual_seed(epoch))
        for start in range(0, n - BATCH + 1, BATCH):
            yield order[start : start + BATCH]
        epoch += 1


def bare(make: Callable, optimizer: Callable) -> Callable[[int], None]:
    """Return a loop as one writes it by hand: no record, no validation, nothing."""
    torch.manual_seed(0)
    model, x, y = make()
    opt, batches = optimizer(model.parameters()), indices(len(x))

    def steps(n: int) -> None:
        for _ in range(n):
            index = next(batches)
            opt.zero_grad()
            loss = F.cross_entropy(model(x[index]), y[index])
            loss.backward()
            opt.step()

    return steps


def fitted(make: Callable, folder: Path) -> Callable[[int], None]:
    """Return the loop of ``fit``, with its record, its checkpoints and its time checks."""
    torch.manual_seed(0)
    model, x, y = make()
    problem = Problem(model, "cross_entropy", train=(x, y))
    descent = Descent(problem, "adamw", lr=1e-3, batch_size=BATCH, schedule="cosine")
    record = Record(folder / "record.db")
    end = 1_000_000

    def checkpoint() -> None:
        snapshot = descent.snapshot()
        record.then(lambda: snapshot.save(folder / "state.safetensors"))

    def steps(n: int) -> None:
        until = Until(steps=min(descent.steps + n, end))
        descent.run(until, record=record, checkpoint=checkpoint)

    return steps


def lightning(make: Callable) -> Callable[[int], None]:
    """Return Lightning's Trainer with nothing switched on beside its defaults for logging the loss."""
    import lightning as L
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(0)
    model, x, y = make()

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def training_step(self, batch, _):
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    module = Module()
    loader = DataLoader(TensorDataset(x, y), BATCH, shuffle=True, drop_last=True)

    def steps(n: int) -> None:
        trainer = L.Trainer(
            accelerator="cpu", max_steps=n, max_epochs=-1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, loader)

    return steps


def skorch(make: Callable) -> Callable[[int], None]:
    """Return skorch's NeuralNetClassifier, with its printed log off."""
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    model, x, y = make()
    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, lr=1e-3, batch_size=BATCH,
        iterator_train__shuffle=True, iterator_train__drop_last=True, train_split=None, verbose=0,
    )  # fmt: skip
    net.initialize()
    per_epoch = len(x) // BATCH

    def steps(n: int) -> None:
        net.partial_fit(x, y, epochs=n // per_epoch)

    steps.per_epoch = per_epoch
    return steps


def measure(loops: dict[str, Callable[[int], None]], steps: int, blocks: int) -> dict[str, list[float]]:
    """Return seconds a step of every block, the loops taking turns."""
    found: dict[str, list[float]] = {name: [] for name in loops}
    for block in range(-1, blocks):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop(steps)
            if block >= 0:
                found[name].append((time.perf_counter() - start) / steps)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--only", choices=["MLP", "CNN"])
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} thread(s)"
    )
    for name, make, steps in (("MLP", mlp, 36 * 18), ("CNN", cnn, 31)):
        if options.only and options.only != name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            loops = {
                "bare torch": bare(make, lambda p: torch.optim.AdamW(p, lr=1e-3)),
                "descend fit": fitted(make, Path(folder)),
                "bare torch, fused=True": bare(make, lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True)),
                "bare torch, foreach=True": bare(make, lambda p: torch.optim.AdamW(p, lr=1e-3, foreach=True)),
                "bare loop, descend.AdamW": bare(make, lambda p: AdamW(p, lr=1e-3)),
            }
            if not options.without_peers:
                loops |= {"Lightning": lightning(make), "skorch": skorch(make)}
            found = measure(loops, steps, options.blocks)
        count = sum(p.numel() for p in make()[0].parameters())
        print(f"\n{name}, {count:,} parameters, batch {BATCH}, {options.blocks} blocks of {steps} steps")
        print(f"{'':28}{'ms a step (median)':>20}{'ratio to bare':>16}{'(quartiles)':>16}")
        for loop, seconds in found.items():
            ratios = [a / b for a, b in zip(seconds, found["bare torch"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(f"{loop:28}{statistics.median(seconds) * 1e3:20.4f}{middle:16.3f}{low:10.3f}–{high:.3f}")


if __name__ == "__main__":
    main()
