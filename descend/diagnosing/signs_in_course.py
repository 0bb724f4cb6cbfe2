"""Signs in the course that a training took: its curve, its evaluations, how gradients and outputs changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean

from descend.diagnosing import measures
from descend.diagnosing.neighbours import Rows
from descend.diagnosing.progress import evaluated, remaining, training_accuracy, training_accuracy_midway
from descend.diagnosing.sign import NAN, Sign, log
from descend.watching.observations import LayerCall, Observations


# The curve ---------------------------------------------------------------------------------------------
def _curve(seen: Observations) -> list[float]:
    return measures.smooth(measures.losses(seen))


def _start(seen: Observations) -> float:
    curve = _curve(seen)
    return max(abs(curve[0]), 1e-12) if len(curve) >= 4 else NAN


def _at(part: float) -> Callable[[Observations, Rows | None], float]:
    """Return what tells the loss after a part of the run, over where it began."""

    def of(seen: Observations, rows: Rows | None) -> float:
        curve = _curve(seen)
        return curve[min(len(curve) - 1, int(part * len(curve)))] / _start(seen) if curve else NAN

    return of


def _first(seen: Observations, rows: Rows | None) -> float:
    return log(_curve(seen)[0])


def _last(seen: Observations, rows: Rows | None) -> float:
    return log(_curve(seen)[-1])


def _fallen(seen: Observations, rows: Rows | None) -> float:
    return log(_curve(seen)[-1] / _start(seen))


def _highest(seen: Observations, rows: Rows | None) -> float:
    return log(max(_curve(seen)) / _start(seen))


def _negative(seen: Observations, rows: Rows | None) -> float:
    return float(min(measures.losses(seen), default=0.0) < 0)


def _quick(seen: Observations, rows: Rows | None) -> float:
    """What share of its whole fall a loss had fallen at a tenth of the run."""
    curve = _curve(seen)
    whole = curve[0] - min(curve) if len(curve) >= 10 else 0.0
    return (curve[0] - min(curve[: max(2, len(curve) // 10)])) / whole if whole > 0 else NAN


def _late(seen: Observations) -> list[float]:
    values = measures.losses(seen)
    return values[-(len(values) // 3) :] if len(values) >= 10 else []


def _jumps(seen: Observations, rows: Rows | None) -> float:
    late = _late(seen)
    return log(fmean(abs(a - b) for a, b in pairwise(late)) / abs(fmean(late)))


def _trend(seen: Observations, rows: Rows | None) -> float:
    """How far a loss falls in the second half, in units of the difference from step to step."""
    values = measures.losses(seen)
    half = values[len(values) // 2 :]
    part = len(half) // 3
    if part < 3:
        return NAN
    jump = measures.middle([abs(a - b) for a, b in pairwise(half)])
    fall = measures.middle(half[:part]) - measures.middle(half[-part:])
    return max(-20.0, min(20.0, fall / jump)) if jump > 0 else NAN


# What came of it ---------------------------------------------------------------------------------------
def _remaining(seen: Observations, rows: Rows | None) -> float:
    return min(3.0, remaining(seen))


def _trained(seen: Observations, rows: Rows | None) -> float:
    return training_accuracy(seen, 2)[0]


def _midway(seen: Observations, rows: Rows | None) -> float:
    return training_accuracy_midway(seen)


def _learned_late(seen: Observations, rows: Rows | None) -> float:
    """How much more of the training is right at the end, where nearly all of it is."""
    trained = _trained(seen, rows)
    return trained - _midway(seen, rows) if trained > 0.85 else NAN


def _tested(seen: Observations, rows: Rows | None) -> float:
    return evaluated(seen)


def _accuracies(seen: Observations) -> list[float]:
    found = [e.accuracy for e in seen.of_trained if math.isfinite(e.accuracy)]
    return found if len(found) >= 2 else [NAN]


def _lost(seen: Observations, rows: Rows | None) -> float:
    return max(_accuracies(seen)) - _accuracies(seen)[-1]


def _won(seen: Observations, rows: Rows | None) -> float:
    return _accuracies(seen)[-1] - _accuracies(seen)[0]


def _evenness(counts: list[list[int]]) -> float:
    """Return how evenly classes come: the entropy of their shares over the largest possible."""
    counts = [k for k in counts if k and len(k) == len(counts[-1])]
    total = [sum(k) for k in zip(*counts, strict=True)]
    if len(total) < 2 or not sum(total):
        return NAN
    return -sum(n / sum(total) * math.log(n / sum(total)) for n in total if n) / math.log(len(total))


def _even(seen: Observations, rows: Rows | None) -> float:
    return _evenness([c.counts for c in seen.criteria() if c.counts])


def _even_answers(seen: Observations, rows: Rows | None) -> float:
    return _evenness([c.predicted for c in seen.criteria() if c.predicted and c.step > 0.5 * seen.steps])


def _spread(last: bool) -> Callable[[Observations, Rows | None], float]:
    def of(seen: Observations, rows: Rows | None) -> float:
        calls = list(seen.criteria())
        return log(calls[-1 if last else 0].prediction_std) if calls else NAN

    return of


def _flat(seen: Observations, rows: Rows | None) -> float:
    calls = [c for c in seen.criteria() if not c.classes and c.target_std > 0]
    return log(calls[-1].prediction_std / calls[-1].target_std) if calls else NAN


# Gradients and layers ----------------------------------------------------------------------------------
def _first_gradient(seen: Observations, rows: Rows | None) -> float:
    return log(measures.gradients(seen)[0])


def _last_gradient(seen: Observations, rows: Rows | None) -> float:
    return log(measures.gradients(seen)[-1])


def _gradient_change(seen: Observations, rows: Rows | None) -> float:
    return log(measures.gradients(seen)[-1] / measures.gradients(seen)[0])


def _gradient_range(seen: Observations, rows: Rows | None) -> float:
    return log(max(measures.gradients(seen)) / min(measures.gradients(seen)))


def _sparse(seen: Observations, rows: Rows | None) -> float:
    late = seen.windows[-max(1, len(seen.windows) // 3) :]
    return measures.middle([m.zero for w in late for _, m in measures.weights(seen, w)])


def _against(begin: float, end: float) -> Callable[[Observations, Rows | None], float]:
    def of(seen: Observations, rows: Rows | None) -> float:
        count = len(seen.windows)
        own = seen.windows[int(begin * count) : max(1, int(end * count))]
        return measures.middle([m.cosine for w in own for _, m in measures.weights(seen, w)])

    return of


def _along(seen: Observations, rows: Rows | None) -> float:
    half = seen.windows[len(seen.windows) // 2 :]
    return measures.middle([m.along for w in half for m in w.moved])


def _decayed(seen: Observations, rows: Rows | None) -> float:
    half = seen.windows[len(seen.windows) // 2 :]
    return measures.middle([m.decayed for w in half for _, m in measures.weights(seen, w)])


def _paced(place: int) -> Callable[[Observations, Rows | None], float]:
    return lambda seen, rows: log(measures.ratio(seen, seen.windows[place]))


def _of_layers(
    place: int, tell: Callable[[LayerCall], float]
) -> Callable[[Observations, Rows | None], float]:
    """Return what tells the largest of a number of the layers, in the first or the last window."""

    def of(seen: Observations, rows: Rows | None) -> float:
        own = [w for w in seen.windows if w.layers]
        return max((v for c in own[place].layers if math.isfinite(v := tell(c))), default=NAN)

    return of


def _rectified(call: LayerCall) -> float:
    return call.zero if "relu" in call.kind.lower() else NAN


def _widens(seen: Observations, rows: Rows | None) -> float:
    """How much larger the last layer's outputs are than the first one's, in the first window."""
    calls = next(w.layers for w in seen.windows if w.layers)
    kinds = ("Linear", "Conv1d", "Conv2d", "GRU", "LSTM", "RNN")
    sizes = [c.std for c in calls if c.kind in kinds]
    return log(sizes[-1] / sizes[0]) if len(sizes) > 1 and sizes[0] > 0 else NAN


COURSE: tuple[Sign, ...] = (
    Sign("first", "the loss begins at 10^{:.1f}", _first),
    Sign("last", "the loss ends at 10^{:.1f}", _last),
    Sign("at-a-quarter", "after a quarter the loss is at {:.0%} of its start", _at(0.25)),
    Sign("at-half", "after half of the run the loss is at {:.0%} of its start", _at(0.5)),
    Sign("at-the-end", "at the end the loss is at {:.0%} of its start", _at(1.0)),
    Sign("fallen", "the loss ends at 10^{:.1f} of its start", _fallen),
    Sign("highest", "the loss reaches 10^{:.1f} of its start", _highest),
    Sign("negative", "losses become negative: {:.0f}", _negative),
    Sign("quick", "{:.0%} of the loss's fall lies in the first tenth", _quick),
    Sign("jumps", "late losses differ from step to step by 10^{:.1f} of their size", _jumps),
    Sign("trend", "in the second half the loss falls by {:.1f} of its jumps", _trend),
    Sign("remaining", "{:.0%} of a constant answer's loss remain", _remaining),
    Sign("trained", "training is right in {:.0%} at the end", _trained),
    Sign("midway", "training is right in {:.0%} midway", _midway),
    Sign("learned-late", "training is right {:.0%} more often at the end than midway", _learned_late),
    Sign("tested", "evaluations are right in {:.0%} at the end", _tested),
    Sign("lost", "the last evaluation is right {:.0%} less often than the best", _lost),
    Sign("won", "the last evaluation is right {:.0%} more often than the first", _won),
    Sign(
        "evaluations",
        "there were {:.0f} evaluations",
        lambda seen, rows: float(len(seen.of_trained) + seen.unseen),
    ),
    Sign("even", "classes come with {:.0%} of the largest entropy", _even),
    Sign("even-answers", "answers come with {:.0%} of the largest entropy", _even_answers),
    Sign("first-spread", "first answers vary by 10^{:.1f}", _spread(False)),
    Sign("last-spread", "last answers vary by 10^{:.1f}", _spread(True)),
    Sign("flat", "last answers vary 10^{:.1f} times as much as targets", _flat),
    Sign("first-gradient", "the first gradient is of the size 10^{:.1f}", _first_gradient),
    Sign("last-gradient", "the last gradient is of the size 10^{:.1f}", _last_gradient),
    Sign("gradient-change", "the last gradient is 10^{:.1f} times the first", _gradient_change),
    Sign("gradient-range", "the largest gradient is 10^{:.1f} times the smallest", _gradient_range),
    Sign("sparse", "{:.0%} of the late gradients are zero", _sparse),
    Sign("early-cosine", "early gradients agree from step to step by {:.2f}", _against(0.0, 0.34)),
    Sign("late-cosine", "late gradients agree from step to step by {:.2f}", _against(0.5, 1.0)),
    Sign("along", "late moves lie along the gradient by {:.2f}", _along),
    Sign("decayed", "late moves lie along the weights by {:.2f}", _decayed),
    Sign("first-pace", "the first step moves weights by 10^{:.1f} of their size", _paced(0)),
    Sign("last-pace", "the last step moves weights by 10^{:.1f} of their size", _paced(-1)),
    Sign("first-zeros", "rectifiers begin with {:.0%} zeros", _of_layers(0, _rectified)),
    Sign("last-zeros", "rectifiers end with {:.0%} zeros", _of_layers(-1, _rectified)),
    Sign("first-saturated", "{:.0%} of a layer is saturated at first", _of_layers(0, lambda c: c.saturated)),
    Sign("last-saturated", "{:.0%} of a layer is saturated at last", _of_layers(-1, lambda c: c.saturated)),
    Sign("largest", "the largest output of a layer is 10^{:.1f}", _of_layers(-1, lambda c: log(c.largest))),
    Sign("widens", "outputs grow 10^{:.1f}-fold through the layers", _widens),
    Sign("broken", "a number was not finite: {:.0f}", lambda seen, rows: float(seen.not_finite is not None)),
    Sign(
        "after",
        "evaluations follow the last step: {:.0f}",
        lambda s, rows: float(any(r.calls_after for r in s.roots)),
    ),
)
