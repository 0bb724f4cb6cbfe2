"""How the function space scales: what a few steps change in each layer, at several widths.

A coordinate check (Yang et al. 2022, Tensor Programs V, arXiv:2203.03466, appendix D.1): the size of the
change of each layer's output after a few steps, for one learning rate, against the width. Where it neither
grows nor shrinks (the maximal-update parametrisation, μP), the best learning rate stays where it is.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from descend.descent.descent import Descent
from descend.diagnosing.inspecting.calls import Look, layers
from descend.diagnosing.inspecting.one_batch import losses_of
from descend.diagnosing.inspecting.subject import Same, Subject, some
from descend.diagnosing.inspecting.widening import Maker, NotWidened, Widening
from descend.functions.problem import Problem, Settings
from descend.watching.probing import first

FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
"""Multiples of the width; up to four neighbours are taken, as the time allows."""
COUNT = 4
STEPS, SEEDS, MORE_SEEDS = 3, 2, 6
EXAMPLES = 64
SLOPE = 0.3
"""Slopes of log change against log width within ±SLOPE are called stable: μP's is 0, a standard layer's
behind a hidden one with Adam is 1."""
SURE = 2.0
"""Standard errors by which a slope must differ from a stable one, to be called otherwise."""


@dataclass
class Scaling:
    """How one layer's change depends on the width.

    Attributes:
        name: the layer's.
        changes: the mean |change| of its output, by width (geometric mean over seeds).
        slope: of log change against log width.
        error: its standard error: over starts, or of the line through the widths, whichever is larger.
        verdict: ``grows``, ``shrinks``, ``stable``, or ``unclear`` where starts differ too much to tell.
    """

    name: str
    changes: list[float]
    slope: float
    error: float
    verdict: str


@dataclass
class Widths:
    """The check over widths.

    Attributes:
        widths: multiples of the function's width, or widths where a maker has a default.
        layers: how each layer's change scales, in order of the calls.
        how: how the function is had at other widths.
        method: what takes the steps, and
        lr: its learning rate at the function's own width.
        steps: steps taken at each width.
        seeds: how many starts each figure is from.
        verdict: what it means.
        fine: whether no layer's change depends on the width; ``None`` where it is not measured.
        not_measured: why not; empty where it was.
        seconds: what it took.
    """

    widths: list[float] = field(default_factory=list)
    layers: list[Scaling] = field(default_factory=list)
    how: str = ""
    method: str = ""
    lr: float = math.nan
    steps: int = STEPS
    seeds: int = 0
    verdict: str = ""
    fine: bool | None = None
    not_measured: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "layers": [vars(one) for one in self.layers]}


def widths(subject: Subject, seen: Look, seconds: float, maker: Maker | None = None) -> Widths:
    """Take a few steps at several widths, and compare what they change.

    Args:
        subject: it.
        seen: what one forward of its function showed.
        seconds: about how long it may take.
        maker: width → the function, or its problem, at that width.
    """
    began = time.perf_counter()
    found = Widths(method=subject.descent.settings.method, lr=subject.descent.lr)
    try:
        if not subject.problem.has_data:
            raise NotWidened("the function is itself what is minimised, and has no layers")
        widening = Widening(subject, seen, maker)
        found.how = widening.how
        changes = _changes(subject, widening, began + seconds, found)
    except NotWidened as reason:
        found.not_measured = str(reason)
        found.verdict = f"Not measured: {reason}."
        found.seconds = time.perf_counter() - began
        return found
    factors = sorted(changes)
    found.widths = [f * widening.base if widening.base else f for f in factors]
    found.layers = [one for name in _common(changes) if (one := _scaling(name, factors, changes)) is not None]
    _judge(found)
    found.seconds = time.perf_counter() - began
    return found


WHOLE = "the output"
"""The name of what the function gives, where that is not its last layer's."""

Changes = dict[float, list[dict[str, float]]]
"""Multiple of the width → for each seed, layer's name → mean |change|."""


def _changes(subject: Subject, widening: Widening, deadline: float, found: Widths) -> Changes:
    """Measure at as many widths, and from as many starts, as there is time for."""
    batch = some(subject.batch, EXAMPLES)
    began = time.perf_counter()
    own = {1.0: [_change(subject, widening, 1, 0, batch)]}
    pace = time.perf_counter() - began
    left = deadline - time.perf_counter()
    factors = _affordable(pace, left)
    changes: Changes = {}
    for factor in factors:
        try:
            changes[factor] = own.get(factor) or [_change(subject, widening, factor, 0, batch)]
        except NotWidened:
            if factor >= 1:
                raise
    if len(changes) < 3:  # layers that cannot be made narrower: wider ones, then
        for factor in FACTORS:
            if factor >= 1 and factor not in changes and len(changes) < 3:
                changes[factor] = own.get(factor) or [_change(subject, widening, factor, 0, batch)]
    seed = 1
    while seed < MORE_SEEDS:
        began = time.perf_counter()
        if seed >= SEEDS and began + (time.perf_counter() - began) > deadline:
            break
        for factor in changes:
            changes[factor].append(_change(subject, widening, factor, seed, batch))
        seed += 1
        spent = time.perf_counter() - began
        if seed >= SEEDS and time.perf_counter() + spent > deadline:
            break
    found.seeds = seed
    return changes


