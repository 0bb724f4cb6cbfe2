"""What is minimised: losses that are given the wrong thing, or climbed, or that are no numbers at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from statistics import fmean, median

from descend.diagnosing.generalising import narrowest
from descend.diagnosing.measures import ratio
from descend.diagnosing.neighbours import ridge, rows_told
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.watching.looking import RECTIFIERS
from descend.watching.observations import CriterionCall, Observations, Window

_SOFTMAX = "softmax-before-cross-entropy"
_FOR_LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss")
_SQUASHING = ("sigmoid", "Sigmoid", "Softmax", "Hardsigmoid")
_SQUASHES = ("sigmoid", "softmax", "hardsigmoid")
_ELEMENTWISE = (
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "poisson_nll_loss"),
    *("gaussian_nll_loss", "kl_div", "soft_margin_loss", "difference", "product"),
)
APART = 0.8
"""How often two classes are put in their order from which on they can be told apart."""
LONG = 0.3
"""A move beyond this share of the weights is no small step: what comes then may well be no number."""
RARE = 0.12
"""The share of the examples below which a class is rare."""
CLASSES = 20
"""With more classes, rare ones are the nature of the data (words), and no fault."""


def softmax_before_cross_entropy(seen: Observations) -> Iterator[Suspicion]:
    """See probabilities where scores or log-probabilities are wanted.

    Predictions that sum to one over the classes in every call are no accident. A sigmoid's are in [0, 1] in
    every call, which scores would only be by chance, and are the very output of a layer that was seen.
    """
    told: set[tuple[str, int]] = set()
    for (name, classes), found in _alike(seen):
        if (name, classes) in told:
            continue
        last, first = found[-1][0], found[0][0]
        examples = sum(call.prediction[0] for call, _ in found)
        of_classes = name in ("cross_entropy", "nll_loss") and classes > 1 and examples >= 2
        if of_classes and all(call.probabilities for call, _ in found):
            evidence = _of_probabilities(last)
            yield Suspicion(_SOFTMAX, 0.97, evidence, certain=True, where=name, step=first.step)
            told.add((name, classes))
            continue
        if name not in _FOR_LOGITS or (name == "cross_entropy" and classes < 2):
            continue
        if not all(call.unit_interval for call, _ in found):
            continue
        squashed = sum(call.made_by in _SQUASHES or _from(_SQUASHING, call, w) for call, w in found)
        spread = max(call.prediction_std for call, _ in found)
        evidence = (
            f"{name} applies its own squashing, but was given numbers between 0 and 1 in all {len(found)} "
        )
        evidence += f"calls that were looked at (mean {last.prediction_mean:.3f})"
        if squashed > len(found) / 2:
            evidence += f": the output of a {'softmax' if last.made_by == 'softmax' else 'sigmoid'}."
            yield Suspicion(_SOFTMAX, 0.96, evidence, certain=True, where=name, step=first.step)
            told.add((name, classes))
        elif len(found) >= 5 and spread > 0.05 and not any(_from(RECTIFIERS, *one) for one in found):
            yield Suspicion(_SOFTMAX, 0.8, evidence + ".", where=name, step=first.step)
            told.add((name, classes))


def _alike(seen: Observations) -> Iterator[tuple[tuple[str, int], list[tuple[CriterionCall, Window]]]]:
    """Yield calls of a loss function together: all, then each model's or stage's, then each head's."""
    groups: list[dict[tuple[str, int, int], list[tuple[CriterionCall, Window]]]] = [{}, {}, {}]
    for window in seen.windows:
        places: Counter[tuple[str, int]] = Counter()
        for call in window.criteria:
            if call.prediction and math.isfinite(call.prediction_mean):
                kind = call.name, call.classes
                for group, which in zip(groups, (0, window.optimizer, places[kind]), strict=True):
                    group.setdefault((*kind, which), []).append((call, window))
                places[kind] += 1
    for group in groups:
        for (name, classes, _), found in group.items():
            yield (name, classes), found


def _of_probabilities(call: CriterionCall) -> str:
    given = "was given probabilities (not negative, and with sum 1 over the classes)"
    if call.name == "nll_loss":
        return f"nll_loss wants log-probabilities, and {given} in every call: its value is {call.value:.3f}."
    least = math.log(1 + (call.classes - 1) / math.e)
    return (
        f"cross_entropy applies softmax itself, and {given} in every call. However sure the model is, it "
        f"cannot fall below {least:.3f} for {call.classes} classes; it was {call.value:.3f} when seen last."
    )


