"""A run's record as figures: few enough points to draw, none of the spikes lost."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import isfinite
from typing import Any, Protocol, TypeGuard

from descend.runs.page.markup import number, percent

POINTS = 4000
"""How many points a line may have; 4,000 are more than any screen has columns."""

EXTRA_FIGURES = 8
"""How many series that descend does not know by name get a figure of their own."""

Points = tuple[list[int], list[float]]


class Recorded(Protocol):
    """What has a record: a :class:`descend.runs.run.Run`, or anything that reads like one."""

    @property
    def facts(self) -> dict[str, Any]:
        """The contents of ``run.json``."""
        ...

    def metrics(self, name: str) -> Points:
        """Return a series: its steps and its values."""
        ...

    def series(self) -> list[str]:
        """Return the names of all series."""
        ...


def finite(value: Any) -> TypeGuard[float]:
    """Whether a value, of whatever kind, is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def _read(run: Recorded, name: str) -> Points:
    """Return a series; SQLite keeps NaN as NULL, which may come back as ``None``."""
    steps, values = run.metrics(name)
    return steps, [math.nan if v is None else float(v) for v in values]


def thin(steps: Sequence[int], values: Sequence[float], points: int = POINTS) -> tuple[list[int], list]:
    """Return at most ``points`` (+ 2) points that draw the same line.

    Each bucket of neighbours keeps its least and its greatest value, so that every spike survives; a
    bucket that holds a value that is not finite keeps that too, as ``None``: a gap in the line.

    Args:
        steps: rising.
        values: one for each step.
        points: how many to keep.

    Returns:
        Steps and values; values rounded to six digits, ``None`` where not finite.
    """
    count = len(steps)
    keep: Sequence[int] = range(count)
    if count > points:
        chosen = {0, count - 1}
        known = all(map(isfinite, values))
        buckets = points // 2
        for bucket in range(buckets):
            start, end = bucket * count // buckets, (bucket + 1) * count // buckets
            here = values[start:end]
            numbers = here if known else [v for v in here if isfinite(v)]
            if numbers:
                chosen.add(start + here.index(min(numbers)))
                chosen.add(start + here.index(max(numbers)))
            if len(numbers) < len(here):
                chosen.add(next(i for i in range(start, end) if not isfinite(values[i])))
        keep = sorted(chosen)
    drawn = [float(f"{values[i]:.6g}") if isfinite(values[i]) else None for i in keep]
    return [steps[i] for i in keep], drawn


def is_noisy(values: Sequence[float]) -> bool:
    """Whether a series goes up and down so often that a smoothed line helps.

    Independent noise turns at two points of three; a deterministic descent hardly ever turns.
    """
    known = [v for v in values if isfinite(v)]
    if len(known) < 40:
        return False
    rises = [b - a for a, b in pairwise(known) if b != a]
    turns = sum((a > 0) != (b > 0) for a, b in pairwise(rises))
    return turns > 0.25 * len(known)


def smooth(steps: Sequence[int], values: Sequence[float], places: int = 500) -> tuple[list[int], list]:
    """Return the moving mean of a series, over 2% of its steps to either side.

    The window is centred, so that it does not lag, and shrinks towards both ends, where a mean over one
    side alone would lag behind a steep line: to one value at the start, to a quarter at the end, whose
    single value would be no mean at all. It is measured in steps, not in values: a long series was
    thinned as it was recorded.

    Args:
        steps: rising, at least one.
        values: one for each step; those that are not finite are left out of the mean.
        places: at how many steps, evenly spread, the mean is taken; more at the start, where it is steep.

    Returns:
        Steps and means; the mean is ``None`` where the value itself is not finite.
    """
    first, last = steps[0], steps[-1]
    reach = max(1.0, (last - first) / 50)
    known = all(map(isfinite, values))
    even = (first + i * (last - first) / places for i in range(places + 1))
    early = (first + 1.25**k for k in range(200) if 1.25**k < last - first)
    at = sorted({min(bisect_left(steps, s), len(steps) - 1) for s in (*even, *early)})
    here: list[int] = []
    means: list[float | None] = []
    for i in at:
        step = steps[i]
        # A third of the way since the start: where a loss falls like 1/t, such a mean stays on the line.
        side = min((step - first) / 3, reach)
        after = min(side, last - step)
        before = side if after == side else max(after, min(side, reach / 4))
        window = values[bisect_left(steps, step - before) : bisect_right(steps, step + after)]
        if not known:
            window = [v for v in window if isfinite(v)]
        here.append(step)
        # fsum: one value of 1e30 before a divergence must not swallow the digits of its neighbours.
        means.append(float(f"{math.fsum(window) / len(window):.6g}") if isfinite(values[i]) else None)
    return here, means


