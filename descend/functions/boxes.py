"""Boxes around objects: how far two agree, which of many mean one object, and how well objects are found.

A box is (left, top, right, bottom), in any unit, right ≥ left and bottom ≥ top.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from descend.functions.measures import Metric

BINS = 10_000
"""Steps in which scores from 0 to 1 are told apart where detections are counted."""
RECALLS = 101
"""Recalls, evenly from 0 to 1, at which precision is averaged (Lin et al. 2014)."""


@dataclass(frozen=True)
class Boxes:
    """Objects in one picture.

    Attributes:
        corners: shape (n, 4).
        classes: their numbers, int64, shape (n,).
        scores: how sure each is, 0 to 1, shape (n,); 1 of what is known.
    """

    corners: Tensor
    classes: Tensor
    scores: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: Tensor | slice) -> "Boxes":
        return Boxes(self.corners[index], self.classes[index], self.scores[index])


def areas(corners: Tensor) -> Tensor:
    """Return the areas of boxes (..., 4), of shape (...)."""
    return (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Return what two boxes share of what they cover together, 0 to 1.

    Args:
        a: of shape (..., 4).
        b: of shape (..., 4), broadcast against ``a``.

    Example:
        >>> iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])).item()
        0.3333333432674408
    """
    inner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = inner.clamp(min=0).prod(-1)
    together = areas(a) + areas(b) - shared
    return shared / together.clamp(min=1e-12)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Return the generalised IoU, −1 to 1: it falls also where boxes that share nothing move apart.

    Source: Rezatofighi et al. 2019, arXiv:1902.09630.
    """
    inner = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = inner.clamp(min=0).prod(-1)
    together = (areas(a) + areas(b) - shared).clamp(min=1e-12)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    return shared / together - (around - together).clamp(min=0) / around.clamp(min=1e-12)


def distinct(found: Boxes, overlap: float) -> Boxes:
    """Leave out boxes that mean the object of a surer one of their class (non-maximum suppression).

    Args:
        found: any.
        overlap: the IoU with a surer box from which on one is left out.

    Returns:
        The others, the surest first.
    """
    found = found[found.scores.argsort(descending=True, stable=True)]
    same = found.classes[:, None] == found.classes[None, :]
    covers = (iou(found.corners[:, None], found.corners[None]) > overlap) & same
    covers = covers.triu(1).cpu().numpy()
    kept = torch.ones(len(found), dtype=torch.bool).numpy()
    for k in range(len(found)):
        if kept[k]:
            kept &= ~covers[k]
    return found[torch.from_numpy(kept).to(found.scores.device)]


def right(found: Boxes, known: Boxes, overlap: float = 0.5) -> Tensor:
    """Return which boxes are right: each in turn, the surest first, takes the nearest object not yet taken.

    Args:
        found: what was found in a picture.
        known: what there is in it.
        overlap: the least IoU with an object of the same class.

    Returns:
        bool, shape (found,).
    """
    agree = iou(found.corners[:, None], known.corners[None])
    agree = agree.masked_fill(found.classes[:, None] != known.classes[None], -1.0).cpu()
    hit = torch.zeros(len(found), dtype=torch.bool)
    if len(known):
        for k in found.scores.argsort(descending=True, stable=True).tolist():
            best, at = agree[k].max(0)
            if best >= overlap:
                hit[k] = True
                agree[:, at] = -1.0
    return hit


def average_precision(right: Tensor, wrong: Tensor, known: float) -> float:
    """Return the mean, over recalls, of the best precision that still reaches each (Lin et al. 2014, COCO).

    Args:
        right: how many detections of each score are right, the highest score first, shape (scores,).
        wrong: how many are not.
        known: how many objects there are; where there are none, the result is nan.
    """
    if known == 0:
        return float("nan")
    hits, misses = right.double().cumsum(0), wrong.double().cumsum(0)
    precision = hits / (hits + misses).clamp(min=1)
    best = precision.flip(0).cummax(0).values.flip(0)
    wanted = torch.from_numpy(np.linspace(0, 1, RECALLS))  # the last digit of 0.7 decides, as there
    at = torch.searchsorted((hits / known).contiguous(), wanted)
    return float(torch.cat([best, best.new_zeros(1)])[at.clamp(max=len(best))].mean())


def counted(found: Sequence[Boxes], known: Sequence[Boxes], classes: int, overlap: float = 0.5) -> Tensor:
    """Count detections by class, score and whether they are right, so that counts of pictures can be added.

    Returns:
        float64, shape (classes, 2, 1 + BINS): right and wrong ones by score, the highest first; in front
        of the right ones, how many objects there are.
    """
    counts = torch.zeros(classes, 2, 1 + BINS, dtype=torch.float64)
    for own, there in zip(found, known, strict=True):
        counts[:, 0, 0] += there.classes.cpu().bincount(minlength=classes)[:classes]
        hit = right(own, there, overlap)
        place = 1 + ((1 - own.scores.cpu().double()) * BINS).long().clamp(0, BINS - 1)
        one = torch.ones(len(own), dtype=torch.float64)
        counts.index_put_((own.classes.cpu(), (~hit).long(), place), one, accumulate=True)
    return counts


def precisions(counts: Tensor) -> list[float]:
    """Return the average precision of each class, from what :func:`counted` returned."""
    return [average_precision(c[0, 1:], c[1, 1:], float(c[0, 0])) for c in counts]


def mean_average_precision(
    found_in: Callable[[Tensor], Sequence[Boxes]],
    known_in: Callable[[Tensor], Sequence[Boxes]],
    classes: int,
    overlap: float = 0.5,
) -> Metric:
    """Return the metric of a detector: the average precision, averaged over the classes that there are.

    Args:
        found_in: the function's outputs → what was found in each picture.
        known_in: targets → what there is in each.
        classes: how many.
        overlap: the least IoU of what counts as found.
    """

    def sums(output: Tensor, target: Tensor) -> Tensor:
        return counted(found_in(output), known_in(target), classes, overlap).flatten()

    def finish(total: list[float]) -> float:
        own = [p for p in precisions(torch.tensor(total).view(classes, 2, 1 + BINS)) if p == p]
        return sum(own) / len(own) if own else float("nan")

    return Metric(f"map@{overlap:g}", sums, finish)
