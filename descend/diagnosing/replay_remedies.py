"""What can be done about a cause where only captured steps of a script are there: ways to play them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from descend.diagnosing.changes import NotApplicable
from descend.diagnosing.remedies import NO_REMEDY
from descend.diagnosing.replay import OWN, Arguments, Judge, Variant, World
from descend.watching.criteria import CLASSES, CRITERIA
from descend.watching.tape import Call, Out, Tape, Value

PROBABILITIES = ("binary_cross_entropy_with_logits", "cross_entropy")
_SUBTRACTIONS = {"sub", "__sub__", "__rsub__", "subtract", "rsub"}


@dataclass(frozen=True)
class Played:
    """One thing to try.

    Attributes:
        words: what is done, as it stands behind "with".
        variant: makes it for a script; raises :class:`NotApplicable` where it leaves no room for it.
        cause: what is wrong if it helps; by default what it was tried for.
        hook: its name for :mod:`descend.diagnosing.applied`, which does the same to a running script.
    """

    words: str
    variant: Callable[[World, str], tuple[Variant, Judge]]
    cause: str = ""
    hook: str = ""


# Settings of the optimizer -------------------------------------------------------------------------------
def _group(world: World) -> dict[str, Any]:
    return world.captured.settings[0][1][0]


def _rate(factor: float) -> Callable[[World, str], tuple[Variant, Judge]]:
    def scaled(group: dict[str, Any]) -> None:
        group["lr"] = group["lr"] * factor

    def make(world: World, where: str) -> tuple[Variant, Judge]:
        if "lr" not in _group(world):
            raise NotApplicable("the optimizer has no learning rate")
        return Variant(settings=scaled), OWN

    return make


def less_momentum(group: dict[str, Any]) -> None:
    """Set momentum to 0.9 where it is above."""
    if group.get("momentum", 0.0) > 0.9:
        group["momentum"] = 0.9
    if "betas" in group and group["betas"][0] > 0.9:
        group["betas"] = (0.9, *group["betas"][1:])


def _momentum(world: World, where: str) -> tuple[Variant, Judge]:
    group = dict(_group(world))
    less_momentum(group)
    if group == _group(world):
        raise NotApplicable("momentum is not above 0.9")
    return Variant(settings=less_momentum), OWN


def _decay(factor: float) -> Callable[[World, str], tuple[Variant, Judge]]:
    def changed(group: dict[str, Any]) -> None:
        group["weight_decay"] = group.get("weight_decay", 0.0) * factor

    def make(world: World, where: str) -> tuple[Variant, Judge]:
        if not any(g.get("weight_decay") for g in world.captured.settings[0][1]):
            raise NotApplicable("the optimizer has no weight decay")
        trained, held = world.parted(0)
        if trained is held:
            raise NotApplicable("all steps are on one batch, which is fitted the better the less decays")
        return Variant(settings=changed), OWN

    return make


def _constant(world: World, where: str) -> tuple[Variant, Judge]:
    rates = {g.get("lr") for _, now in world.captured.settings for g in now[:1]}
    if len(rates) < 2:
        raise NotApplicable("the learning rate is constant already")
    return Variant(schedule=False), OWN


def _descends(world: World, where: str) -> tuple[Variant, Judge]:
    if not any(g.get("maximize") for g in world.captured.settings[0][1]):
        raise NotApplicable("the optimizer does not climb")
    return Variant(settings=lambda group: group.update(maximize=False)), OWN


# The loop ------------------------------------------------------------------------------------------------
def _cleared(world: World, where: str) -> tuple[Variant, Judge]:
    if all(one.fresh for one in world.iterations):
        raise NotApplicable("every captured step began without gradients")
    return Variant(fresh=True), OWN


def _clipped(world: World, where: str) -> tuple[Variant, Judge]:
    return Variant(clip=1.0), OWN


def _not_clipped(world: World, where: str) -> tuple[Variant, Judge]:
    if all(one.clip is None for one in world.iterations):
        raise NotApplicable("no clipping was seen")
    return Variant(clip=None), OWN


def _kept(world: World, where: str) -> tuple[Variant, Judge]:
    if not world.captured.resets:
        raise NotApplicable("the optimizer's state was never lost")
    return Variant(resets=False), OWN


def _train(world: World, where: str) -> tuple[Variant, Judge]:
    calls = [c for one in world.iterations for t in one.tapes for c in t.calls if c.function is None]
    if all(all(c.modes) for c in calls):
        raise NotApplicable("everything was in training mode")
    return Variant(training=True), OWN


def _more_batches(world: World, where: str) -> tuple[Variant, Judge]:
    return Variant(batches=8), OWN


def _pooled(world: World, where: str) -> tuple[Variant, Judge]:
    rows = {one.data for one in world.iterations}
    if len(rows) < 8:
        raise NotApplicable("too few different batches were seen")
    return Variant(pooled=True), Judge(ordered=True)


# Parameters ----------------------------------------------------------------------------------------------
def _initialised(world: World, where: str) -> tuple[Variant, Judge]:
    layers = resettable(world.modules.values(), where)
    if not layers:
        raise NotApplicable("its modules have no layers that can draw initial values")

    def prepare(other: World) -> None:
        for part in resettable(other.modules.values(), where):
            part.reset_parameters()  # type: ignore[operator]

    return Variant(prepare=_keeping(prepare)), OWN


def resettable(modules: Any, where: str) -> list[nn.Module]:
    """Return layers that can draw initial values and are trained: the one found, or all."""
    every: dict[int, tuple[str, nn.Module]] = {}
    for root in modules:
        for name, part in root.named_modules():
            own = list(part.parameters(recurse=False))
            if hasattr(part, "reset_parameters") and own and all(p.requires_grad for p in own):
                every.setdefault(id(part), (name, part))
    named = [
        part for name, part in every.values() if name and where in (name, f"{name}.weight", f"{name}.bias")
    ]
    return named or [part for _, part in every.values()]


def _learning(world: World, where: str) -> tuple[Variant, Judge]:
    known = {id(p) for g in world.optimizer.param_groups for p in g["params"]}
    missing = [p for p in _parameters(world) if id(p) not in known or not p.requires_grad]
    if not missing:
        raise NotApplicable("the optimizer has all parameters, and none is frozen")

    def prepare(other: World) -> None:
        have = {id(p) for g in other.optimizer.param_groups for p in g["params"]}
        for p in _parameters(other):
            p.requires_grad_(True)
            if id(p) not in have:
                other.optimizer.param_groups[0]["params"].append(p)

    return Variant(prepare=prepare), OWN


def _parameters(world: World) -> list[nn.Parameter]:
    return [p for p in world.leaves.values() if isinstance(p, nn.Parameter)]


def _keeping(prepare: Callable[[World], None]) -> Callable[[World], None]:
    def both(world: World) -> None:
        world.freeze(world.iterations[0].frozen)
        prepare(world)

    return both


# What the loss is given ----------------------------------------------------------------------------------
def _criteria(world: World, names: tuple[str, ...] | None = None) -> list[Call]:
    calls = [c for t in world.iterations[0].tapes for c in t.calls]
    return [c for c in calls if c.function in CRITERIA and (names is None or c.name in names)]


def _two(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    prediction = args[0] if args else kwargs.get("input")
    target = args[1] if len(args) > 1 else kwargs.get("target")
    return prediction, target


def _with(args: tuple[Any, ...], kwargs: dict[str, Any], prediction: Any, target: Any) -> Arguments:
    kwargs = {k: v for k, v in kwargs.items() if k not in ("input", "target")}
    return (prediction, target, *args[2:]), kwargs


def _unsquashed(world: World, where: str) -> tuple[Variant, Judge]:
    if not _criteria(world, PROBABILITIES):
        raise NotApplicable("the loss function is inside of a module")

    def scores(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        if call.function in CRITERIA and call.name in PROBABILITIES:
            p, target = _two(args, kwargs)
            softmax = call.name == "cross_entropy"
            tiny = torch.finfo(p.dtype).tiny if softmax else torch.finfo(p.dtype).eps
            score = p.clamp_min(tiny).log()
            return _with(args, kwargs, score if softmax else score - (1 - p).clamp_min(tiny).log(), target)
        return args, kwargs

    _, made = world.player.play(world.iterations[0].tapes[0])
    calls = world.iterations[0].tapes[0].calls
    for call in calls:
        if call.function in CRITERIA and call.name in PROBABILITIES:
            ref, _ = _two(call.args, call.kwargs)
            if isinstance(ref, Out):
                p = made[ref.call][ref.place]
                if not bool(((p >= 0) & (p <= 1)).all()):
                    raise NotApplicable("the loss is not given probabilities")
    return Variant(loss=scores), Judge(loss=scores)


def _same_shape(world: World, where: str) -> tuple[Variant, Judge]:
    changed: list[int] = []

    def equal(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        if call.function in CRITERIA and call.name not in CLASSES:
            a, b = _two(args, kwargs)
            if (
                isinstance(a, Tensor)
                and isinstance(b, Tensor)
                and a.shape != b.shape
                and a.numel() == b.numel()
            ):
                changed.append(place)
                return _with(args, kwargs, a, b.reshape(a.shape))
        elif call.function is not None and len(args) > 1 and call.name in {*_SUBTRACTIONS, "mul", "__mul__"}:
            a, b = args[:2]
            if (
                isinstance(a, Tensor)
                and isinstance(b, Tensor)
                and a.shape != b.shape
                and a.numel() == b.numel()
            ):
                changed.append(place)
                return (a, b.reshape(a.shape), *args[2:]), kwargs
        return args, kwargs

    world.reset()
    with torch.no_grad():
        world.loss(world.iterations[0].tapes[0], (equal,))
    if not changed:
        raise NotApplicable("no loss of unequal shapes is among what was seen")
    return Variant(loss=equal), Judge(loss=equal)


def _negated(world: World, where: str) -> tuple[Variant, Judge]:
    return Variant(sign=-1.0), Judge(sign=-1.0)


def _balanced(world: World, where: str) -> tuple[Variant, Judge]:
    names = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
    if not _criteria(world, names):
        raise NotApplicable("no loss function of classes was seen")
    targets = []
    classes = 0
    for one in world.iterations:
        for tape in one.tapes:
            for call in tape.calls:
                if call.function in CRITERIA and call.name in names:
                    _, ref = _two(call.args, call.kwargs)
                    if isinstance(ref, Value):
                        targets.append(world.player.values[ref.key].flatten())
    if not targets:
        raise NotApplicable("the targets are no data")
    y = torch.cat(targets)
    y = (y > 0.5).long() if y.is_floating_point() else y[y >= 0]
    counts = torch.bincount(y).double()
    classes = len(counts)
    weights = counts.sum() / (classes * counts.clamp_min(1))

    def weighted(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        if call.function in CRITERIA and call.name in names:
            prediction, target = _two(args, kwargs)
            if call.name.startswith("binary"):
                by = weights.to(prediction)[(target > 0.5).long()]
            else:
                by = torch.ones(prediction.shape[1]).to(prediction)
                by[:classes] = weights.to(prediction)[: len(by)]
            kwargs = {k: v for k, v in kwargs.items() if k not in ("weight", "pos_weight")}
            args, kwargs = _with(args[:2], kwargs, prediction, target)
            return args, {**kwargs, "weight": by}
        return args, kwargs

    return Variant(loss=weighted), Judge(loss=weighted)


# What the model is given, and gives ----------------------------------------------------------------------
def _standardised(world: World, where: str) -> tuple[Variant, Judge]:
    seen: dict[tuple[int, int], list[Tensor]] = {}
    for one in world.iterations:
        for tape in one.tapes:
            for place, call in enumerate(tape.calls):
                for k, ref in enumerate(call.args if call.function is None else ()):
                    if isinstance(ref, Value):
                        x = world.player.values[ref.key]
                        if x.is_floating_point() and x.dim() >= 2:
                            seen.setdefault((place, k), []).append(x)
    if not seen:
        raise NotApplicable("the inputs are no numbers")
    scales: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    for at, xs in seen.items():
        flat = xs[0].dim() == 2 and len({x.shape[1] for x in xs}) == 1
        x = torch.cat(xs).double() if flat else torch.cat([x.flatten() for x in xs]).double()
        mean, std = (x.mean(0), x.std(0)) if flat else (x.mean(), x.std())
        scales[at] = mean, torch.where(std > 1e-12 * (mean.abs() + 1e-30), std, 1.0)

    def inputs(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        if call.function is None:
            given = list(args)
            for k, x in enumerate(args):
                if (place, k) in scales and isinstance(x, Tensor) and isinstance(call.args[k], Value):
                    mean, std = scales[place, k]
                    given[k] = (x - mean.to(x)) / std.to(x)
            return tuple(given), kwargs
        return args, kwargs

    return Variant(function=inputs), OWN


def _in_units(world: World, where: str) -> tuple[Variant, Judge]:
    targets = [
        world.player.values[pair[1].key].detach().flatten().double()
        for one in world.iterations
        for tape in one.tapes
        for call in tape.calls
        if (pair := _regression(call)) is not None
    ]
    if not targets:
        raise NotApplicable("no difference of prediction and target was seen")
    y = torch.cat(targets)
    mean, std = float(y.mean()), float(y.std())
    if not std > 0:
        raise NotApplicable("the targets are all equal")

    def rescaled(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        return _each(call, args, kwargs, lambda p: p * std + mean, lambda t: t)

    def small(tape: Tape, place: int, call: Call, args: Any, kwargs: Any) -> Arguments:
        return _each(call, args, kwargs, lambda p: (p - mean) / std, lambda t: (t - mean) / std)

    return Variant(function=rescaled, loss=small), OWN


def _regression(call: Call) -> tuple[Out, Value] | None:
    """Return what was predicted and what was to be, of a call that compares them."""
    if call.function in CRITERIA and call.name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        a, b = _two(call.args, call.kwargs)
    elif call.name in _SUBTRACTIONS and len(call.args) > 1:
        a, b = call.args[:2]
    else:
        return None
    if isinstance(a, Value):
        a, b = b, a
    return (a, b) if isinstance(a, Out) and isinstance(b, Value) else None


def _each(call: Call, args: Any, kwargs: Any, prediction: Any, target: Any) -> Arguments:
    if _regression(call) is None:
        return args, kwargs
    if call.function in CRITERIA:
        a, _ = _two(call.args, call.kwargs)
        x, y = _two(args, kwargs)
        return _with(
            args, kwargs, *((prediction(x), target(y)) if isinstance(a, Out) else (target(x), prediction(y)))
        )
    x, y = args[:2]
    changed = (prediction(x), target(y)) if isinstance(call.args[0], Out) else (target(x), prediction(y))
    return (*changed, *args[2:]), kwargs


_LOWER = tuple(
    Played(f"the learning rate divided by {k}", _rate(1 / k), "learning-rate-too-high", f"rate:{1 / k!r}")
    for k in (10, 3, 100)
)
_HIGHER = tuple(Played(f"the learning rate times {k}", _rate(k), "", f"rate:{k}") for k in (10, 3, 100))
_INITIALISED = Played("torch's default initial values", _initialised, hook="initialised")
_CLIPPED = Played("gradients clipped at norm 1", _clipped, hook="clip")
_LEARNING = Played("all parameters in the optimizer", _learning, hook="learning")

PLAYED: dict[str, tuple[Played, ...]] = {
    "learning-rate-too-high": _LOWER,
    "learning-rate-too-low": _HIGHER,
    "momentum-too-high": (Played("momentum 0.9", _momentum, hook="momentum"),),
    "decay-too-strong": (
        Played("the weight decay divided by 10", _decay(0.1), hook="decay:0.1"),
        Played("no weight decay", _decay(0.0), hook="decay:0"),
    ),
    "gradient-clipped-away": (Played("no clipping", _not_clipped, hook="unclipped"),),
    "learning-rate-decayed-to-zero": (Played("a constant learning rate", _constant, hook="constant"),),
    "batch-too-small": (
        Played("gradients of eight batches averaged", _more_batches, hook="batches"),
        _LOWER[1],
    ),
    "data-not-shuffled": (Played("shuffled examples", _pooled, hook="pooled"),),
    "missing-zero-grad": (Played("gradients cleared before every backward", _cleared, hook="cleared"),),
    "optimizer-recreated": (Played("one optimizer that is kept", _kept, hook="kept"),),
    "training-in-eval-mode": (Played("training mode", _train, hook="train"),),
    "frozen-parameters": (_LEARNING,),
    "parameters-not-in-optimizer": (_LEARNING,),
    "softmax-before-cross-entropy": (Played("a loss that is given scores", _unsquashed, hook="scores"),),
    "loss-broadcast": (Played("targets in the shape of the predictions", _same_shape, hook="same shape"),),
    "wrong-loss-sign": (
        Played("an optimizer that descends", _descends, hook="descends"),
        Played("the loss negated", _negated, hook="negated"),
    ),
    "class-imbalance": (Played("classes weighted by inverse frequency", _balanced, hook="balanced"),),
    "inputs-not-scaled": (Played("standardised inputs", _standardised, hook="standardised"),),
    "targets-not-scaled": (Played("standardised targets", _in_units, hook="units"),),
    "poor-initial-values": (_INITIALISED,),
    "symmetric-initial-values": (_INITIALISED,),
    "dead-units": (_INITIALISED, _LOWER[0]),
    "saturated-units": (_INITIALISED,),
    "vanishing-gradients": (_INITIALISED,),
    "exploding-gradients": (_CLIPPED, _INITIALISED, _LOWER[0]),
    "not-finite": (_LOWER[0], _LOWER[2], _CLIPPED),
}
"""What is tried for each cause, in this order."""

NOT_PLAYED = {
    **{k: v for k, v in NO_REMEDY.items() if k not in PLAYED},
    "missing-activation": "the function has to be written otherwise",
    "evaluating-in-train-mode": "it changes what is measured, not what is learned",
    "repeated-batch": "no other batch was ever seen",
    "overfitting": "what was held out was not captured, to measure it by",
}
"""Why nothing can be tried for a cause with captured steps alone."""


def played(cause: str) -> tuple[Played, ...]:
    """Return what can be tried for a cause, in order.

    Raises:
        NotApplicable: where there is nothing; it says why.
    """
    if cause not in PLAYED:
        raise NotApplicable(NOT_PLAYED.get(cause, "it cannot be undone in captured steps"))
    return PLAYED[cause]
