"""How probable each cause is, weighed from everything that was noticed of a run.

A linear model, learned from the tuning half of the corpus, of programs as they are, in their sound form, and
with a fault edited into them (``python corpus/learn.py`` writes :file:`weights.json`). Its inputs are what
detectors suspect, and how rare each sign is among sound runs, as large and as small. It orders what no
detector is sure of. That is no proof: such findings are never more than informations.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor

from descend.diagnosing.causes import CAUSES
from descend.diagnosing.signs import SIGNS, values
from descend.diagnosing.suspicion import Suspicion
from descend.watching.observations import Observations

SOUND = "sound"
"""What is right with most runs, among the causes of what may be wrong."""
MOST_ARE_SOUND = 0.5
"""The share of runs that are sound, before anything is seen; the model is fitted to equally many of each."""
LEAST = 0.01
"""The probability below which nothing is said."""
SHOWN = 2
"""How many signs are told of what speaks for a cause."""


@dataclass(frozen=True)
class Weights:
    """The model.

    Attributes:
        programs: of how many runs it was fitted.
        known: each sign's values in sound runs, sorted: quantiles of them.
        classes: causes, and :data:`SOUND`.
        weights: shape (classes, inputs).
        bias: shape (classes,).
    """

    programs: int
    known: dict[str, list[float]]
    classes: tuple[str, ...]
    weights: Tensor
    bias: Tensor


@cache
def learned() -> Weights:
    """Return the model that goes with the package."""
    table = json.loads((files("descend.diagnosing") / "weights.json").read_text())
    rows = table["weights"]
    return Weights(
        table["programs"],
        table["known"],
        tuple(rows),
        torch.tensor([rows[name][1:] for name in rows], dtype=torch.float64),
        torch.tensor([rows[name][0] for name in rows], dtype=torch.float64),
    )


def rarity(known: list[float], value: float) -> tuple[float, float, float]:
    """Return how rare a value is as large, and as small, in powers of ten, and whether it cannot be told."""
    if not known or not math.isfinite(value):
        return 0.0, 0.0, 1.0
    n, slack = len(known), 1e-9 * max(1.0, abs(value))
    above = n - bisect_left(known, value - slack)
    below = bisect_right(known, value + slack)
    return -math.log10((above + 0.5) / (n + 0.5)), -math.log10((below + 0.5) / (n + 0.5)), 0.0


def suspected(confidence: float) -> float:
    """Return the log-odds of a confidence, over those of almost none."""
    return math.log(confidence / (1 - min(confidence, 0.995)) + 0.1) - math.log(0.1)


def inputs(
    known: dict[str, list[float]], signs: dict[str, float], suspicions: Iterable[tuple[str, float]]
) -> Tensor:
    """Return what the model is given of a run: (causes + 3 · signs) numbers."""
    sure = dict.fromkeys(CAUSES, 0.0)
    for cause, confidence in suspicions:
        sure[cause] = max(sure[cause], suspected(confidence))
    told = [x for sign in SIGNS for x in rarity(known.get(sign.name, []), signs[sign.name])]
    return torch.tensor([*sure.values(), *told], dtype=torch.float64)


def weighed(seen: Observations, suspicions: list[Suspicion]) -> list[Suspicion]:
    """Return how probable causes are, weakly where no detector suspects them; of no step, nothing.

    Args:
        seen: what was seen of the run.
        suspicions: what detectors suspect.
    """
    if not seen.steps:
        return []
    model, found = learned(), values(seen)
    x = inputs(model.known, found, [(s.cause, s.confidence) for s in suspicions])
    scores = model.weights @ x + model.bias
    sound = model.classes.index(SOUND)
    odds = MOST_ARE_SOUND / (1 - MOST_ARE_SOUND) * (len(model.classes) - 1)
    scores[sound] += math.log(odds)
    best = {s.cause: s for s in sorted(suspicions, key=lambda s: s.confidence)}
    result = []
    for i, share in enumerate(scores.softmax(0).tolist()):
        cause = model.classes[i]
        if cause == SOUND or (share < LEAST and cause not in best):
            continue
        speaks = (model.weights[i] - model.weights[sound]) * x
        said = best[cause].evidence if cause in best else _told(model, found, speaks)
        result.append(Suspicion(cause, share, said, weak=cause not in best))
    return result


def _told(model: Weights, found: dict[str, float], speaks: Tensor) -> str:
    """Return the signs that speak most for a cause, in words."""
    parts = speaks[len(CAUSES) :].view(-1, 3)
    words = []
    for i in parts[:, :2].sum(1).argsort(descending=True).tolist()[:SHOWN]:
        sign, value = SIGNS[i], found[SIGNS[i].name]
        if float(parts[i, :2].sum()) <= 0 or not math.isfinite(value):
            continue
        known = model.known[sign.name]
        up, down, _ = rarity(known, value)
        share = f"{10 ** -max(up, down):.1%} of sound runs have as {'much' if up > down else 'little'}"
        words.append(f"{sign.said(value)} ({share})")
    text = "; ".join(words) or "nothing single speaks for it, but all together does"
    return text[0].upper() + text[1:] + "."