def log_scale(*lines: Sequence[float | None]) -> tuple[bool, bool]:
    """Say whether values can be drawn on a logarithmic scale, and whether they should.

    Returns:
        Whether no value is negative and some are positive; whether they span a factor of 20.
    """
    known = [v for line in lines for v in line if v is not None]
    positive = [v for v in known if v > 0]
    if not positive or min(known) < 0:
        return False, False
    return True, max(positive) > 20 * min(positive)


def line(name: str, role: str, steps: Sequence[int], values: Sequence[float], points: int = POINTS) -> dict:
    """Return one line of a figure.

    Args:
        name: what the legend calls it.
        role: how it is drawn: ``training``, ``raw`` (light), ``validation``, or ``level`` (dashed, and
            not read out when pointed at).
        steps: rising.
        values: one for each step.
        points: as in :func:`thin`.
    """
    x, y = thin(steps, values, points)
    return {"name": escape(name), "role": role, "x": x, "y": y}


def level(name: str, value: float, steps: Sequence[int]) -> dict:
    """Return a dashed level across the figure: a bound, or the value at the end."""
    return line(name, "level", [steps[0], steps[-1]], [value, value])


def _course(steps: list[int], values: list[float], show=number) -> str:
    """Say in a sentence how a series went."""
    known = [(s, v) for s, v in zip(steps, values, strict=True) if isfinite(v)]
    if not known:
        return "No value was a finite number."
    lost = len(values) - len(known)
    (first, start), (last, end) = known[0], known[-1]
    if len(known) == 1:
        said = f"{show(start)} at step {first:,}, the only value."
    elif lost == 0 and all(v == start for v in values):
        said = f"{show(start)} throughout."
    else:
        said = f"From {show(start)} at step {first:,} to {show(end)} at step {last:,}."
    return said + (f" {lost:,} {'value is' if lost == 1 else 'values are'} not finite." if lost else "")


def _gaps(steps: list[int]) -> list[str]:
    """Say where a series was thinned as it was recorded: the light line looks calmer from there."""
    widths = [b - a for a, b in pairwise(steps)]
    if not widths or widths[0] != 1 or max(widths) == 1:
        return []
    first = next(i for i, width in enumerate(widths) if width > 1)
    return [f"Every step is recorded up to {steps[first]:,}, fewer after it."]


def _figure(key: str, title: str, lines: list[dict], caption: str, **more: Any) -> dict:
    solid = [t["y"] for t in lines if t["role"] not in ("raw", "level")]
    possible, wise = log_scale(*solid)
    if possible and any(v is not None and v < 0 for t in lines for v in t["y"]):
        possible = wise = False
    figure = {"key": key, "title": title, "lines": lines, "caption": caption}
    return figure | {"can_log": possible, "log": wise, "share": False, "best": None, "broken": None} | more


def _with_mean(
    name: str, steps: list[int], values: list[float], points: int = POINTS, raw: str = "as measured"
) -> tuple[list[dict], str]:
    """Return a series as one line, or, where it is noisy, as a light line and its moving mean.

    Returns:
        The lines, and a sentence that says how the series went.
    """
    if not is_noisy(values):
        return [line(name, "training", steps, values, points)], _course(steps, values)
    x, y = smooth(steps, values)
    mean = {"name": escape(f"{name}, smoothed"), "role": "training", "x": x, "y": y}
    return [line(f"{name}, {raw}", "raw", steps, values, points), mean], _course(x, y)


def _loss(run: Recorded, names: list[str]) -> dict | None:
    facts, lines, said = run.facts, [], []
    broken = None
    if "loss" in names:
        steps, values = _read(run, "loss")
        if steps:
            lines, course = _with_mean("training", steps, values, raw="each step")
            said += [course, *_gaps(steps)]
            broken = next((s for s, v in zip(steps, values, strict=True) if not isfinite(v)), None)
    best = facts.get("best_step")
    if "loss/validation" in names:
        steps, values = _read(run, "loss/validation")
        known = [(v, s) for s, v in zip(steps, values, strict=True) if isfinite(v)]
        if steps:
            lines.append(line("validation", "validation", steps, values))
        if known:
            least, where = min(known)
            said.append(f"The least validation loss is {number(least)}, at step {where:,}.")
    if not lines:
        return None
    name = facts.get("loss_name")
    note = str(name) if name and name != "NoneType" else None
    return _figure(
        "loss", "Loss", lines, " ".join(said), best=best, broken=broken, note=note, wide=True, tall=True
    )


