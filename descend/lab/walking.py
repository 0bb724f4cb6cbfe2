"""A ball's way down: any method, by its own rule, from where the ball was dropped."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from descend.errors import UsageError
from descend.functions.data import Batch
from descend.lab.scenes import SMALL, Scene
from descend.methods import method as method_class
from descend.methods import optimizer
from descend.methods.curvature.deterministic import Deterministic

MOST_STEPS = 1000
SECONDS = 4.0
"""A walk takes no longer."""
LOOKED_AT = 9
"""Points of a way at which a large function's curvature is measured."""
RATES = 25
FAULTS = {
    "uphill": "the sign of the gradient is wrong",
    "not-zeroed": "gradients are not set to zero between steps",
    "too-long": "the learning rate is fifty times too large",
    "too-short": "the learning rate is a thousand times too small",
    "noise": "the gradient is drowned in noise",
}


@dataclass(frozen=True)
class Walker:
    """How a ball goes.

    Attributes:
        method: its name.
        lr: the learning rate; ``None`` takes the method's own.
        hyperparameters: the method's others.
        start: where it is dropped, in the plane.
        steps: at most.
        batch: examples a step; ``None`` takes all.
        noise: how much is added to the gradient, as a share of its length.
        seed: of batches and noise.
        fault: what is broken, one of :data:`FAULTS`; empty for nothing.
    """

    method: str
    lr: float | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    start: tuple[float, float] = (0.0, 0.0)
    steps: int = 200
    batch: int | None = None
    noise: float = 0.0
    seed: int = 0
    fault: str = ""


def walk(scene: Scene, walker: Walker) -> dict[str, Any]:
    """Let a ball go.

    Returns:
        ``at`` (its places in the plane), ``loss`` (the true loss there, over all examples), ``gradient`` (in
        the plane, at each place but the last), ``off`` (how far off the plane), ``sharpness`` (the largest
        curvature, where it was measured), ``lr``, ``ended`` (a sentence, or empty) and ``diverged``.

    Raises:
        UsageError: where the method or a hyperparameter is unknown or out of its range.
    """
    if walker.fault and walker.fault not in FAULTS:
        raise UsageError(f"one of {', '.join(FAULTS)}", repr(walker.fault), "choose one")
    steps = min(walker.steps, MOST_STEPS)
    function, layout = _placed(scene, walker), scene.losses.layout
    opt = _method(function, walker)
    points, gradients = [layout.of(function)], []
    ended, deadline = "", time.perf_counter() + SECONDS
    batches = _Batches(scene, walker)
    generator = torch.Generator().manual_seed(walker.seed)
    limit = 1e3 * max(abs(edge) for span in scene.plane.spans for edge in span)
    for k in range(steps):
        batch = batches.next()
        if walker.fault != "not-zeroed" or k == 0:
            opt.zero_grad()
        loss = scene.problem.loss_of(function, batch)
        gradients.append(_step(scene, function, opt, loss, batch, walker, generator))
        with opt.evaluation():
            points.append(layout.of(function))
        here = points[-1]
        if not bool(here.isfinite().all()) or float(here.abs().max()) > limit:
            ended = f"It left the picture for good after {k + 1} steps."
            break
        if isinstance(opt, Deterministic) and opt.ended is not None:
            ended = opt.ended.why
            break
        if time.perf_counter() > deadline:
            ended = f"Stopped after {SECONDS:g} s."
            break
    return _told(scene, torch.stack(points), gradients, opt, ended)


def _placed(scene: Scene, walker: Walker) -> nn.Module:
    function = scene.problem.fresh_function()
    values = scene.losses.layout.values(scene.at(*walker.start))
    with torch.no_grad():
        for name, p in function.named_parameters():
            p.copy_(values[name])
    return function.train()


def _method(function: nn.Module, walker: Walker) -> Any:
    cls = method_class(walker.method)
    chosen = dict(walker.hyperparameters)
    if "weight_decay" in cls.defaults:
        chosen.setdefault("weight_decay", 0.0)  # it would move the minimum
    lr = walker.lr
    if lr is None and walker.fault in ("too-long", "too-short"):
        lr = cls.defaults["lr"]
    if lr is not None:
        chosen["lr"] = lr * {"too-long": 50.0, "too-short": 1e-3}.get(walker.fault, 1.0)
    return optimizer(walker.method, function, show=False, **chosen)