def _affordable(pace: float, left: float) -> list[float]:
    """Return the widest window of neighbouring multiples that can be paid: a step costs up to factor²."""
    for start in range(len(FACTORS) - COUNT, -1, -1):
        window = FACTORS[start : start + COUNT]
        if SEEDS * sum(pace * max(f * f, 0.3) for f in window) < left:
            return list(window)
    return list(FACTORS[:COUNT])


def _change(subject: Subject, widening: Widening, factor: float, seed: int, batch: Any) -> dict[str, float]:
    """Return how much a few steps change each layer's output."""
    function, settings = widening.at(factor, subject.seed + seed)
    settings = replace(settings, schedule="constant", warmup=0.0, batch_size=None, accumulate=1)
    problem = Problem(function, subject.problem.loss, train=Same(batch), settings=settings)
    given = {n: getattr(settings, n) for n in Settings.__dataclass_fields__}
    descent = Descent(problem, seed=subject.seed, device=str(subject.device), **given)
    before = _outputs(subject, descent.function, problem, batch)
    with subject.random():
        losses = losses_of(descent, STEPS)
    if not all(map(math.isfinite, losses)):
        raise NotWidened(f"the loss is not finite at {factor:g} times the width")
    after = _outputs(subject, descent.function, problem, batch)
    return {
        name: float((after[name] - old).abs().mean())
        for name, old in before.items()
        if name in after and after[name].shape == old.shape
    }


@torch.no_grad()
def _outputs(subject: Subject, function: nn.Module, problem: Problem, batch: Any) -> dict[str, Tensor]:
    """Return what each layer gives at its last call."""
    found: dict[str, Tensor] = {}
    handles = []
    for module, name in layers(function).items():
        if not list(module.parameters()):
            continue

        def keep(module: nn.Module, given: Any, output: Any, name: str = name) -> None:
            x = first(output)
            if x is not None and x.is_floating_point():
                found.pop(name, None)
                found[name] = x.detach().float().clone()

        handles.append(module.register_forward_hook(keep))

    def whole(module: nn.Module, given: Any, output: Any) -> None:
        x = first(output)
        same = x is not None and bool(found) and torch.equal(x, found[next(reversed(found))].to(x.dtype))
        if x is not None and x.is_floating_point() and problem.loss is not None and not same:
            found[WHOLE] = x.detach().float().clone()

    handles.append(function.register_forward_hook(whole))
    try:
        with subject.random():
            problem.loss_of(function, batch)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _common(changes: Changes) -> list[str]:
    every = [one for runs in changes.values() for one in runs]
    return [name for name in every[0] if all(name in one for one in every)]


def _scaling(name: str, factors: list[float], changes: Changes) -> Scaling | None:
    """Fit log change against log width, once for each start."""
    x = [math.log(f) for f in factors]
    middle = sum(x) / len(x)
    square = sum((v - middle) ** 2 for v in x)
    slopes = []
    for seed in range(len(changes[factors[0]])):
        sizes = [changes[f][seed][name] for f in factors]
        if min(sizes) <= 0 or not all(map(math.isfinite, sizes)):
            return None
        slopes.append(sum((v - middle) * math.log(s) for v, s in zip(x, sizes, strict=True)) / square)
    slope = sum(slopes) / len(slopes)
    means = [math.exp(sum(math.log(c[name]) for c in changes[f]) / len(changes[f])) for f in factors]
    height = sum(map(math.log, means)) / len(means)
    missed = [math.log(m) - height - slope * (v - middle) for m, v in zip(means, x, strict=True)]
    # A maker that draws from a seed of its own gives the same start each time: the line says how sure it is.
    error = (sum(r * r for r in missed) / (len(x) - 2) / square) ** 0.5 if len(x) > 2 else math.inf
    if len(slopes) > 1:
        error = max(error, statistics.stdev(slopes) / len(slopes) ** 0.5)
    sure = abs(slope) - SLOPE > SURE * error
    verdict = "stable"
    if abs(slope) > SLOPE:
        verdict = ("grows" if slope > 0 else "shrinks") if sure else "unclear"
    return Scaling(name, means, slope, error, verdict)


def _judge(found: Widths) -> None:
    if not found.layers:
        found.not_measured = "no layer's output changed at every width"
        found.verdict = f"Not measured: {found.not_measured}."
        return
    grows = [one for one in found.layers if one.verdict == "grows"]
    shrinks = [one for one in found.layers if one.verdict == "shrinks"]
    unclear = [one.name for one in found.layers if one.verdict == "unclear"]
    found.fine = not grows and not shrinks
    if found.fine and unclear:
        found.fine = None
        found.verdict = (
            f"Unclear: {found.seeds} starts differ too much to say whether what {STEPS} steps change in "
            f"{unclear[0]} depends on the width. More --seconds tell."
        )
        return
    if found.fine:
        found.verdict = (
            "What a step changes does not depend on the width: a learning rate found on a narrow function "
            "holds for a wide one."
        )
        return
    said = []
    for words, which in (("grows", grows), ("shrinks", shrinks)):
        if which:
            worst = max(which, key=lambda one: abs(one.slope))
            said.append(
                f"What {STEPS} steps change {words} with the width in {len(which)} of {len(found.layers)} "
                f"layers, most in {worst.name} (width^{worst.slope:.2f})."
            )
    do = (
        "a wider one needs a lower learning rate"
        if grows
        else "a wider one learns less a step, and may take a higher learning rate"
    )
    said.append(
        f"So a learning rate found on a narrow function does not hold for a wide one: {do} (or μP, or "
        "spectral scaling). It is so with most networks, and matters only where the width is to be changed."
    )
    found.verdict = " ".join(said)
