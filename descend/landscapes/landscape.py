"""Look at a loss around a solution, or around the way to it, on a line or a plane through the parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from descend.applications.targets import problem_again
from descend.descent.descent import Descent
from descend.descent.device import device_of
from descend.descent.trajectory import Trajectory, read_trajectory
from descend.descent.until import Until
from descend.errors import RunError, UsageError, nearest
from descend.functions.curvature import Curvature
from descend.functions.data import Batch, Loaded, Whole
from descend.functions.problem import Problem
from descend.landscapes.bends import Bend, bend
from descend.landscapes.grid import Grid, every_point, where_it_bends
from descend.landscapes.honesty import noise_of, share_in_plane, share_of_a_random_walk
from descend.landscapes.losses import Losses, batch_norms
from descend.landscapes.planes import (
    Plane,
    axes_plane,
    plane_through,
    principal_plane,
    random_plane,
)
from descend.landscapes.seen import Curve, Landscape, Way
from descend.landscapes.vectors import Layout
from descend.runs.run import TRAJECTORY, Run

if TYPE_CHECKING:
    from descend.functions.data import Data

KINDS = {
    "path": "the directions in which the way of the descent varies most",
    "random": "directions at random, as long as the parameters filter by filter",
    "curvature": "the directions in which the loss curves most",
    "between": "the line between two solutions",
    "through": "the plane through three solutions",
    "axes": "the parameters themselves, of a function of one or two",
}
PARTS = 10
"""Parts of the examples that tell how noisy the loss is."""
LOOKED_AT = 5
"""Points along each axis at which that is measured."""


def landscape(
    what: Run | Problem | str | Path | Sequence[Run | str | Path],
    kind: str | None = None,
    *,
    problem: Problem | None = None,
    dimensions: int = 2,
    points: int = 51,
    span: float | None = None,
    directions: Sequence[Tensor] | None = None,
    every: bool = False,
    examples: int = 1000,
    data: str = "train",
    curved: bool = False,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> Landscape:
    """Look at the loss on a line or a plane through a function's parameters, with the ways of descents on it.

    The loss is that of one fixed set of examples, in eval mode, with the function's buffers as they are.
    Along ways and between solutions batch norms take the examples' own statistics at each point.
    Ways are drawn where their points' perpendiculars meet the plane; how far off they lie, and the true loss
    there, comes with them.

    Args:
        what: a run, its folder, or several of the same function; or a problem, whose function is looked at
            where its parameters are (with ``path``, and for a function of one or two numbers, it is descended
            first, by its own settings).
        kind: ``path``, ``random``, ``curvature``, ``between`` (two runs), ``through`` (three) or ``axes``
            (functions of one or two numbers); by default the first of axes, between, through, path and random
            that can be.
        problem: the runs' problem, where it was made in a Python program.
        dimensions: 1 or 2.
        points: along each axis, at least 5.
        span: how far to look to each side, in units of the axes; by default as the kind has it.
        directions: one vector (n,) an axis, or a dict of tensors by name each, in the place of a kind.
        every: compute every point, and interpolate none.
        examples: at most so many.
        data: train, validation or test.
        curved: with ``between``: also look along a curve of low loss, which is found by descending it.
        seed: of the examples, the directions, and descents.
        device: where to compute; the first GPU, or the CPU.

    Raises:
        UsageError: where a name is unknown, a number out of its range, or there are not the runs for a kind.
        RunError: where a run's problem cannot be made anew, or nothing is kept of its way.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1))
        >>> seen = descend.landscape(problem, points=9)
        >>> seen.kind, tuple(seen.loss.shape), len(seen.ways)
        ('axes', (9, 9), 1)
    """
    began = time.perf_counter()
    _check(kind, dimensions, points, span, examples)
    runs, problem = _subjects(what, problem)
    kind = kind or ("given" if directions is not None else _usual(runs, problem, dimensions))
    if kind in ("between", "through") and len(runs) != (2 if kind == "between" else 3):
        raise UsageError(
            f"{'two' if kind == 'between' else 'three'} runs for {kind}", str(len(runs)), "name them"
        )
    dimensions = {"between": 1, "through": 2}.get(kind, dimensions)
    functions = [_function(run, problem) for run in runs] or [problem.fresh_function().eval()]
    ways: list[tuple[str, list[int], Tensor]] = []
    if kind in ("path", "axes"):
        ways = [
            _way(run, functions[0]) for run in runs if kind == "path" or (run.folder / TRAJECTORY).exists()
        ]
        if not runs:
            functions, ways = _descended(problem, seed)
    layout = Layout(functions[0])
    batch = fixed_examples(problem, data, examples, seed)
    far = kind in ("path", "between", "through")
    losses = Losses(problem, functions[0], batch, device_of(device), own_statistics=far)
    plane = _plane(kind, problem, functions, layout, ways, batch, dimensions, span, directions, seed)
    x, *more = [torch.linspace(*s, points, dtype=torch.float64) for s in plane.spans]
    y = more[0] if more else None

    def on(at: Tensor) -> Tensor:
        return losses.on(plane.origin, plane.axes, at)

    grid = every_point(on, x, y) if every or y is None else where_it_bends(on, x, y)
    seen = [_seen(name, steps, way, plane, losses) for name, steps, way in ways]
    curve = None
    if curved and kind == "between":
        found = bend(problem, functions[0], *[layout.of(f) for f in functions], seed=seed)
        curve = _curve(found, losses, points)
    middle = torch.zeros(1, len(plane.axes), dtype=torch.float64)
    noise, differences = _noise(losses, plane, x, y, middle)
    return Landscape(
        kind=kind,
        name=problem.name,
        labels=plane.labels,
        x=x,
        y=y,
        loss=grid.values,
        computed=grid.computed,
        doubt=grid.doubt,
        middle=float(on(middle)[0]),
        ways=tuple(seen),
        curve=curve,
        examples=losses.examples if problem.has_data else 0,
        data=data,
        noise=noise,
        noise_of_differences=differences,
        evaluations=losses.evaluations,
        seconds=time.perf_counter() - began,
        pace=str(losses.pace or ""),
        notes=_notes(functions[0], losses, grid, far),
    )


def fixed_examples(problem: Problem, data: str, count: int, seed: int) -> Batch:
    """Return at most ``count`` examples of a part of a problem's data, always the same ones.

    Args:
        problem: whose data.
        data: train, validation or test.
        count: at most so many.
        seed: which; of a loader the first ones are taken.

    Raises:
        UsageError: where the problem has no such part.
    """
    parts: dict[str, Data | None] = {
        "train": problem.train,
        "validation": problem.validation,
        "test": problem.test,
    }
    part = parts.get(data)
    if part is None:
        there = [name for name, known in parts.items() if known is not None]
        raise UsageError("a part of the problem's data", repr(data), f"choose one of: {', '.join(there)}")
    if isinstance(part, Whole):
        return ()
    if not isinstance(part, Loaded):
        if len(part) > count:
            return part.batches(count, seed, torch.device("cpu")).next()
        return next(iter(part.passes(len(part), torch.device("cpu"))))
    found: list[Batch] = []
    for batch in part.passes(count, torch.device("cpu")):
        found.append(batch)
        whole = all(isinstance(x, Tensor) for x in batch)
        if not whole or sum(len(b[-1]) for b in found) >= count:
            break
    if len(found) == 1:
        return found[0]
    return tuple(torch.cat(tensors)[:count] for tensors in zip(*found, strict=True))


# What is looked at ---------------------------------------------------------------------------------
def _check(kind: str | None, dimensions: int, points: int, span: float | None, examples: int) -> None:
    if kind is not None and kind not in KINDS:
        raise UsageError("a kind of landscape", repr(kind), nearest(kind, list(KINDS)))
    if dimensions not in (1, 2):
        raise UsageError("1 or 2 dimensions", repr(dimensions), "take 2")
    if points < 5:
        raise UsageError("at least 5 points along each axis", repr(points), "51 are usual")
    if span is not None and not 0 < span < math.inf:
        raise UsageError("a span above 0", repr(span), "leave it out")
    if examples < 1:
        raise UsageError("at least 1 example", repr(examples), "1000 are usual")


def _subjects(what: Any, problem: Problem | None) -> tuple[list[Run], Problem]:
    """Return the runs, and the problem that they are of."""
    if isinstance(what, Problem):
        return [], what
    several = what if isinstance(what, list | tuple) else [what]
    runs = [one if isinstance(one, Run) else Run.open(one) for one in several]
    if not runs:
        raise UsageError("at least one run", "none", "name the folder that descend fit printed")
    return runs, problem or problem_again(
        runs[0].facts, "pass the problem too: descend.landscape(run, problem=problem)"
    )


def _usual(runs: list[Run], problem: Problem, dimensions: int) -> str:
    if problem.count == dimensions:
        return "axes"
    if len(runs) == 2 and dimensions == 1:
        return "between"
    if runs and all((run.folder / TRAJECTORY).exists() for run in runs):
        return "path"
    return {2: "between", 3: "through"}.get(len(runs), "random")


def _function(run: Run, problem: Problem) -> nn.Module:
    """Return the problem's function with a run's best parameters, in eval mode."""
    function = problem.fresh_function()
    try:
        function.load_state_dict(run.parameters)
    except RuntimeError as error:
        reason = " ".join(str(error).partition(":\n")[2].split()) or str(error)
        raise RunError(
            f"parameters of {problem.name}'s function in {run.folder}",
            f"others ({reason[:200]})",
            "take runs of one and the same function",
        ) from None
    return function.eval()


def _way(run: Run, function: nn.Module) -> tuple[str, list[int], Tensor]:
    path = run.folder / TRAJECTORY
    if not path.exists():
        raise RunError(
            f"what was kept of the way of {run.folder}",
            "nothing: it is too large for that, or was trained by an older descend",
            "take --kind random or curvature, which need the end alone",
        )
    names, steps, points, _ = read_trajectory(path)
    layout = Layout(function)
    if names != layout.names or points.shape[1] != layout.count:
        raise RunError(f"the way of this very function in {path}", "another's", "train again")
    return str(run.folder), steps, points


def _descended(problem: Problem, seed: int) -> tuple[list[nn.Module], list[tuple[str, list[int], Tensor]]]:
    """Descend a problem by its own settings, and keep the way."""
    descent = Descent(problem, seed=seed)
    way = Trajectory(descent.names, descent.parameters)
    descent.run(
        Until(steps=problem.settings.steps, gradient_norm=problem.settings.gradient_norm), trajectory=way
    )
    kept = [(problem.settings.method, way.steps, torch.stack(way.points))] if way.points else []
    return [descent.result()], kept


def _plane(
    kind: str,
    problem: Problem,
    functions: list[nn.Module],
    layout: Layout,
    ways: list[tuple[str, list[int], Tensor]],
    batch: Batch,
    dimensions: int,
    span: float | None,
    directions: Sequence[Any] | None,
    seed: int,
) -> Plane:
    origin = layout.of(functions[0])
    if kind == "given":
        given = [layout.vector(d) if isinstance(d, dict) else torch.as_tensor(d) for d in directions or ()]
        if len(given) not in (1, 2) or any(d.shape != (layout.count,) for d in given):
            raise UsageError(
                f"one or two directions of {layout.count} numbers",
                " and ".join(str(tuple(d.shape)) for d in given) or "none",
                "give vectors (n,), or dicts of tensors by name",
            )
        names = ("the first direction", "the second direction")[: len(given)]
        far = span or 1.0
        return Plane("given", origin, torch.stack(given), names, ((-far, far),) * len(given))
    if kind in ("between", "through"):
        return plane_through([layout.of(f) for f in functions], span)
    if kind == "path":
        return principal_plane([way for _, _, way in ways], origin, dimensions, span)
    if kind == "curvature":
        return _curved(problem, functions[0], layout, batch, dimensions, span)
    if kind == "axes":
        return _axes(problem, layout, origin, [way for _, _, way in ways], span)
    return random_plane(functions[0], layout, dimensions, seed, span)


def _curved(
    problem: Problem, function: nn.Module, layout: Layout, batch: Batch, dimensions: int, span: float | None
) -> Plane:
    """Return the plane in which the loss curves most, as far as it would rise by itself."""
    hessian = Curvature(problem, at=function, data=batch or "train")
    found = hessian.top(dimensions, "magnitude", vectors=True)
    assert found.vectors is not None
    value = abs(float(Losses(problem, function, batch).at(layout.of(function)[None])[0]))
    spans = []
    for curve in found.values.tolist():
        far = span or math.sqrt(2 * max(value, 0.1) / max(abs(curve), 1e-12))
        spans.append((-far, far))
    labels = tuple(f"curvature {curve:.3g}" for curve in found.values.tolist())
    return Plane("curvature", layout.of(function), found.vectors.T.contiguous(), labels, tuple(spans))


def _axes(problem: Problem, layout: Layout, origin: Tensor, ways: list[Tensor], span: float | None) -> Plane:
    if layout.count > 2:
        raise UsageError(
            "a function of one or two numbers for axes", f"one of {layout.count:,}", "take path or random"
        )
    seen = torch.cat([*ways, origin[None]]).double()
    low, high = seen.min(0).values, seen.max(0).values
    if span is not None:
        spans = [(float(x) - span, float(x) + span) for x in origin]
    elif problem.facts.get("kind") == "surface":
        from descend.functions.surfaces import surface

        known = surface(problem.facts["source"], **problem.facts.get("options", {})).bounds
        spans = [(min(a, float(b)), max(c, float(d))) for (a, c), b, d in zip(known, low, high, strict=True)]
    else:
        room = 0.4 * (high - low).clamp_min(0.1 * float(origin.abs().max()) or 1.0)
        spans = list(zip((low - room).tolist(), (high + room).tolist(), strict=True))
    return axes_plane(layout, spans)


# What is seen --------------------------------------------------------------------------------------
def _seen(name: str, steps: list[int], points: Tensor, plane: Plane, losses: Losses) -> Way:
    at, off = plane.coordinates(points)
    there = torch.linalg.vector_norm(points[-1].double() - points[0].double())
    return Way(
        name=name,
        steps=tuple(steps),
        at=at,
        off=off / there if float(there) else off,
        loss=losses.at(points),
        on_plane=losses.on(plane.origin, plane.axes, at),
        share=share_in_plane(plane, points),
        share_of_a_random_walk=share_of_a_random_walk(points, len(plane.axes)),
    )


def _curve(found: Bend, losses: Losses, points: int) -> Curve:
    t = torch.linspace(0, 1, points, dtype=torch.float64)
    with torch.no_grad():
        along = found.at(t)
    return Curve(t, losses.at(along))


def _noise(losses: Losses, plane: Plane, x: Tensor, y: Tensor | None, middle: Tensor) -> tuple[float, float]:
    """Return the standard errors of the loss, and of its differences to the middle, over the picture."""
    if losses.examples < 2 * PARTS:
        return math.nan, math.nan
    some = [v[torch.linspace(0, len(v) - 1, LOOKED_AT).round().long()] for v in (x, y) if v is not None]
    at = torch.cartesian_prod(*some).view(-1, len(some))
    at = torch.cat([middle, at])
    parts = losses.parts(PARTS, lambda: losses.on(plane.origin, plane.axes, at))
    return noise_of(parts[1:]), noise_of(parts[1:] - parts[0])


def _notes(function: nn.Module, losses: Losses, grid: Grid, far: bool) -> tuple[str, ...]:
    notes = []
    if batch_norms(function):
        whose = "the examples at each point" if far else "the solution everywhere"
        notes.append(f"Batch norms use the statistics of {whose}.")
    if losses.random:
        notes.append("The function draws random numbers, the same ones at each point.")
    if wrong := int((~grid.values.isfinite()).sum()):
        notes.append(f"At {wrong:,} points the loss is no finite number.")
    return tuple(notes)
