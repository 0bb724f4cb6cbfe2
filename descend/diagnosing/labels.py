"""Causes that lie in labels: those of other examples, and wrong ones."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from descend.diagnosing.generalising import SLOWLY, overfitting, underfitting
from descend.diagnosing.neighbours import Rows, dependence, ridge, rows_told, spectra, votes
from descend.diagnosing.progress import (
    asks_itself,
    evaluated,
    remaining,
    training_accuracy,
    training_accuracy_midway,
)
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.observations import Observations

LINEAR = ("l1_loss", "smooth_l1_loss", "huber_loss")


# Labels ---------------------------------------------------------------------------------------------
def labels_misaligned(seen: Observations) -> Iterable[Suspicion]:
    """Targets have nothing to do with the inputs that stand beside them, though inputs differ in kind."""
    yield from _moved(seen)
    rows = rows_told(seen)
    if rows is None or len(rows.y) < 100:
        return
    told, chance, sigmas = dependence(rows)
    same, pairs = rows.contradictions
    if rows.classes:
        common = float(rows.y.bincount().max()) / len(rows.y)
        if common > 0.85:
            return
        contradicting = pairs >= 20 and same / pairs < 0.5 + 0.5 * chance and same / pairs < chance + 0.25
    else:
        contradicting = False
    if sigmas > 3.5 or (told - chance) > 0.1:
        return
    waves = spectra(rows)
    if waves is not None and dependence(waves)[2] > 3.5:
        return
    trained, least = training_accuracy(seen, rows.classes)
    if rows.classes:
        least = max(least, float(rows.y.bincount().max()) / len(rows.y))
    tested, left = evaluated(seen), remaining(seen)
    examples = max((e.examples for e in seen.of_trained if e.accuracy == e.accuracy), default=0)
    margin = 2.5 * math.sqrt(least * (1 - least) / max(examples, 20)) + 0.05
    if tested == tested and tested > least + margin and rows.classes:
        return  # the model has found what neighbours and lines do not see
    if left == left and left < 0.6 and tested != tested:
        return
    confidence = 0.45
    if rows.closeness < 0.8:
        confidence = 0.75
    if contradicting:
        confidence = 0.9
    elif tested == tested and rows.closeness < 0.8:
        confidence = 0.85
    elif tested == tested and trained > least + 0.3 and examples >= 50:
        confidence = 0.75  # it fits what it was shown, and that tells it nothing of anything else
    if not rows.classes and rows.x.shape[1] <= 2:
        confidence = min(confidence, 0.4)
    if not rows.classes and asks_itself(seen):
        confidence = min(confidence, 0.3)  # targets of what it does itself
    # Of two classes a weak signal (who buys, who answers) looks like none.
    error = math.sqrt(chance * (1 - chance) / len(rows.y)) if rows.classes else 0.0
    few = rows.classes == 2 or told - chance + 2 * error > 0.12
    if not contradicting and (few or told - chance > 0.03 or (rows.classes and tested > least + 0.05)):
        confidence = min(confidence, 0.5)  # something is told, if little, or may be by so few
    said = (
        f"Inputs that are alike have targets that are not: neighbours tell {told:.0%} of {len(rows.y)}"
        f" examples, {chance:.0%} when the labels are shuffled"
        if rows.classes
        else f"What {len(rows.y)} inputs tell of their targets (R² {told:.2f}) is no more than what they tell"
        f" of shuffled ones ({chance:.2f})"
    )
    if contradicting:
        said += f"; an example that came again had the same label in {same} of {pairs} cases"
    if tested == tested:
        said += f"; the model is right in {tested:.0%} of the evaluation, a constant in {least:.0%}"
    yield Suspicion("labels-misaligned", confidence, said + ".", step=1)


def _moved(seen: Observations) -> Iterable[Suspicion]:
    """See labels of a sequence's places that other places tell far better than their own."""
    every = list(seen.samples.sequences) if seen.samples is not None else []
    kept = [(x, y) for x, y in every if x.shape[1:] == every[0][0].shape[1:] and not y.is_floating_point()]
    if sum(len(x) for x, _ in kept) < 8 or kept[0][0].shape[1] < 24:
        return
    x, y = torch.cat([x for x, _ in kept]).double(), torch.cat([y for _, y in kept])
    if bool((y < 0).any()) or len(y.unique()) < 2:
        return
    length = x.shape[1]
    far = length // 3
    around = (-3, -2, -1, 0, 1, 2, 3) if x.shape[2] <= 16 else (0,)
    edge = far + max(around)
    wanted = torch.nn.functional.one_hot(y, int(y.max()) + 1).double()
    wanted = wanted[:, edge:-edge] - wanted.mean((0, 1))
    scores = {}
    half = len(x) // 2
    for lag in sorted({0, *range(-far, far + 1, max(1, far // 16))}):
        given = torch.cat([x[:, edge + lag + d : length - edge + lag + d] for d in around], -1)
        given = torch.cat([given, given.square(), torch.ones_like(given[..., :1])], -1)
        fitted, asked = given[:half].flatten(0, 1), given[half:].flatten(0, 1)
        w = torch.linalg.lstsq(fitted, wanted[:half].flatten(0, 1), driver="gelsd").solution
        error = (asked @ w - wanted[half:].flatten(0, 1)).square().sum()
        scores[lag] = 1 - float(error / wanted[half:].square().sum())
    best = max(scores, key=lambda lag: scores[lag])
    own = max(scores[0], 0.0)
    if abs(best) >= 2 and scores[best] > 0.1 and own < 0.7 * scores[best]:
        yield Suspicion(
            "labels-misaligned",
            0.85 if own < 0.5 * scores[best] else 0.65,
            f"What is given {abs(best)} places {'later' if best > 0 else 'earlier'} tells {scores[best]:.0%} "
            f"of the labels' variance by a linear fit, what is given at their own place {own:.0%}.",
            step=1,
        )


def label_noise(seen: Observations) -> Iterable[Suspicion]:
    """Labels contradict their neighbourhood even where neighbours and a linear fit are surest of it."""
    yield from _by_heart(seen)
    rows = rows_told(seen)
    if rows is None or len(rows.y) < 150:
        return
    if not rows.classes:
        yield from _outlying_targets(seen, rows)
        return
    told, chance, sigmas = dependence(rows, 20)
    if sigmas < 6 or told - chance < 0.1:
        return
    share = votes(rows)
    line, _ = ridge(rows)(rows.y)
    agreed = share.argmax(1) == line.argmax(1)
    both = share.amax(1) + line.softmax(1).amax(1)
    chosen = agreed.nonzero().flatten()
    if len(chosen) < 60:
        return
    chosen = chosen[both[chosen].argsort(descending=True)][: max(50, len(chosen) // 3)]
    wrong = share.argmax(1)[chosen] != rows.y[chosen]
    rate = float(wrong.double().mean())
    error = math.sqrt(max(rate * (1 - rate), 1e-4) / len(chosen))
    if rate - 2 * error < 0.06:
        return
    trained, least = training_accuracy(seen, rows.classes)
    tested = evaluated(seen)
    if trained == trained and trained < least + 0.3 * (1 - rate - least):
        return  # it has not learned anything yet: that is another matter
    unspecific = _spread(rows, share, chosen[wrong])
    memorised = trained == trained and trained > 1 - 0.5 * rate
    confidence = 0.6 + min(0.2, rate - 0.06)
    if memorised:
        confidence = 0.6 if tested == tested and tested < 1 - 0.5 * rate else 0.45
    if not unspecific:
        confidence -= 0.15
    if int(agreed.sum()) < 0.5 * len(rows.y):
        confidence = min(confidence, 0.45)  # neither is good at telling these classes
    if trained == trained and trained < 0.85 * (1 - rate):
        confidence *= 0.6  # what holds it back is something else
    said = (
        f"About {rate:.0%} of the labels look wrong: that many of the {len(chosen)} examples whose neighbours"
        f" and a linear fit agree most surely on a class carry another one; the training accuracy is"
        f" {trained:.0%}"
    )
    said += f", that of the evaluation {tested:.0%}." if tested == tested else "."
    yield Suspicion("label-noise", confidence, said, step=1)


def _by_heart(seen: Observations) -> Iterable[Suspicion]:
    """See what right labels do not do: they are learned late, and nothing else is told by them."""
    midway = training_accuracy_midway(seen)
    trained, _ = training_accuracy(seen, 2)
    found = [e.accuracy for e in seen.of_trained if e.accuracy == e.accuracy and e.examples >= 40]
    if len(found) < 3 or not (midway < SLOWLY <= trained):
        return
    half = len(found) // 2
    top, now = max(found), max(found[-3:])
    if trained - now < 0.12 or trained - midway < 0.08 or now > max(found[:half]) + 0.02:
        return
    said = (
        f"Training came from {midway:.0%} right midway to {trained:.0%}, and the evaluation gained nothing by"
        f" it ({top:.0%} at best, {now:.0%} at the end): what is learned last is learned by heart, as wrong"
        " labels are."
    )
    yield Suspicion("label-noise", 0.62 if top - found[-1] > 0.08 else 0.55, said)


def _spread(rows: Rows, share: torch.Tensor, wrong: torch.Tensor) -> bool:
    """Return whether wrong labels are no more often the neighbours' second choice than chance has it."""
    if rows.classes < 3 or not len(wrong):
        return True
    second = share.topk(2, dim=1).indices[wrong, 1]
    return float((second == rows.y[wrong]).double().mean()) < 0.5 + 0.5 / rows.classes


def _outlying_targets(seen: Observations, rows: Rows) -> Iterable[Suspicion]:
    """Suspect numbers that lie far from what both their neighbours and most others suggest."""
    y = rows.y.double()
    told = y[rows.near[:, :7]].median(1).values
    off = (y - told).abs()
    typical = float(off.median()) * 1.4826
    if typical <= 0 or 1 - float((off**2).mean() / y.var()) > 0.97:
        return
    far = float((off > 8 * typical).double().mean())
    if not 0.03 < far < 0.4:
        return
    robust = any(c.name in LINEAR for c in seen.criteria())
    said = f"{far:.0%} of the targets lie more than 8 typical deviations ({typical:.3g}) from those of"
    yield Suspicion("label-noise", 0.35 if robust else 0.5 - 0.01, f"{said} the nearest inputs.", step=1)


DETECTORS: tuple[Detector, ...] = (labels_misaligned, label_noise, overfitting, underfitting)
