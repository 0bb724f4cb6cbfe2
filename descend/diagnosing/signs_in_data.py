"""Signs of causes in the data, in what came of the training, and in how the model was used."""

from __future__ import annotations

import math
from statistics import fmean

from descend.diagnosing import measures
from descend.diagnosing.generalising import gap, rise
from descend.diagnosing.inputs import alike_classes, alike_numbers, labels_of_steps
from descend.diagnosing.neighbours import Rows, dependence, ridge, spectra, votes
from descend.diagnosing.progress import evaluated, remaining, training_accuracy
from descend.diagnosing.sign import NAN, Sign, log
from descend.watching.observations import Observations


# Data --------------------------------------------------------------------------------------------------
def _large_inputs(seen: Observations, rows: Rows | None) -> float:
    return log(measures.input_size(seen))


def _uneven_inputs(seen: Observations, rows: Rows | None) -> float:
    if seen.samples is None or seen.samples.kind != "features" or not 2 <= seen.samples.x.shape[1] < 64:
        return NAN
    x = seen.samples.x.double()
    sizes = x.square().mean(0).sqrt()[x.std(0) > 0]
    return log(float(sizes.max() / sizes.min().clamp_min(1e-12))) if len(sizes) > 1 else NAN


def _targets(seen: Observations, rows: Rows | None) -> float:
    calls = [c for c in seen.criteria() if not c.classes and math.isfinite(c.target_std)][:1]
    return log(abs(calls[0].target_mean) + calls[0].target_std) if calls and calls[0].step < 50 else NAN


def _alike(seen: Observations, rows: Rows | None) -> float:
    """How much more alike targets of one batch are than those of several."""
    best = NAN
    for index, _ in enumerate(seen.optimizers):
        batches = labels_of_steps(seen, index)
        if len(batches) >= 3:
            whole = all(not b.is_floating_point() for b in batches)
            found = alike_classes(batches) if whole else alike_numbers(batches)
            if found is not None and not best > found[0]:
                best = found[0]
    return best


def _in_order(seen: Observations, rows: Rows | None) -> float:
    loaders = [x for x in seen.loaders if x.batches > 1 and x.iterators > 1]
    return float(any(not x.shuffled for x in loaders)) if loaders else NAN


def _same_batches(seen: Observations, rows: Rows | None) -> float:
    prints = [w.batches[0].fingerprint for w in seen.windows if w.batches and w.batches[0].floating]
    return 1 - len(set(prints)) / len(prints) if len(prints) >= 2 else NAN


def _imbalance(seen: Observations, rows: Rows | None) -> float:
    counts = [c.counts for c in seen.criteria() if c.counts and len(c.counts) <= 30]
    counts = [k for k in counts if len(k) == len(counts[0])]
    total = [sum(k) for k in zip(*counts, strict=True)]
    return log(max(total) / max(1, min(total))) if len(total) > 1 and sum(total) > 50 else NAN


def _forgotten(seen: Observations, rows: Rows | None) -> float:
    """How much worse the worst class is recognised than all are."""
    late = [c for c in seen.criteria() if c.step > 0.5 * seen.steps and c.counts and len(c.counts) <= 30]
    late = [c for c in late if len(c.counts) == len(late[0].counts)]
    if not late or len(late[0].counts) < 2:
        return NAN
    counts, hits = (
        [sum(k) for k in zip(*(getattr(c, n) for c in late), strict=True)] for n in ("counts", "hits")
    )
    recalls = [h / n for h, n in zip(hits, counts, strict=True) if n >= 5]
    return sum(hits) / max(1, sum(counts)) - min(recalls) if len(recalls) > 1 else NAN


