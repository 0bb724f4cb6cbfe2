"""Steps and seconds in which K-FAC comes to the loss of AdamW with a tuned rate, on digits and autoencoders.

    OMP_NUM_THREADS=1 taskset -c 1 python bench/kfac.py [--pictures FOLDER] [--json FILE]

Both start from the same parameters and see the same batches, with five seeds. AdamW takes 300 steps, with a
warm-up of 5% and a cosine to zero, at the rate of the grid whose mean loss over these very seeds is least.
K-FAC has its defaults, the same everywhere, and at most 100 steps: told is when its loss on all training
examples is first what AdamW's of the same seed is at its end. For comparison, AdamW tuned anew for 100 steps.
Seconds are the process's own, on one thread, of steps alone: data, evaluations and imports are left out.
"""

import argparse
import gzip
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import descend
from descend.functions.samples import sample_arrays
from descend.methods.kfac import KFAC

RATES = (1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 1e-1)
SEEDS = range(5)
STEPS, SHARE, WARMUP, EVERY = 300, 3, 0.05, 2
CLOCK = time.process_time  # of this process alone, where others crowd the machine


def mlp(*sizes: int, between: type[nn.Module]) -> nn.Sequential:
    """Return layers of these sizes, with a function between them."""
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), between()]
    return nn.Sequential(*layers[:-1])


@dataclass
class Task:
    """What is descended: a function, a loss, examples, and others that are held out."""

    name: str
    make: Callable[[], nn.Module]
    loss: str
    x: Tensor
    y: Tensor
    held_out: tuple[Tensor, Tensor]

    def of(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss."""
        return {"cross_entropy": F.cross_entropy, "mse": F.mse_loss}[self.loss](model(x), y)


def tasks(pictures: Path | None) -> list[Task]:
    """Return digits to be classified, and digits and pictures of 28 × 28 to be sent through 16 numbers."""
    x, y = sample_arrays("digits")
    x, y = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    a, b = x[:1437], x[1437:]
    classifier = partial(mlp, 64, 128, 64, 10, between=nn.ReLU)
    small = partial(mlp, 64, 128, 64, 16, 64, 128, 64, between=nn.Tanh)
    found = [
        Task("digits", classifier, "cross_entropy", a, y[:1437], (b, y[1437:])),
        Task("autoencoder 8x8", small, "mse", a, a, (b, b)),
    ]
    if pictures is not None:
        raw = gzip.decompress((pictures / "train-images-idx3-ubyte.gz").read_bytes())
        z = torch.tensor(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)[:6000].copy())
        z = z.float() / 255
        large = partial(mlp, 784, 256, 64, 16, 64, 256, 784, between=nn.Tanh)
        found.append(Task("autoencoder 28x28", large, "mse", z[:5000], z[:5000], (z[5000:], z[5000:])))
    return found


def descended(
    task: Task, seed: int, batch: int, steps: int, lr: float | None = None
) -> tuple[float, float, float, list[tuple[int, float, float]]]:
    """Descend by AdamW with this rate, or by K-FAC.

    Returns:
        The last loss, that of examples held out, seconds, and (step, seconds, loss) of K-FAC on its way.
    """
    torch.manual_seed(seed)
    model = task.make()
    opt = KFAC(model, loss=task.loss) if lr is None else descend.AdamW(model.parameters(), lr=lr)
    g = torch.Generator().manual_seed(1000 + seed)
    order, at, seconds = torch.randperm(len(task.x), generator=g), 0, 0.0
    way = []

    def evaluated(x: Tensor, y: Tensor) -> float:
        model.eval()
        with torch.no_grad():
            found = float(task.of(model, x, y))
        model.train()
        return found

    for step in range(1, steps + 1):
        if at + batch > len(order):
            order, at = torch.randperm(len(task.x), generator=g), 0
        index, at = order[at : at + batch], at + batch
        x, y = task.x[index], task.y[index]
        began = CLOCK()
        if lr is not None:
            done = (step - 0.5) / steps
            share = min(1.0, done / WARMUP) * 0.5 * (1 + math.cos(math.pi * done))
            opt.param_groups[0]["lr"] = lr * share
        opt.zero_grad()
        task.of(model, x, y).backward()
        opt.step()
        seconds += CLOCK() - began
        if lr is None and step % EVERY == 0:
            way.append((step, seconds, evaluated(task.x, task.y)))
    return evaluated(task.x, task.y), evaluated(*task.held_out), seconds, way


def tuned(task: Task, batch: int, steps: int, rates: Sequence[float]) -> tuple[float, dict[float, list[Any]]]:
    """Return AdamW's best rate, and what came of each, seed by seed."""
    found = {lr: [descended(task, seed, batch, steps, lr)[:3] for seed in SEEDS] for lr in rates}
    means = {lr: statistics.fmean(loss for loss, _, _ in each) for lr, each in found.items()}
    return min(means, key=lambda lr: means[lr] if math.isfinite(means[lr]) else math.inf), found


def compared(task: Task, batch: int, rates: Sequence[float]) -> dict[str, Any]:
    """Descend one task with one size of batches."""
    lr, grid = tuned(task, batch, STEPS, rates)
    short, sooner = tuned(task, batch, STEPS // SHARE, rates)
    rows = []
    for k, seed in enumerate(SEEDS):
        mine = descended(task, seed, batch, STEPS // SHARE)
        there = next(((step, s) for step, s, found in mine[3] if found <= grid[lr][k][0]), None)
        row = {"adamw": grid[lr][k], "adamw/short": sooner[short][k], "kfac": mine[:3], "reached": there}
        rows.append(row | {"way": mine[3]})
    return {"task": task.name, "batch": batch, "lr": lr, "short_lr": short, "grid": grid, "rows": rows}


def told(found: dict[str, Any]) -> str:
    """Write one line of the table."""
    rows = found["rows"]

    def median(name: str, k: int) -> float:
        return statistics.median(row[name][k] for row in rows)

    there = [r["reached"] for r in rows if r["reached"]]
    steps = statistics.median(s for s, _ in there) if there else math.nan
    seconds = statistics.median(s for _, s in there) if there else math.nan
    most = max((s for s, _ in there), default=math.nan)
    return (
        f"| {found['task']} | {found['batch']} | {found['lr']:g} | {median('adamw', 0):.3g} "
        f"({median('adamw', 1):.3g}) | {median('adamw', 2):.2f} | {median('adamw/short', 0):.3g} | "
        f"{len(there)}/{len(rows)} | {steps:.0f} (≤ {most:.0f}) | {seconds:.2f} | {median('kfac', 0):.3g} "
        f"({median('kfac', 1):.3g}) | {median('kfac', 2):.2f} |"
    )


def main() -> None:
    """Print the table, and write what it was made of."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--pictures", type=Path, help="folder of Fashion-MNIST's files")
    parser.add_argument("--only", help="the task whose name has this in it")
    parser.add_argument("--batches", type=int, nargs="*", default=[128, 512, 10**9])
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="AdamW's grid")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    print(
        "| task | batch | AdamW's rate | loss after 300 steps (held out) | s | after 100 "
        "| K-FAC there | steps | s | its loss after 100 (held out) | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for task in tasks(given.pictures):
        if given.only and given.only not in task.name:
            continue
        for batch in sorted({min(b, len(task.x)) for b in given.batches}):
            found.append(compared(task, batch, given.rates))
            print(told(found[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