def _from(kinds: tuple[str, ...], call: CriterionCall, window: Window) -> bool:
    """Whether a criterion's prediction has the very mean and spread of such a function's output."""
    size = math.prod(call.prediction)
    outputs = [x for x in window.layers if x.kind in kinds and math.prod(x.shape) == size]
    return any(
        math.isclose(x.mean, call.prediction_mean, rel_tol=1e-4, abs_tol=1e-6)
        and (size == 1 or math.isclose(x.std, call.prediction_std, rel_tol=1e-3, abs_tol=1e-6))
        for x in outputs
    )


def wrong_loss_sign(seen: Observations) -> Iterator[Suspicion]:
    """See a loss that enters what is descended with a minus, or an optimizer that climbs."""
    alone = sum(o.steps > 0.1 * seen.steps for o in seen.optimizers) <= 1
    for index, optimizer in enumerate(seen.optimizers):
        windows = [w for w in seen.windows if w.optimizer == index]
        backwards = [b for w in windows for b in w.backwards]
        climbs = optimizer.maximize or (_goes_up(windows) and not _fell(seen))
        wrong = sum((b.sign < 0) != climbs for b in backwards if b.sign)
        known = sum(b.sign != 0 for b in backwards)
        how = "the optimizer climbs (maximize=True)" if climbs else "enters what is descended with a minus"
        if known and wrong == known:
            values = [(c.value, c.name) for w in windows for c in w.criteria if math.isfinite(c.value)]
            name = next((b.criterion for b in backwards if b.sign), "")
            values = [v for v, n in values if n == name]
            grew = len(values) > 3 and fmean(values[-2:]) > fmean(values[:2])
            evidence = f"In all {known} backward passes that were looked at, {name} {how}"
            evidence += "" if not climbs else f", while {name} enters with a plus"
            if len(values) > 1:
                evidence += f"; its value went from {values[0]:.3g} to {values[-1]:.3g}"
            sure = (0.97 if grew or len(values) <= 3 else 0.7) if alone else 0.3
            yield Suspicion("wrong-loss-sign", sure, evidence + ".", sure > 0.9, name, windows[0].step)
            return
        policy = [b.policy for b in backwards if math.isfinite(b.policy)]
        if policy and median(policy) * (-1 if climbs else 1) > 0.5:
            yield Suspicion(
                "wrong-loss-sign",
                0.95,
                f"In {len(policy)} backward passes, the weights of actions' log-probabilities go with the "
                f"advantage (correlation {median(policy):+.2f}, where −1 is right): actions that went better "
                "than expected become less probable.",
                certain=True,
                where="log_prob",
                step=windows[0].step,
            )
            return
        if climbs and not known and alone and len(windows) > 1:
            # Told to maximise, it may well be meant, of a bound or of a reward: unless it runs away.
            values = [v for _, v in seen.losses if math.isfinite(v)]
            away = bool(values) and min(values) >= 0 and values[-1] > 10 * max(values[0], 1e-12)
            sure = 0.75 if away or not optimizer.maximize else 0.3
            yield Suspicion("wrong-loss-sign", sure, f"Moves of {optimizer.kind} go up the gradient.")
            return
    yield from _falls_for_ever(seen, any(b.sign > 0 for w in seen.windows for b in w.backwards))


def _goes_up(windows: list[Window]) -> bool:
    """Whether most parameters moved along their gradients, in the first windows and in most of all."""
    moved = [
        [m.along for m in w.moved if m.update > 0 and m.gradient > 0 and abs(m.decayed) < 0.9]
        for w in windows
    ]
    medians = [median(m) for m in moved if m]
    return len(medians) > 0 and medians[0] > 0.3 and fmean(m > 0.1 for m in medians) > 0.8


