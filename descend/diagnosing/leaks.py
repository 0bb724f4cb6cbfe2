"""The inputs hold what is to be predicted."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from descend.diagnosing.neighbours import Rows, rows_of
from descend.diagnosing.suspicion import Suspicion
from descend.watching.observations import Observations


def target_leak(seen: Observations) -> Iterable[Suspicion]:
    """The inputs hold what is to be predicted."""
    for root in seen.roots:
        if root.copies is None:
            continue
        argument, ahead, share = root.copies
        if ahead and root.looks_ahead:
            said = (
                f"Targets are the input moved by one place ({share:.0%} of them), and what {root.kind} tells"
                " for early places changes with the input's last place: each target can be read off there."
            )
            yield Suspicion("target-leak", 0.95, said, certain=True, where=root.kind, step=1)
        elif not ahead and argument > 0 and root.looks_ahead:
            said = (
                f"Argument {argument + 1} of {root.kind} is the target itself, place by place ({share:.0%})."
            )
            yield Suspicion("target-leak", 0.8, said, where=root.kind, step=1)
    rows = rows_of(seen.samples, binary=True)
    if rows is None or seen.samples is None or seen.samples.kind != "features":
        return
    if any(r.inputs > 1 for r in seen.roots[:1]):
        return
    yield from _leaking_feature(seen, rows)


def _leaking_feature(seen: Observations, rows: Rows) -> Iterable[Suspicion]:
    assert seen.samples is not None
    x, features = rows.x, rows.x.shape[1]
    if features < 3 or features > 1024:
        return
    tells = torch.tensor([_tells(x[:, j], rows) for j in range(features)])
    best = int(tells.argmax())
    others = float(tells.sort(descending=True).values[1])
    gone = _differ(seen, rows)
    if 0 < len(gone) <= max(2, features // 3):
        right = _right(rows.x[:, gone], rows)
        if right > 0.95 or (right > 0.85 and len(gone) <= features // 20):
            said = (
                f"{len(gone)} of {features} features are distributed otherwise in what the model is evaluated"
                f" on, and in training they alone tell the target ({right:.0%})."
            )
            yield Suspicion("target-leak", 0.85 if right > 0.95 else 0.75, said, step=1)
            return
    if features > 512:
        return
    copy = _copied_column(rows)
    if copy is not None:
        said = (
            f"Feature {copy + 1} of {features} (constant ones not counted) is the target itself, up to scale,"
        )
        yield Suspicion("target-leak", 0.75, f"{said} in {len(rows.y)} of {len(rows.y)} examples.", step=1)
        return
    if tells[best] < 0.97 or not _not_by_others(rows, best):
        return
    shift = _shifted(seen, rows, best)
    said = f"One feature alone tells the target of {tells[best]:.1%} of the training examples, the next best"
    said += f" {others:.1%}"
    confidence = 0.45 if rows.classes else 0.4  # by itself that may be what there is to be learned
    if rows.classes and _apart(rows.x[:, best], rows.y) > 5:
        confidence = 0.6  # the classes do not only lie on two sides of a threshold: it is nearly a label
    if shift > 0.25:
        said += (
            f"; in what the model is evaluated on, that feature is distributed otherwise ({shift:.0%} apart)"
        )
        confidence = 0.85
    yield Suspicion("target-leak", confidence, said + ".", step=1)


def _apart(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return how far the two nearest classes are apart in a feature, in spreads within a class."""
    parts = [x[y == c] for c in y.unique()]
    if len(parts) < 2 or min(map(len, parts)) < 3:
        return 0.0
    means = torch.stack([p.mean() for p in parts]).sort().values
    spread = torch.stack([p.std() for p in parts]).max()
    return float((means[1:] - means[:-1]).min() / spread.clamp(min=1e-12))


def _copied_column(rows: Rows) -> int | None:
    """Return the one feature that numbers to be predicted are an exact multiple of, but for an offset."""
    y = rows.y.double()
    if rows.classes or len(y.unique()) < 20:
        return None
    y = (y - y.mean()) / y.std().clamp_min(1e-30)
    along = (rows.x * y[:, None]).mean(0) / rows.x.square().mean(0).sqrt().clamp_min(1e-12)
    exact = (along.abs() / y.square().mean().sqrt() > 1 - 1e-7).nonzero().flatten()
    return int(exact[0]) if len(exact) == 1 else None


def _tells(feature: Tensor, rows: Rows) -> float:
    """Return how well one feature tells the target: from the two examples next to each in its order."""
    order = feature.argsort()
    y = rows.y[order]
    if rows.classes:
        common = float(y.bincount().max()) / len(y)
        right = float(((y[1:-1] == y[:-2]) | (y[1:-1] == y[2:])).double().mean())
        return right if common < 0.95 else 0.0
    y = y.double()
    told = (y[:-2] + y[2:]) / 2
    return 1 - float((told - y[1:-1]).square().mean() / y.var().clamp_min(1e-30))


def _not_by_others(rows: Rows, best: int) -> bool:
    """Return whether the other features do not tell the target nearly as well, by neighbours."""
    right = _right(torch.cat([rows.x[:, :best], rows.x[:, best + 1 :]], 1), rows)
    return right < (0.95 if rows.classes else 0.9)


def _right(x: Tensor, rows: Rows) -> float:
    """Return how well features tell the target by neighbours: the share that is right, or of variance."""
    near = torch.cdist(x, x).fill_diagonal_(float("inf")).topk(5, largest=False).indices
    if rows.classes:
        return float((rows.y[near].mode(1).values == rows.y).double().mean())
    y = rows.y.double()
    return 1 - float((y[near].mean(1) - y).square().mean() / y.var().clamp_min(1e-30))


def _differ(seen: Observations, rows: Rows) -> list[int]:
    """Return features that never vary in evaluations, or whose distribution is another one there."""
    held = seen.held_out
    if seen.samples is None or held is None or len(held) < 30 or held.shape[1] != seen.samples.x.shape[1]:
        return []
    kept = _kept(seen.samples.x.double())
    if len(kept) != rows.x.shape[1]:
        return []
    return [j for j, at in enumerate(kept) if float(held[:, at].std()) == 0 or _shifted(seen, rows, j) > 0.3]


def _kept(x: Tensor) -> list[int]:
    """Return which features vary, as they are in :class:`Rows`."""
    return (x.std(0) > 1e-6 * (1e-12 + x.abs().amax(0))).nonzero().flatten().tolist()


def _shifted(seen: Observations, rows: Rows, kept: int) -> float:
    """Return the greatest difference of a feature's distribution between training and evaluation."""
    assert seen.samples is not None
    trained, held = seen.samples.x.double(), seen.held_out
    if held is None or held.shape[1] != trained.shape[1] or len(held) < 30:
        return 0.0
    places = _kept(trained)
    if len(places) != rows.x.shape[1]:
        return 0.0
    at = places[kept]
    a, b = trained[:, at].sort().values, held[:, at].double().sort().values
    points = torch.cat([a, b])
    below = [torch.searchsorted(s, points, right=True).double() / len(s) for s in (a, b)]
    return float((below[0] - below[1]).abs().max())
