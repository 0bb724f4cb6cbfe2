"""Loss functions of torch, and what is told of a call of one: from a part of what it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from descend.watching.later import Later
from descend.watching.observations import CriterionCall
from descend.watching.samples import moments, numbers, picked

CRITERIA: dict[Any, str] = {
    getattr(F, name): name
    for name in (
        *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"),
        *("binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss"),
        *("gaussian_nll_loss", "cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss"),
        *("hinge_embedding_loss", "multi_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss"),
    )
}
CLASSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
NUMBERS = 1 << 15
"""How many numbers of a prediction are kept; of whole examples."""
LABELS = 256
"""Of how many examples labels are kept in order."""


def seen(
    name: str, prediction: Tensor, target: Tensor, out: Any, kwargs: dict[str, Any], later: Later
) -> CriterionCall:
    """Return what is told of a call of a loss function; most of it once ``later`` is settled."""
    call = CriterionCall(name, tuple(prediction.shape), tuple(target.shape), float("nan"), False)
    call.weighted = kwargs.get("weight") is not None or kwargs.get("pos_weight") is not None
    value = out.detach().float().mean() if isinstance(out, Tensor) else None
    flat = target.detach().flatten()
    whole = target.numel() == (len(target) if target.dim() else 0)
    labels = flat[:LABELS].to("cpu", copy=True) if whole or not flat.is_floating_point() else None
    p, t = _part(prediction), None
    if len(target) == len(prediction) if target.dim() and prediction.dim() else False:
        t = _part(target, like=prediction)
    elif target.numel():
        t = flat[: 1 << 12].to("cpu", copy=True)
    later.put(_fill, call, p, t, labels, value)
    return call


def _part(x: Tensor, like: Tensor | None = None) -> Tensor:
    """Return a copy of some examples, as many as there may be of ``like``."""
    like = x if like is None else like
    x = x.detach()
    if not x.dim():
        return x.to("cpu", copy=True)
    count = max(1, NUMBERS * len(like) // max(1, like.numel()))
    return x[picked(len(x), count)].to("cpu", copy=True)


def _fill(
    call: CriterionCall, p: Tensor, target: Tensor | None, kept: Tensor | None, value: Tensor | None
) -> None:
    if value is not None:
        call.value = float(value)
    x = numbers(p)
    call.prediction_mean, call.prediction_std = moments(x)
    call.unit_interval = float(np.minimum.reduce(x)) >= 0 and float(np.maximum.reduce(x)) <= 1
    if call.name in CLASSES and p.dim() >= 2:
        call.classes = p.shape[1]
        if call.classes > 1:
            part = p[:256].float()
            sums = part.sum(1)
            call.probabilities = bool((part >= 0).all()) and bool((sums - 1).abs().max() < 1e-3)
            call.log_probabilities = bool((part <= 1e-6).all()) and bool(
                (part.exp().sum(1) - 1).abs().max() < 1e-3
            )
        if target is not None and not target.is_floating_point():
            labels = target.flatten()
            best = p.argmax(1).flatten()
            valid = (labels >= 0) & (labels < call.classes)
            labels, best = labels[valid], best[valid]
            if labels.numel():
                call.accuracy = float((labels == best).float().mean())
            if call.classes <= 1000:
                call.counts = torch.bincount(labels, minlength=call.classes).tolist()
                call.predicted = torch.bincount(best, minlength=call.classes).tolist()
                call.hits = torch.bincount(best[best == labels], minlength=call.classes).tolist()
            if kept is not None:
                call.labels = kept[(kept >= 0) & (kept < call.classes)].long()
            return
    if target is None:
        return
    call.target_mean, call.target_std = moments(numbers(target))
    if call.name.startswith("binary") and call.prediction == call.target:
        edge = 0.0 if call.name.endswith("logits") else 0.5
        yes, said = target > 0.5, p > edge
        call.accuracy = float((yes == said).float().mean())
        if p.numel() == len(p) or (p.dim() > 2 and p.shape[1] == 1):  # not several labels an example
            positive, hits = int(yes.sum()), int((yes & said).sum())
            predicted = int(said.sum())
            call.counts = [p.numel() - positive, positive]
            call.predicted = [p.numel() - predicted, predicted]
            call.hits = [p.numel() - positive - predicted + hits, hits]
        if p.numel() == len(p) and kept is not None:
            call.labels = (kept > 0.5).long()
    elif kept is not None and target.numel() == len(target):
        call.labels = kept.float()


def deviation(prediction: Tensor, target: Tensor, out: Tensor, later: Later) -> CriterionCall:
    """Return what is told of a difference that a person's own loss begins with, as if it were squared."""
    return seen("deviation", prediction, target, out.detach().square(), {}, later)