def _fell(seen: Observations) -> bool:
    """Whether the loss ended below where it began: momentum goes up for a while too, once it has overshot."""
    losses = [v for _, v in seen.losses if math.isfinite(v)]
    part = max(1, len(losses) // 5)
    return bool(losses) and fmean(losses[-part:]) < fmean(losses[:part])


def _falls_for_ever(seen: Observations, a_part_is_right: bool) -> Iterator[Suspicion]:
    """See a loss that has no lower bound, falling faster and faster."""
    losses = [v for _, v in seen.losses if math.isfinite(v)]
    if len(losses) < 20:
        return
    k = len(losses) // 4
    early, late, last = (fmean(losses[i : i + k]) for i in (k, 2 * k, len(losses) - k))
    grows = last < 10 * late < 100 * early or (losses[0] < 0 and last < 1000 * losses[0])
    away = last < -1e3 * max(1.0, abs(losses[0])) and last < 2 * early < 0
    if a_part_is_right and not away:
        return
    if away or (early < 0 and last < 3 * early and fmean(v < 0 for v in losses) > 0.9 and grows):
        yield Suspicion(
            "wrong-loss-sign",
            0.85 if away else 0.6,
            f"The loss is negative and falls faster and faster: from {losses[0]:.3g} to {last:.3g}. What has "
            "a lower bound, as losses have, does not do that, but its negative does.",
        )


def loss_broadcast(seen: Observations) -> Iterator[Suspicion]:
    """See predictions and targets of shapes that are no table of pairs alone, but become one together."""
    for call in seen.criteria():
        if call.name not in _ELEMENTWISE or call.prediction == call.target:
            continue
        p, t = math.prod(call.prediction), math.prod(call.target)
        if min(p, t) <= 1 or not call.target:
            continue
        what = {"difference": "A difference", "product": "A product"}.get(call.name, call.name)
        shapes = (
            f"{what} was taken of predictions of shape {call.prediction} and targets of shape {call.target}"
        )
        together = _together(call.prediction, call.target)
        square = call.prediction[-2:] == (*call.target, *call.target)
        if call.name not in ("difference", "product") and square:
            yield Suspicion(
                "loss-broadcast",
                0.95,
                f"{shapes}: as many predictions for each target as there are targets. Something of shape "
                f"({call.target[0]}, 1) met something of shape ({call.target[0]},) on the way.",
                certain=True,
                where=call.name,
                step=call.step,
            )
            return
        column = len(call.target) == 1 and call.prediction[-2:] == (*call.target, 1)
        if together > max(p, t) and (p == t or column):
            yield Suspicion(
                "loss-broadcast",
                0.8 if call.name == "product" else 0.96,
                f"{shapes}: every prediction meets every target, in {together:,} pairs instead of {p:,}.",
                certain=call.name != "product",
                where=call.name,
                step=call.step,
            )
            return
        full = max(p, t)
        small = call.target if t < p else call.prediction
        if together >= full and p != t and call.name not in ("difference", "product") and small[0] > 1:
            yield Suspicion(
                "loss-broadcast",
                0.6 if together > full else 0.4,
                f"{shapes}, which differ: one is repeated to fit the other.",
                where=call.name,
                step=call.step,
            )
            return


def _together(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """How many elements two shapes have together; 0 where they do not fit."""
    n = max(len(a), len(b))
    pairs = list(zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True))
    return math.prod(max(x, y) for x, y in pairs) if all(x == y or 1 in (x, y) for x, y in pairs) else 0


def not_finite(seen: Observations) -> Iterator[Suspicion]:
    """See a number that is none, and whether it came out of nothing or at the end of a divergence."""
    found = seen.not_finite
    if found is None:
        return
    values = [v for _, v in seen.losses]
    at = next((i for i, v in enumerate(values) if not math.isfinite(v)), len(values))
    before = [v for v in values[:at] if math.isfinite(v)]
    after = [v for v in values[at:] if math.isfinite(v)]
    words = {
        "input": "What the model was given (inputs or targets) was not finite",
        "loss": "The loss was not finite",
        "parameter": "Parameters were not finite, though the loss had been: its gradient was not",
    }.get(found.what, f"The {found.what} was not finite")
    evidence = f"{words}, first in step {found.step}"
    if found.where:
        evidence += f", from {found.where}" + (f" ({found.inputs})" if found.inputs else "")
    elif found.inputs:
        evidence += f" (of {found.inputs})"
    if before:
        evidence += f"; the loss was {before[-1]:.4g} just before"
    grew = _grew(before)
    if len(after) > 0.7 * (len(values) - at):  # it went on: such batches are left out, or harm little
        used = _used(seen.losses)
        sure = 0.8 if used >= 2 and found.where and not grew else 0.5 if used else 0.3
        evidence += f"; {used} steps were taken all the same" if used else ", and no step was taken"
    elif found.what == "input":
        sure = 0.97
    elif grew:
        sure, evidence = 0.3, evidence + ", after it had grown for steps"
    elif not found.where and (pace := _first_pace(seen)) > LONG:
        sure, evidence = 0.3, evidence + f", after a step that moved weights by {pace:.0%} of their size"
    else:
        sure = 0.95 if found.where else 0.85
    yield Suspicion("not-finite", sure, evidence + ".", sure > 0.9, found.where, found.step)


def _first_pace(seen: Observations) -> float:
    return max((ratio(seen, w) for w in seen.windows if w.step < 5), default=0.0)


def _used(losses: list[tuple[int, float]]) -> int:
    """Return how many steps were taken with the gradient of a loss that was not finite."""
    pairs = pairwise(losses)
    return sum(not math.isfinite(value) and after > step for (step, value), (after, _) in pairs)


def _grew(before: list[float]) -> bool:
    """Whether a loss had left where it was before it ceased to be finite."""
    if len(before) < 2:
        return False
    size = [abs(v) for v in before]
    usual, last = median(size[: max(1, len(size) - 3)]), max(size[-3:])
    return last > 20 * max(usual, 1e-12) or last > 1e6 * max(min(size), 1e-3)


def class_imbalance(seen: Observations) -> Iterator[Suspicion]:
    """See rare classes that are hardly ever predicted where they are true, by a loss without weights."""
    groups: dict[tuple[str, int], list[CriterionCall]] = {}
    for call in seen.criteria():
        if call.counts and call.hits and len(call.counts) <= CLASSES:
            groups.setdefault((call.name, len(call.counts)), []).append(call)
    for (name, classes), calls in groups.items():
        late = [c for c in calls if c.step > 0.4 * seen.steps]
        if classes < 2 or not late or any(c.weighted for c in calls):
            continue
        counts, hits, said = (
            [sum(row) for row in zip(*(getattr(c, key) for c in late), strict=True)]
            for key in ("counts", "hits", "predicted")
        )
        total = sum(counts)
        rare = [k for k in range(classes) if 0 < counts[k] < min(RARE, 0.4 / (classes - 1)) * total]
        common = [k for k in range(classes) if k not in rare and counts[k]]
        n = sum(counts[k] for k in rare)
        if n < 5 or not common or not _common_is_learned(common, counts, hits):
            continue
        recall = sum(hits[k] for k in rare) / n
        main = sum(hits[k] for k in common) / sum(counts[k] for k in common)
        if recall > 0.5 or main < 0.6 or sum(said[k] for k in rare) > 0.7 * n:
            continue
        share = n / total / len(rare)
        spread = max(counts) / max(1, min(counts[k] for k in rare))
        sure = (0.85 if recall < 0.25 else 0.65) - (0.2 if n < 12 else 0) - (0.2 if spread < 8 else 0)
        if classes == 2 and _told_apart(seen) < APART:
            sure = min(sure, 0.5)  # nobody could recognise them: to expect the common class is right then
        if narrowest(seen.windows[-1].layers) or any(r.copies for r in seen.roots):
            sure = min(sure, 0.5)  # too small a model gives up rare classes first; a text has rare words
        yield Suspicion(
            "class-imbalance",
            sure,
            f"{_named(rare, classes)} {share:.1%} of the targets{'' if len(rare) == 1 else ' each'}, and "
            f"{recall:.0%} of those were recognised late in the run, against {main:.0%} of the others; the "
            f"commonest class comes {spread:.0f} times as often as the rarest; the loss has no weights.",
            where=name,
            step=late[0].step,
        )


def _told_apart(seen: Observations) -> float:
    """Return how often a linear fit puts an example of one class before one of the other; 1 if unknown."""
    rows = rows_told(seen)
    if rows is None or rows.classes != 2 or len(rows.y.unique()) < 2:
        return 1.0
    order = ridge(rows)(rows.y)[0][:, 1].argsort().argsort().double()
    ones = rows.y == 1
    n, m = int(ones.sum()), int((~ones).sum())
    share = float((order[ones].sum() - n * (n - 1) / 2) / (n * m))
    return max(share, 1 - share)


def _common_is_learned(common: list[int], counts: list[int], hits: list[int]) -> bool:
    """Whether frequent classes are told apart, where there are several: else nothing at all was learned."""
    return len(common) == 1 or sum(hits[k] > 0.3 * counts[k] for k in common) > 0.5 * len(common)


def _named(rare: list[int], classes: int) -> str:
    if len(rare) == 1:
        return f"Class {rare[0]} of {classes} is"
    return f"Classes {', '.join(map(str, rare[:5]))}{' …' if len(rare) > 5 else ''} of {classes} are"


DETECTORS: tuple[Detector, ...] = (
    softmax_before_cross_entropy,
    wrong_loss_sign,
    loss_broadcast,
    not_finite,
    class_imbalance,
)
