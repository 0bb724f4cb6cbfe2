"""A landscape of 51 × 51 points on 1,000 pictures: time beside loss-landscapes, and the error of few points.

    python bench/landscapes.py [--pictures FOLDER] [--rounds 5] [--only NETWORK] [--json FILE]

Both look at the same points of the same plane of the same network, in turns, in one process. The peer's
``planar_interpolation`` evaluates each point with all of PyTorch's threads, without gradients. Of descend,
the whole call is timed, with the noise that it measures besides. Then the same landscape from few points: how
many were computed, and the greatest error as a share of the range.

``--pictures`` is a folder of IDX files such as Fashion-MNIST's; without it the convolutional network sees the
digits of scikit-learn, enlarged.
"""

import argparse
import copy
import json
import platform
import statistics
import time
from pathlib import Path

import loss_landscapes
import loss_landscapes.metrics
import torch
import torch.nn.functional as F
from torch import nn

import descend
from descend.functions.samples import sample_arrays
from descend.landscapes.losses import Losses
from descend.landscapes.planes import normalised
from descend.landscapes.vectors import Layout

POINTS, EXAMPLES = 51, 1000


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 1,000 digits, 8 × 8, and what they are."""
    x, y = sample_arrays("digits")[:2]
    return torch.as_tensor(x, dtype=torch.float32)[:EXAMPLES] / 8 - 1, torch.as_tensor(y).long()[:EXAMPLES]


def pictures(folder: Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 1,000 pictures, 28 × 28, and what they are."""
    if folder is None:
        x, y = digits()
        return F.interpolate(x.view(-1, 1, 8, 8), size=28, mode="bilinear"), y
    from descend.functions.pictures import picture_problem

    found = picture_problem(folder).train
    x, y = next(iter(found.passes(EXAMPLES, torch.device("cpu"))))
    return x.float().view(-1, 1, 28, 28) / 255, y


def mlp() -> nn.Module:
    """Return a network of 8,970 parameters."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn() -> nn.Module:
    """Return a convolutional network of 9,098 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * 7 * 7, 10)),
    )


def narrow() -> nn.Module:
    """Return a network of 8,755 parameters that sees the pictures whole."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 11), nn.ReLU(), nn.Linear(11, 10))


def trained(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    """Train a little, so that there is a valley."""
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(60):
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
    return model.eval()


def moved(model: nn.Module, layout: Layout, point: torch.Tensor) -> nn.Module:
    """Return a copy with the parameters at a point."""
    other = copy.deepcopy(model)
    values = layout.values(point)
    with torch.no_grad():
        for name, p in other.named_parameters():
            p.copy_(values[name])
    return other


def measured(name: str, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rounds: int) -> dict:
    """Time both in turns, and compare their values."""
    torch.manual_seed(0)
    trained(model, x, y)
    layout = Layout(model)
    generator = torch.Generator().manual_seed(0)
    u, v = (normalised(model, layout, generator) for _ in range(2))
    problem = descend.Problem(model, "cross_entropy", train=(x, y), name=name)
    metric = loss_landscapes.metrics.Loss(F.cross_entropy, x, y)
    start = layout.of(model) - u - v
    step = 2 / (POINTS - 1)
    ends = [moved(model, layout, start + POINTS * step * d) for d in (u, v)]

    def peer() -> torch.Tensor:
        found = loss_landscapes.planar_interpolation(moved(model, layout, start), *ends, metric, steps=POINTS)
        return torch.from_numpy(found)

    def ours(every: bool) -> descend.Landscape:
        return descend.landscape(problem, directions=[u, v], points=POINTS, every=every, examples=EXAMPLES)

    ratios, times, mine = [], [], []
    for _ in range(rounds):
        began = time.perf_counter()
        theirs = peer()
        between = time.perf_counter()
        seen = ours(True)
        ended = time.perf_counter()
        times.append(between - began)
        mine.append(ended - between)
        ratios.append(times[-1] / mine[-1])
    # Its even columns lie one step further along the second direction than its odd ones.
    i, j = torch.meshgrid(torch.arange(POINTS), torch.arange(POINTS), indexing="ij")
    at = torch.stack([i, j + (i % 2 == 0)], -1).reshape(-1, 2).double() * step - 1
    values = Losses(problem, model, (x, y)).on(layout.of(model), torch.stack([u, v]), at).view(POINTS, POINTS)
    few = ours(False)
    size = float(seen.loss.max() - seen.loss.min())
    return {
        "network": name,
        "parameters": layout.count,
        "peer(s)": statistics.median(times),
        "descend(s)": statistics.median(mine),
        "ratio": statistics.median(ratios),
        "ratio/least": min(ratios),
        "difference": float(((values - theirs).abs() / theirs.abs().clamp_min(1)).max()),
        "pace": seen.pace,
        "few/share": float(few.computed.double().mean()),
        "few/error": float((few.loss - seen.loss).abs().max()) / size,
        "few(s)": few.seconds,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=("64-64-64-10", "784-11-10", "CNN"))
    given = parser.parse_args()
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or 'CPU'}")
    rows = []
    for name, model, examples in (
        ("64-64-64-10", mlp, digits),
        ("784-11-10", narrow, lambda: pictures(given.pictures)),
        ("CNN", cnn, lambda: pictures(given.pictures)),
    ):
        if given.only not in (None, name):
            continue
        row = measured(name, model(), *examples(), given.rounds)
        rows.append(row)
        print(
            f"{name} ({row['parameters']:,} parameters): loss-landscapes {row['peer(s)']:.2f} s, "
            f"descend {row['descend(s)']:.2f} s: {row['ratio']:.2f} × as fast "
            f"(at least {row['ratio/least']:.2f} ×); {row['pace']}; values differ by {row['difference']:.1e}"
        )
        print(
            f"    from few points: {row['few/share']:.1%} computed, within {row['few/error']:.2%} of the "
            f"range, {row['few(s)']:.2f} s",
            flush=True,
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