def _metric(run: Recorded, names: list[str]) -> dict | None:
    facts = run.facts
    metric = facts.get("metric") or {}
    name = metric.get("name")
    if not name or f"{name}/validation" not in names:
        return None
    steps, values = _read(run, f"{name}/validation")
    if not steps:
        return None
    share = is_share(name)
    lines = [line("validation", "validation", steps, values)]
    test = (facts.get("metrics") or {}).get(f"{name}/test")
    if finite(test):
        lines.append(level("test, at the end", test, steps))
    larger = bool(metric.get("larger_is_better", True))
    figure = _figure(
        "metric",
        metric_name(name)[:1].upper() + metric_name(name)[1:],
        lines,
        _course(steps, values, percent if share else number),
        share=share,
        best=facts.get("best_step"),
        note="larger is better" if larger else "smaller is better",
    )
    if larger:  # a logarithm of an accuracy or of R² shows nothing
        figure |= {"can_log": False, "log": False}
    return figure


def metric_name(metric: str) -> str:
    """Return a metric's name as it is printed."""
    return "R²" if metric == "r2" else metric


def is_share(metric: str) -> bool:
    """Whether a metric is a share that reads best as a percentage."""
    return metric.split("/")[0] == "accuracy"


def _learning_rate(run: Recorded, names: list[str]) -> dict | None:
    if "learning-rate" not in names:
        return None
    steps, values = _read(run, "learning-rate")
    if not steps:
        return None
    lines = [line("learning rate", "training", steps, values)]
    settings = run.facts.get("settings") or {}
    figure = _figure("learning-rate", "Learning rate", lines, _course(steps, values))
    return figure | {"log": False, "note": settings.get("schedule")}


def _gradient(run: Recorded, names: list[str]) -> dict | None:
    if "gradient/norm" not in names:
        return None
    steps, values = _read(run, "gradient/norm")
    if not steps:
        return None
    lines, said = _with_mean("norm", steps, values)
    clip = (run.facts.get("settings") or {}).get("clip")
    if finite(clip):
        lines.append(level(f"clipped to {number(clip)}", clip, steps))
        above = sum(isfinite(v) and v > clip for v in values)
        said += f" {percent(above / len(values))} of the recorded gradients were longer, and were clipped."
    return _figure("gradient", "Gradient norm", lines, said, note="over all parameters")


def _update(run: Recorded, names: list[str]) -> dict | None:
    if "update/ratio" not in names:
        return None
    steps, values = _read(run, "update/ratio")
    if not steps:
        return None
    lines, said = _with_mean("ratio", steps, values)
    return _figure("update", "Update / weight ratio", lines, said, note="‖Δw‖ / ‖w‖ a step")


KNOWN = {"loss", "loss/validation", "learning-rate", "gradient/norm", "update/ratio", "time/elapsed(s)"}


def figures(run: Recorded) -> dict[str, Any]:
    """Return every figure of a run, and what its horizontal axis can count.

    Args:
        run: the run; its series are read once each.

    Returns:
        JSON values: ``figures``, a list of ``key, title, note, caption, lines, can_log, log, share, best
        (step), broken (first step that is not finite), wide, tall``; ``epoch``, steps an epoch or ``None``;
        ``clock``, steps and seconds or ``None``; ``left_out``, names of series that have no figure.
    """
    names = run.series()
    drawn = [make(run, names) for make in (_loss, _metric, _learning_rate, _gradient, _update)]
    metric = (run.facts.get("metric") or {}).get("name")
    others = [n for n in names if n not in KNOWN and n != f"{metric}/validation"]
    for i, name in enumerate(others[:EXTRA_FIGURES]):
        steps, values = _read(run, name)
        if steps:
            drawn.append(_figure(f"series-{i}", name, *_with_mean("value", steps, values, POINTS // 4)))
    steps, epochs = run.facts.get("steps"), run.facts.get("epochs")
    # A surface has no data, hence no epochs; below one epoch the axis would say nothing new.
    epoch = steps / epochs if steps and finite(epochs) and epochs >= 1 and epochs != steps else None
    clock = None
    if "time/elapsed(s)" in names:
        at, seconds = _read(run, "time/elapsed(s)")
        if len(at) > 1:
            clock = dict(zip(("steps", "seconds"), thin(at, seconds, 1000), strict=True))
    shown = [f for f in drawn if f]
    pairs = [f for f in shown if not f.get("wide")]
    if len(pairs) % 2:
        pairs[-1]["wide"] = True  # alone in its row
    return {
        "figures": shown,
        "epoch": epoch,
        "clock": clock,
        "left_out": others[EXTRA_FIGURES:],
    }
