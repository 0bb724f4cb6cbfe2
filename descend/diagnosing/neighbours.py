"""What rows of data tell of each other: neighbours' votes, and whether targets depend on inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from descend.watching.observations import CriterionCall, Observations, Samples

MOST = 600
"""How many rows are compared with each other."""
K = 10
WIDE = 32
"""Features from which on they are taken for those of a picture or a signal, not of a table."""


@dataclass
class Rows:
    """Distinct examples that were trained on.

    Attributes:
        x: shape (n, features), each feature with mean 0 and standard deviation 1, constant ones left out.
        y: shape (n,): class indices, or numbers.
        classes: how many; 0 for numbers.
        near: shape (n, k): each row's nearest others.
        closeness: the mean distance to the nearest other, over the mean of all distances.
        contradictions: (how many pairs of steps gave a row the same target, of how many pairs).
    """

    x: Tensor
    y: Tensor
    classes: int
    near: Tensor
    closeness: float
    contradictions: tuple[int, int]


def rows_of(samples: Samples | None, binary: bool = False) -> Rows | None:
    """Return distinct rows with a single target each; None where they are too few, or targets are dense.

    Args:
        samples: what was kept.
        binary: whether targets that are all 0 or 1 are classes.
    """
    if samples is None or len(samples.x) < 60 or (samples.classes == 0 and samples.y.shape[1] != 1):
        return None
    y = samples.y.flatten()
    classes = samples.classes
    if not classes and binary and bool(((y == 0) | (y == 1)).all()):
        classes, y = 2, y.long()
    if not bool(torch.isfinite(samples.x).all()) or not bool(torch.isfinite(y.float()).all()):
        return None
    if classes and (bool((y < 0).any()) or len(y.unique()) < 2):
        return None
    first, contradictions = _distinct(samples.x, y)
    if len(first) < 60:
        return None
    if len(first) > MOST:
        first = first[torch.linspace(0, len(first) - 1, MOST).long()]
    x, y = samples.x[first].double(), y[first]
    scale = x.std(0)
    keep = scale > 1e-6 * (1e-12 + x.abs().amax(0))
    if not bool(keep.any()):
        return None
    raw = x[:, keep]
    # Of pictures the scale of a pixel means something; of tables it does not.
    x = (raw - raw.mean(0)) / (scale[keep] if raw.shape[1] < WIDE else scale[keep].clamp_min(scale.median()))
    return Rows(x, y, classes, *_near(x), contradictions)


def _near(x: Tensor) -> tuple[Tensor, float]:
    """Return each row's nearest others, and how close the nearest is."""
    apart = torch.cdist(x, x).fill_diagonal_(float("inf"))
    near = apart.topk(min(K, len(x) - 1), largest=False).indices
    typical = apart[apart.isfinite()].mean().clamp_min(1e-12)
    return near, float(apart.amin(1).mean() / typical)


def spectra(rows: Rows) -> Rows | None:
    """Return the same examples by how strong each frequency is in them, wherever it stands.

    A waveform, or a picture of something that may lie anywhere, has its like not in what is the same place by
    place. None of few features: those of a table.
    """
    if rows.x.shape[1] < WIDE:
        return None
    x = torch.fft.rfft(rows.x).abs().log1p()
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-9)
    return replace(rows, x=x, near=(near := _near(x))[0], closeness=near[1])


def _distinct(x: Tensor, y: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Return where each different row comes first, and how often its targets agree when it comes again."""
    weights = torch.cos(torch.arange(1, x.shape[1] + 1, dtype=torch.float64) * 1.7) + 2
    keys = (x.double() @ weights).tolist()
    seen: dict[float, int] = {}
    same = again = 0
    for i, key in enumerate(keys):
        j = seen.setdefault(key, i)
        if j != i and bool(torch.equal(x[i], x[j])):
            again += 1
            same += bool(y[i] == y[j])
    return torch.tensor(sorted(seen.values())), (same, again)


def votes(rows: Rows, y: Tensor | None = None) -> Tensor:
    """Return the share of each class among every row's neighbours, shape (n, classes)."""
    y = rows.y if y is None else y
    return torch.nn.functional.one_hot(y[rows.near], int(rows.y.max()) + 1).double().mean(1)


def dependence(rows: Rows, shuffles: int = 60) -> tuple[float, float, float]:
    """Tell whether targets depend on inputs, by neighbours and by a linear fit.

    Returns:
        How well neighbours and a linear fit tell the target (the greater of both; a share that is right, or
        of variance), the same with targets shuffled, and the difference in the shuffled ones' spread.
    """
    generator = torch.Generator().manual_seed(0)
    fit = _linear(rows)
    orders = [torch.randperm(len(rows.y), generator=generator) for _ in range(shuffles)]
    results = []
    for tell in (_by_neighbours, fit):
        true = tell(rows, rows.y)
        mixed = torch.tensor([tell(rows, rows.y[o]) for o in orders])
        results.append(
            (true, float(mixed.mean()), float((true - mixed.mean()) / mixed.std().clamp_min(1e-9)))
        )
    return max(results, key=lambda r: r[2])


def _by_neighbours(rows: Rows, y: Tensor) -> float:
    if rows.classes:
        return float((y[rows.near] == y[:, None]).double().mean())
    y = y.double()
    return 1 - float((y[rows.near].mean(1) - y).square().mean() / y.var().clamp_min(1e-30))


def _linear(rows: Rows) -> Callable[[Rows, Tensor], float]:
    """Return a judge by ridge regression, for whichever targets."""
    tell = ridge(rows)

    def judge(_: Rows, y: Tensor) -> float:
        told, wanted = tell(y)
        if rows.classes:
            return float((told.argmax(1) == y).double().mean())
        return 1 - float((told - wanted).square().mean() / wanted.square().mean().clamp_min(1e-30))

    return judge


def ridge(rows: Rows) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return what tells each row's target by ridge regression on all others; the hat matrix is made once."""
    n = len(rows.x)
    gram = rows.x @ rows.x.T
    penalty = gram.trace() / n * 0.3 + 1e-9
    hat = gram @ torch.linalg.inv(gram + penalty * torch.eye(n, dtype=gram.dtype))
    inner = hat.diagonal().clamp_max(0.999)[:, None]

    def tell(y: Tensor) -> tuple[Tensor, Tensor]:
        one_hot = torch.nn.functional.one_hot
        wanted = one_hot(y, int(rows.y.max()) + 1).double() if rows.classes else y.double()[:, None]
        centred = wanted - wanted.mean(0)
        return (hat @ centred - inner * centred) / (1 - inner), centred

    return tell


def rows_told(seen: Observations) -> Rows | None:
    """Return examples if a row is all that the model is told of a target."""
    if any(r.inputs > 1 for r in seen.roots[:1]):
        return None
    calls = max((len(w.criteria) for w in seen.windows), default=0)
    if any(_mixed(w.criteria) for w in seen.windows):
        return None
    given = [sum(b.root == 0 for b in w.batches) for w in seen.windows]
    if given and max(given) > max(1, calls):
        return None  # a target tells of several calls, as for twins
    return rows_of(seen.samples, binary=True)


def _mixed(calls: list[CriterionCall]) -> bool:
    """Return whether one prediction is held against several targets, as where examples are mixed."""
    for i, a in enumerate(calls):
        for b in calls[:i]:
            if a.labels is None or b.labels is None or a.prediction != b.prediction:
                continue
            same = a.prediction_mean == b.prediction_mean and a.prediction_std == b.prediction_std
            if same and not torch.equal(a.labels, b.labels):
                return True
    return False
