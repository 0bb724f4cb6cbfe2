"""Signs of what is trained and how: the task, the model's kinds of layers, the optimizer and its settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean

from descend.diagnosing import measures
from descend.diagnosing.generalising import dropped_shares, narrowest
from descend.diagnosing.neighbours import Rows
from descend.diagnosing.progress import classes_of
from descend.diagnosing.sign import NAN, Sign, log
from descend.watching.facts import OptimizerFacts, ParameterFacts
from descend.watching.observations import Observations

Of = Callable[[Observations, Rows | None], float]


def _only(of: Callable[[Observations], float]) -> Of:
    return lambda seen, rows: of(seen)


# The optimizer -----------------------------------------------------------------------------------------
def _main(seen: Observations) -> OptimizerFacts | None:
    return max(seen.optimizers, key=lambda o: o.steps, default=None)


def _rates(seen: Observations) -> list[float]:
    own = _main(seen)
    if own is None or not own.settings:
        return [NAN]
    return [max((float(str(g.get("lr", 0.0))) for g in groups), default=0.0) for _, groups in own.settings]


def _rate(seen: Observations) -> float:
    return log(max(_rates(seen)))


def _last_rate(seen: Observations) -> float:
    return log(_rates(seen)[-1] / max(max(_rates(seen)), 1e-30))


def _first_rate(seen: Observations) -> float:
    return log(_rates(seen)[0] / max(max(_rates(seen)), 1e-30))


def _plain_decay(seen: Observations) -> float:
    own = _main(seen)
    for _, groups in own.settings[:1] if own is not None else []:
        for group in groups:
            value = group.get("weight_decay")
            if isinstance(value, int | float):
                return log(float(value))
    return NAN


def _kind(word: str) -> Of:
    def of(seen: Observations, rows: Rows | None) -> float:
        own = _main(seen)
        return float(own is not None and word in own.kind.lower())

    return of


def _allowed(seen: Observations) -> float:
    return log(measures.middle([allowed / max(norm, 1e-12) for _, allowed, norm in seen.clips]))


# The task ----------------------------------------------------------------------------------------------
def _compared(*names: str) -> Of:
    return lambda seen, rows: float(any(c.name in names for c in seen.criteria()))


def _examples(seen: Observations) -> float:
    return log(measures.middle([float(b.examples) for w in seen.windows for b in w.batches if b.grad]))


def _target_mean(seen: Observations) -> float:
    return next((log(abs(c.target_mean)) for c in seen.criteria() if not c.classes), NAN)


def _target_std(seen: Observations) -> float:
    return next((log(c.target_std) for c in seen.criteria() if not c.classes), NAN)


# The model ---------------------------------------------------------------------------------------------
def _has(*words: str) -> Of:
    def of(seen: Observations, rows: Rows | None) -> float:
        kinds = [c.kind.lower() for w in seen.windows[:1] for c in w.layers]
        return float(any(word in kind for kind in kinds for word in words)) if kinds else NAN

    return of


def _of_parameters(tell: Callable[[ParameterFacts], bool]) -> Of:
    def of(seen: Observations, rows: Rows | None) -> float:
        return fmean(map(tell, seen.parameters.values())) if seen.parameters else NAN

    return of


def _size(seen: Observations) -> float:
    return log(float(sum(math.prod(p.shape) for p in seen.parameters.values())))


def _layers(seen: Observations) -> float:
    return log(1.0 + len(measures.depth(seen, seen.windows[0]))) if seen.windows else NAN


def _width(seen: Observations) -> float:
    """How many numbers everything passes through where it is narrowest."""
    layer = narrowest(seen.windows[0].layers, 1 << 30) if seen.windows else None
    return log(float(layer.shape[-1])) if layer is not None else NAN


def _dropped(seen: Observations) -> float:
    return max(dropped_shares(seen.windows[0].layers).values(), default=NAN) if seen.windows else NAN


FORM: tuple[Sign, ...] = (
    Sign("rate", "the largest learning rate is 10^{:.1f}", _only(_rate)),
    Sign("last-rate", "the last learning rate is 10^{:.1f} of the largest", _only(_last_rate)),
    Sign("first-rate", "the first learning rate is 10^{:.1f} of the largest", _only(_first_rate)),
    Sign("plain-decay", "weight_decay is 10^{:.1f}", _only(_plain_decay)),
    Sign("momentum", "momentum is {:.3f}", _only(measures.momentum)),
    Sign("adam", "optimizers of Adam's kind: {:.0f}", _kind("adam")),
    Sign("sgd", "optimizers of SGD's kind: {:.0f}", _kind("sgd")),
    Sign("optimizers", "there are {:.0f} optimizers", _only(lambda seen: float(len(seen.optimizers)))),
    Sign("clips", "steps with gradients clipped by norm: {:.0f}", _only(lambda seen: float(len(seen.clips)))),
    Sign("allowed", "clipping allows 10^{:.1f} of the gradient's norm", _only(_allowed)),
    Sign("steps", "there were 10^{:.1f} steps", _only(lambda seen: log(float(seen.steps)))),
    Sign("accumulates", "there are 10^{:.1f} backward passes a step", _only(lambda s: log(s.accumulates))),
    Sign("examples", "a call sees 10^{:.1f} examples", _only(_examples)),
    Sign("classes", "there are 10^{:.1f} classes", _only(lambda seen: log(classes_of(seen)))),
    Sign("numbers", "targets are numbers: {:.0f}", _only(lambda seen: float(classes_of(seen) == 0))),
    Sign("cross-entropy", "the loss is a cross-entropy: {:.0f}", _compared("cross_entropy", "nll_loss")),
    Sign(
        "binary",
        "the loss is a binary cross-entropy: {:.0f}",
        _compared("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    ),
    Sign("squared", "the loss is a mean of squares: {:.0f}", _compared("mse_loss", "deviation")),
    Sign("own-loss", "the loss is one of its own: {:.0f}", _only(lambda s: float(not any(s.criteria())))),
    Sign("target-mean", "targets lie around ±10^{:.1f}", _only(_target_mean)),
    Sign("target-std", "targets vary by 10^{:.1f}", _only(_target_std)),
    Sign(
        "inputs",
        "the model is given {:.0f} tensors",
        _only(lambda s: max((r.inputs for r in s.roots), default=0)),
    ),
    Sign("parameters", "there are {:.0f} parameter tensors", _only(lambda seen: float(len(seen.parameters)))),
    Sign("size", "there are 10^{:.1f} parameters", _only(_size)),
    Sign("width", "all passes through 10^{:.1f} numbers", _only(_width)),
    Sign("dropped", "dropout sets {:.0%} of a layer to zero", _only(_dropped)),
    Sign("layers", "there are 10^{:.1f} layers of weights", _only(_layers)),
    Sign(
        "trained-before",
        "{:.0%} of the parameters were trained before",
        _of_parameters(lambda p: p.trained_before),
    ),
    Sign(
        "not-wanted",
        "{:.0%} of the parameters want no gradient",
        _of_parameters(lambda p: not p.requires_grad),
    ),
    Sign("unmoved", "{:.0%} of the parameters were not seen to move", _of_parameters(lambda p: not p.moved)),
    Sign("batch-norm", "there is batch normalisation: {:.0f}", _has("batchnorm")),
    Sign("other-norm", "there is normalisation of layers: {:.0f}", _has("layernorm", "groupnorm", "rmsnorm")),
    Sign("dropout", "there is dropout: {:.0f}", _has("dropout")),
    Sign("relu", "there are rectifiers: {:.0f}", _has("relu")),
    Sign("gelu", "there are smooth rectifiers: {:.0f}", _has("gelu", "silu", "elu")),
    Sign("tanh", "there are hyperbolic tangents: {:.0f}", _has("tanh")),
    Sign("sigmoid", "there are sigmoids: {:.0f}", _has("sigmoid")),
    Sign("softmax", "there is a softmax: {:.0f}", _has("softmax")),
    Sign("convolution", "there are convolutions: {:.0f}", _has("conv")),
    Sign(
        "recurrent",
        "the model is recurrent: {:.0f}",
        _only(lambda seen: float(measures.recurrent(seen) != "")),
    ),
    Sign("embedding", "there are embeddings: {:.0f}", _has("embedding")),
    Sign("attention", "there is attention: {:.0f}", _has("attention")),
    Sign(
        "largest-start",
        "the largest weights start at 10^{:.1f}/√(inputs)",
        _only(lambda s: log(max(measures.gains(s), default=NAN))),
    ),
    Sign(
        "smallest-start",
        "the smallest weights start at 10^{:.1f}/√(inputs)",
        _only(lambda s: log(min(measures.gains(s), default=NAN))),
    ),
)
