"""What number formats cost in loss: bytes a parameter beside the final loss, on text and on pictures.

    python bench/formats.py --austen FILE --fashion-mnist FOLDER [--seeds 3] [--only text] [--json FILE]

AdamW (or ``--method``) with each format trains a small transformer on a novel's letters, and a small
convolutional network on pictures, from the same start on the same batches, a seed at a time. The loss is
that on a held-out part, at the end of a cosine schedule. ``bytes`` counts parameters and everything that
the optimizer keeps. ``spread`` is the standard deviation of the float32 runs over the seeds; ``difference``
the mean over the seeds of a format's loss less that of float32 of the same seed. A format in bfloat16 has
its model in bfloat16: it computes in it, as one does on a GPU.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import descend
from descend.functions.convnet import ConvNet
from descend.functions.idx import read_idx, read_images
from descend.functions.transformer import Transformer

FORMATS: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "float32": (torch.float32, {}),
    "float32, state bfloat16": (torch.float32, {"state_format": "bfloat16"}),
    "float32, state 8-bit": (torch.float32, {"state_format": "8-bit"}),
    "bfloat16+16, state float32": (torch.bfloat16, {"parameter_format": "bfloat16+16"}),
    "bfloat16+16, state 8-bit": (
        torch.bfloat16,
        {"parameter_format": "bfloat16+16", "state_format": "8-bit"},
    ),
    "bfloat16+8, state 8-bit": (torch.bfloat16, {"parameter_format": "bfloat16+8", "state_format": "8-bit"}),
    "bfloat16, state bfloat16": (
        torch.bfloat16,
        {"parameter_format": "bfloat16", "state_format": "bfloat16"},
    ),
    "bfloat16, state 8-bit": (torch.bfloat16, {"parameter_format": "bfloat16", "state_format": "8-bit"}),
    "bfloat16, nearest (as torch)": (torch.bfloat16, {}),
}
"""Name → dtype of the model, and the formats asked of the optimizer; all but the last rounded by chance."""


class Text:
    """A novel's letters: the next one, from those before."""

    name, lr = "text", 2e-3
    context, size = 128, 16

    def __init__(self, file: Path):
        text = file.read_text(encoding="utf-8")
        symbols = {c: i for i, c in enumerate(sorted(set(text)))}
        numbers = torch.tensor([symbols[c] for c in text], dtype=torch.long)
        cut = len(numbers) * 9 // 10
        self.train, held = numbers[:cut], numbers[cut:]
        self.symbols = len(symbols)
        starts = torch.linspace(0, len(held) - self.context - 1, 200).long()
        self.held = self._windows(held, starts)

    def _windows(self, numbers: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        windows = numbers[starts[:, None] + torch.arange(self.context + 1)]
        return windows[:, :-1], windows[:, 1:]

    def model(self) -> nn.Module:
        """Return the network."""
        return Transformer(self.symbols, width=128, layers=3, heads=4, context=self.context)

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return inputs and targets."""
        starts = torch.randint(len(self.train) - self.context - 1, (self.size,), generator=generator)
        return self._windows(self.train, starts)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss in nats a letter."""
        return F.cross_entropy(model(x).float().flatten(0, 1), y.flatten())


class Pictures:
    """Pictures of clothes: which of ten kinds."""

    name, lr = "pictures", 2e-3
    size = 64

    def __init__(self, folder: Path):
        def find(words: str) -> Path:
            return next(p for p in sorted(folder.iterdir()) if p.name.startswith(words))

        def images(words: str) -> Tensor:
            x = read_images(find(words)).float().view(-1, 1, 28, 28)
            return (x - 73) / 90

        self.x, self.y = images("train-images"), read_idx(find("train-labels")).long()
        self.held = images("t10k-images")[:5000], read_idx(find("t10k-labels")).long()[:5000]

    def model(self) -> nn.Module:
        """Return the network."""
        return ConvNet(1, 10, 28, width=16, norm="group")

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return inputs and targets."""
        some = torch.randint(len(self.x), (self.size,), generator=generator)
        return self.x[some], self.y[some]

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss in nats a picture."""
        return F.cross_entropy(model(x.to(next(model.parameters()).dtype)).float(), y)


def trained(problem: Any, format_name: str, method: str, steps: int, seed: int) -> dict[str, float]:
    """Train once, and return the loss on the held-out part, and bytes a parameter."""
    dtype, formats = FORMATS[format_name]
    torch.manual_seed(seed)
    model = problem.model().to(dtype)
    opt = descend.optimizer(
        method,
        model,
        lr=problem.lr,
        weight_decay=0.1,
        clip_norm=1.0,
        rounding_seed=seed,
        show=False,
        **formats,
    )
    rates = [group["lr"] for group in opt.param_groups]
    generator = torch.Generator().manual_seed(1000 + seed)
    start = time.perf_counter()
    for step in range(steps):
        share = min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group, rate in zip(opt.param_groups, rates, strict=True):
            group["lr"] = share * rate
        opt.zero_grad()
        problem.loss(model, *problem.batch(generator)).backward()
        opt.step()
    seconds = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        x, y = problem.held
        pieces = zip(x.split(50), y.split(50), strict=True)
        losses = [(problem.loss(model, a, b).item(), len(a)) for a, b in pieces]
    loss = sum(one * n for one, n in losses) / sum(n for _, n in losses)
    tensors = [x for own in opt.state.values() for x in own.values() if isinstance(x, Tensor)]
    count = sum(p.numel() for p in model.parameters())
    size = sum(x.numel() * x.element_size() for x in [*model.parameters(), *tensors])
    return {"loss": loss, "bytes": size / count, "seconds": seconds}


def table(rows: dict[str, list[dict[str, float]]]) -> list[str]:
    """Return a problem's rows of a table in Markdown."""
    plain = [run["loss"] for run in rows["float32"]]
    spread = statistics.stdev(plain) if len(plain) > 1 else float("nan")
    lines = [f"spread of float32 over the seeds: {spread:.4f}", ""]
    lines += ["| format | bytes a parameter | final loss | difference | by seed |", "|---|--:|--:|--:|---|"]
    for name, runs in rows.items():
        losses = [run["loss"] for run in runs]
        apart = [a - b for a, b in zip(losses, plain, strict=False)]
        each = ", ".join(f"{x:+.4f}" for x in apart)
        mean = statistics.mean
        lines.append(
            f"| {name} | {runs[0]['bytes']:.2f} | {mean(losses):.4f} | {mean(apart):+.4f} | {each} |"
        )
    return lines


def main() -> None:
    """Run every format for every seed, and print a table for each problem."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--austen", type=Path, metavar="FILE", help="any long text")
    parser.add_argument("--fashion-mnist", type=Path, metavar="FOLDER", help="of the four IDX files")
    parser.add_argument("--only", choices=["text", "pictures"])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS), metavar="NAME")
    parser.add_argument("--method", default="adamw")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    makers: list[tuple[Path | None, Callable[[Path], Any]]] = [
        (flags.austen, Text),
        (flags.fashion_mnist, Pictures),
    ]
    found: dict[str, Any] = {}
    print(
        f"{platform.machine()}, torch {torch.__version__}, Python {platform.python_version()}, {flags.method}"
    )
    for where, make in makers:
        if where is None or flags.only not in (None, make.name):
            continue
        problem = make(where)
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in flags.formats}
        for seed in range(flags.seeds):
            for name in rows:
                rows[name].append(run := trained(problem, name, flags.method, flags.steps, seed))
                said = f"{problem.name:9} seed {seed}  {name:30} loss {run['loss']:.4f}"
                print(
                    f"{said}  {run['bytes']:.2f} bytes  {run['seconds']:.0f} s", file=sys.stderr, flush=True
                )
                if flags.json:
                    flags.json.write_text(json.dumps({**found, problem.name: rows}, indent=1))
        found[problem.name] = rows
        count = sum(p.numel() for p in problem.model().parameters())
        print(f"\n### {problem.name}: {count:,} parameters, {flags.steps} steps\n")
        print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