def _step(
    scene: Scene,
    function: nn.Module,
    opt: Any,
    loss: Tensor,
    batch: Batch,
    walker: Walker,
    generator: torch.Generator,
) -> Tensor:
    """Take one step; return the gradient in the plane."""
    if isinstance(opt, Deterministic):
        g = _flat(torch.autograd.grad(loss, list(function.parameters())))
        opt.step(lambda: scene.problem.loss_of(function, batch))
        return scene.plane.axes.double() @ g.double()
    loss.backward(create_graph=opt.needs_graph)
    own = [p.grad for p in function.parameters() if p.grad is not None]
    noise = 3.0 if walker.fault == "noise" else walker.noise
    with torch.no_grad():
        if walker.fault == "uphill":
            for gradient in own:
                gradient.neg_()
        if noise:
            length = torch.linalg.vector_norm(_flat(own))
            share = noise * length / math.sqrt(sum(g.numel() for g in own))
            for gradient in own:
                gradient.add_(share * torch.randn(gradient.shape, generator=generator, dtype=gradient.dtype))
    g = _flat(own)

    def again() -> Tensor:
        opt.zero_grad()
        value = scene.problem.loss_of(function, batch)
        value.backward(create_graph=opt.needs_graph)
        return value.detach()

    opt.step(again if opt.needs_closure else None)
    return scene.plane.axes.double() @ g.double()


def _flat(tensors: Any) -> Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors])


class _Batches:
    """The batches of a walk: all examples, or some of them, drawn by its seed."""

    def __init__(self, scene: Scene, walker: Walker):
        size = walker.batch or max(1, len(scene.problem.train))
        self._from = scene.problem.train.batches(size, walker.seed, torch.device("cpu"))

    def next(self) -> Batch:
        return self._from.next()


def _told(scene: Scene, points: Tensor, gradients: list[Tensor], opt: Any, ended: str) -> dict[str, Any]:
    at, off = scene.plane.coordinates(points)
    # A point that is no number anywhere takes its foot with it.
    finite = points.isfinite().all(1)
    at[~finite] = torch.nan
    losses = torch.full((len(points),), torch.nan, dtype=torch.float64)
    if bool(finite.any()):
        losses[finite] = scene.losses.at(points[finite])
    few = torch.arange(len(points))
    if scene.losses.layout.count > SMALL:
        few = torch.linspace(0, len(points) - 1, min(LOOKED_AT, len(points))).round().long().unique()
    sharp = scene.sharpness(points[few])
    diverged = not bool(finite[-1]) or not math.isfinite(float(losses[-1]))
    diverged = diverged or bool(losses[-1] > losses[0] + abs(losses[0])) or "left the picture" in ended
    return {
        "at": at,
        "off": off,
        "loss": losses,
        "gradient": torch.stack(gradients) if gradients else torch.zeros(0, 2),
        "sharpness": {"at": few, "value": sharp},
        "lr": float(opt.param_groups[0]["lr"]),
        "ended": ended,
        "diverged": diverged,
    }


def sensitivity(scene: Scene, walker: Walker, steps: int = 60) -> dict[str, Any]:
    """Return where a ball is after some steps, for learning rates around the one that it has.

    Returns:
        ``lr`` and ``loss``; NaN where it diverged; ``start``, the loss where it was dropped.
    """
    cls = method_class(walker.method)
    middle = walker.lr or float(cls.defaults["lr"])
    rates = torch.logspace(-2.5, 2.0, RATES, base=10.0, dtype=torch.float64) * middle
    found = []
    start = float(scene.losses.at(scene.at(*walker.start)[None])[0])
    began = time.perf_counter()
    for rate in rates.tolist():
        if time.perf_counter() - began > SECONDS:
            found.append(math.nan)
            continue
        other = Walker(
            walker.method,
            rate,
            walker.hyperparameters,
            walker.start,
            steps,
            walker.batch,
            walker.noise,
            walker.seed,
        )
        found.append(_end(scene, other))
    return {"lr": rates, "loss": torch.tensor(found, dtype=torch.float64), "start": start, "steps": steps}


def _end(scene: Scene, walker: Walker) -> float:
    """Return the loss at which a walk ends; NaN where it diverges."""
    function, layout = _placed(scene, walker), scene.losses.layout
    opt, batches = _method(function, walker), _Batches(scene, walker)
    generator = torch.Generator().manual_seed(walker.seed)
    for _ in range(walker.steps):
        batch = batches.next()
        opt.zero_grad()
        loss = scene.problem.loss_of(function, batch)
        if not math.isfinite(float(loss.detach())):
            return math.nan
        _step(scene, function, opt, loss, batch, walker, generator)
        if isinstance(opt, Deterministic) and opt.ended is not None:
            break
    with opt.evaluation():
        return float(scene.losses.at(layout.of(function)[None])[0])