def _wrong_labels(seen: Observations, rows: Rows | None) -> float:
    """The share of other labels where neighbours and a linear fit are surest."""
    if rows is None or not rows.classes or len(rows.y) < 100:
        return NAN
    share, (line, _) = votes(rows), ridge(rows)(rows.y)
    chosen = (share.argmax(1) == line.argmax(1)).nonzero().flatten()
    if len(chosen) < 40:
        return NAN
    sure = (share.amax(1) + line.softmax(1).amax(1))[chosen]
    chosen = chosen[sure.argsort(descending=True)][: max(40, len(chosen) // 3)]
    return float((share.argmax(1)[chosen] != rows.y[chosen]).double().mean())


def _independent(seen: Observations, rows: Rows | None) -> float:
    """How little inputs tell of their targets."""
    if rows is None or len(rows.y) < 60:
        return NAN
    return -max(dependence(each, 12)[2] for each in (rows, spectra(rows)) if each is not None)


# What came of it ---------------------------------------------------------------------------------------
def _left(seen: Observations, rows: Rows | None) -> float:
    """What is left of a constant answer's loss, where the loss falls no more."""
    curve = measures.smooth(measures.losses(seen), 12)
    if len(curve) < 6 or min(curve) <= 0:
        return NAN
    return remaining(seen) if curve[-4] - curve[-1] < 0.08 * curve[-4] else NAN


def _mistakes(seen: Observations, rows: Rows | None) -> float:
    """The share that is wrong in training at the end, where more was learned than not."""
    trained, _ = training_accuracy(seen, 2)
    counts = [c.counts for c in seen.criteria() if c.counts]
    common = max(counts[-1]) / max(1, sum(counts[-1])) if counts else 0.5
    return 1 - trained if trained > 0.5 + 0.5 * common else NAN


def _gap(seen: Observations, rows: Rows | None) -> float:
    trained, _ = training_accuracy(seen, 2)
    tested = evaluated(seen)
    return trained - tested if trained == trained and tested == tested else NAN


def _loss_gap(seen: Observations, rows: Rows | None) -> float:
    return log(gap(seen)) if not remaining(seen) > 0.5 else NAN


def _loss_rise(seen: Observations, rows: Rows | None) -> float:
    return log(rise(seen))


# Modes and inputs --------------------------------------------------------------------------------------
def _awake(seen: Observations, rows: Rows | None) -> float:
    own = [e for e in seen.of_trained if e.calls and seen.roots[e.root].mode_matters]
    return fmean(e.training / e.calls for e in own) if own else NAN


def _asleep(seen: Observations, rows: Rows | None) -> float:
    own = [r for r in seen.roots if r.mode_matters and r.calls]
    return max((r.calls_in_eval / r.calls for r in own), default=NAN)


def _unused(seen: Observations, rows: Rows | None) -> float:
    shares = [r.unused_features / r.features for r in seen.roots if r.features]
    shares += [r.unused_tokens / r.tokens for r in seen.roots if r.tokens]
    return max(shares, default=NAN)


def _still(seen: Observations, rows: Rows | None) -> float:
    own = [p for p in seen.parameters.values() if p.role == "weight"]
    return fmean(not p.moved and not p.changed for p in own) if own else NAN


def _resets(seen: Observations, rows: Rows | None) -> float:
    return float(
        max(sum(o.again > 0 for o in seen.optimizers), max((o.resets for o in seen.optimizers), default=0))
    )


def _told_by_one(seen: Observations, rows: Rows | None) -> float:
    """How much better one feature tells the target than the others together do."""
    if rows is None or rows.x.shape[1] > 200:
        return NAN
    y = rows.y.double()
    y = (y - y.mean()) / y.std().clamp_min(1e-12)
    c = (rows.x * y[:, None]).mean(0).abs()
    top = c.topk(min(2, len(c))).values
    return float(top[0] - top[-1]) + float(top[0]) if len(c) > 1 else NAN


DATA: tuple[Sign, ...] = (
    Sign("large-inputs", "inputs are of the size 10^{:.1f}", _large_inputs),
    Sign("uneven", "features' sizes differ 10^{:.1f}-fold", _uneven_inputs),
    Sign("targets", "targets are of the size 10^{:.1f}", _targets),
    Sign("alike", "targets of one batch are alike ({:.2f})", _alike),
    Sign("in-order", "loaders that keep their order: {:.0f}", _in_order),
    Sign("same", "{:.0%} of the batches came again", _same_batches),
    Sign("imbalance", "the commonest class comes 10^{:.1f} times as often as the rarest", _imbalance),
    Sign("forgotten", "the worst class is recognised {:.0%} less often", _forgotten),
    Sign("wrong-labels", "{:.0%} of the surest labels look wrong", _wrong_labels),
    Sign("mistakes", "{:.0%} mistakes in training at the end", _mistakes),
    Sign("independent", "inputs tell little of their targets ({:.1f})", _independent),
    Sign("left", "the loss stays at {:.0%} of a constant answer's", _left),
    Sign("gap", "training is {:.0%} more often right than the evaluation", _gap),
    Sign("loss-gap", "the evaluation's loss is 10^{:.1f} times that of training", _loss_gap),
    Sign("loss-rise", "the evaluation's loss has risen 10^{:.1f}-fold", _loss_rise),
    Sign("awake", "{:.0%} of evaluations were in training mode", _awake),
    Sign("asleep", "{:.0%} of training was in evaluation mode", _asleep),
    Sign("unused", "{:.0%} of the inputs have no way to the output", _unused),
    Sign("still", "{:.0%} of the weights never moved", _still),
    Sign("resets", "optimizers began anew {:.0f} times", _resets),
    Sign("told-by-one", "one feature alone tells the target ({:.2f})", _told_by_one),
)
