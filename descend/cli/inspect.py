"""``descend inspect``: what can be known of a function before it is trained."""

import contextlib
import math
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.flags import duration
from descend.cli.invocation import Invocation
from descend.cli.options import AsJson, Device, Seed, TargetColumn
from descend.cli.terminal import can_draw, figure, is_terminal, say_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from descend.diagnosing.inspect import Inspection
    from descend.diagnosing.inspecting.shapes import Row

WIDTH = 100
"""Columns where there is no terminal that says how many it has."""
ROWS = 20
"""Rows of the table beyond which those that are alike are one."""


def inspect(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="What `descend fit` takes.")],
    target_column: TargetColumn = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            parser=duration("--seconds"),
            help="About the time for everything, start-up included: 90, 90s, 2m or 1h [default: 12].",
        ),
    ] = None,
    seed: Seed = None,
    device: Device = None,
    json: AsJson = False,
) -> int:
    """Look a function over before training: its layers, cost, first loss, signals, and what to change."""
    call: Invocation = context.obj
    from descend.applications.targets import problem_from_target
    from descend.diagnosing.inspect import inspect as look

    with _quiet():  # a person's own function may print
        problem = problem_from_target(target, target_column=target_column, seed=seed or 0)
        found = look(problem, seconds=seconds or 12.0, seed=seed or 0, device=device, startup=call.elapsed)
    if json:
        say_json(found.as_json())
    else:
        _tell(found, problem)
    return 0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _tell(found: "Inspection", problem: Any) -> None:
    """Print an inspection, for a person."""
    from rich.console import Console
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=False, width=None if is_terminal() else WIDTH)
    shapes = found.shapes
    frozen = shapes.parameters - shapes.trainable
    out.print(
        f"{found.name}: {shapes.parameters:,} parameters, "
        + (f"{frozen:,} of them frozen." if frozen else "all of them trainable."),
        style="bold",
        markup=False,
    )
    if any(row.output is not None for row in shapes.rows):
        out.print()
        out.print(_table(found))
        out.print(_legend(found), style="dim", markup=False)
    out.print("\nOne step", style="bold")
    _lines(out, [(None, "operations", _operations(found)), (None, "memory", _memory(found, problem))])
    out.print("\nBefore training", style="bold")
    _lines(
        out,
        [
            (found.chance.fine, "first loss", _first_loss(found)),
            (found.depth.fine, "depth", found.depth.verdict),
            (found.one_batch.fine, "one batch", found.one_batch.verdict),
            (None, "width", found.widths.verdict),
        ],
    )
    out.print("\nWhat to change", style="bold")
    if not found.advice:
        out.print("  Nothing: no measurement speaks against this architecture.")
    for place, one in enumerate(found.advice, 1):
        _hang(out, Text(f"{place:>3}. ", "green"), one.change)
        _hang(out, Text("     "), f"Measured: {one.evidence}")
    out.print(f"\nIt took {found.seconds:.1f} s.", style="dim", markup=False)


def _table(found: "Inspection") -> "Table":
    """Return the layers with what they have, cost and pass on."""
    from rich.table import Table

    shapes = found.shapes
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("layer", "kind", "output"):
        grid.add_column(name, no_wrap=True)
    for name in ("parameters", "FLOP", "signal", "gradient", "width^"):
        grid.add_column(name, justify="right", no_wrap=True)
    rows = shapes.alike() if len(shapes.rows) > ROWS else [(row, 1) for row in shapes.rows]
    for row, count in rows:
        cells = [
            _short(row.name or "(itself)", 24),
            _short(f"{count} × {row.kind}" if count > 1 else row.kind, 15),
            _short(_shape(row, shapes.batch), 13),
            f"{row.parameters * count:,}" if row.parameters else "",
            _flops(row.flops * count) if row.flops else "",
        ]
        grid.add_row(*map(_plain, [*cells, *_signals(found, row.name, count)]))
    sums = f"{shapes.parameters:,}", "" if found.cost.forward is None else _flops(found.cost.forward)
    grid.add_row("all", "", "", *sums, "", "", "", style="bold")
    return grid


def _short(text: str, most: int) -> str:
    """Leave out the middle of a text that is too long."""
    left = (most - 1) // 2
    return text if len(text) <= most else f"{text[:left]}…{text[len(text) - (most - 1 - left) :]}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _signals(found: "Inspection", name: str, count: int) -> list[str]:
    """Return signal, gradient and slope over widths of a row; of its first and last where several are one."""
    pattern = re.compile(re.escape(name).replace(r"\*", r"\d+") + "$")
    calls = [c for c in found.depth.layers if c.module is not None and pattern.match(c.name)]
    slopes = [one for one in found.widths.layers if pattern.match(one.name)]

    def written(values: list[float], form: str, short: str) -> str:
        known = [v for v in values if math.isfinite(v)]
        if count == 1 or len(known) < 2:
            return _number(known[0], form) if known else ""
        ends = [_number(v, short) for v in (known[0], known[-1])]
        return ends[0] if ends[0] == ends[1] else "→".join(ends)

    return [
        written([c.rms for c in calls], ".2g", ".1g"),
        written([c.gradient for c in calls], ".1e", ".0e"),
        written([one.slope for one in slopes], ".1f", ".1f"),
    ]


def _number(value: float, form: str) -> str:
    text = format(value, form)
    return "0" if not value else text.removeprefix("-") if not float(text) else text


def _legend(found: "Inspection") -> str:
    examples = found.shapes.batch
    words = [
        f"output: n = {examples:,} examples",
        "FLOP: of their forward",
        "signal, gradient: root mean square",
    ]
    if found.widths.layers:
        first, last = min(found.widths.widths), max(found.widths.widths)
        unit = "" if last >= 16 else " times the width"
        words.append(
            f"width^: how the change by {found.widths.steps} steps scales from {first:g} to {last:g}{unit}"
        )
    return "; ".join(words) + "."


def _shape(row: "Row", batch: int) -> str:
    if row.output is None:
        return "not called" if row.unused else ""
    sizes = [str(n) for n in row.output]
    if row.output and row.output[0] == batch:
        sizes[0] = "n"
    return "×".join(sizes) or "1"


def _operations(found: "Inspection") -> str:
    cost = found.cost
    if cost.forward is None or cost.both is None:
        return f"Not measured: {cost.not_measured}."
    text = f"{_flops(cost.forward)}FLOP forward, {_flops(cost.both)}FLOP with the backward"
    if not cost.uncounted:
        return text + "."
    often = sorted(cost.uncounted, key=lambda name: -cost.uncounted[name])
    names = ", ".join(name.removeprefix("_").removeprefix("native_") for name in often[:4])
    more = f" and {len(often) - 4} more" if len(often) > 4 else ""
    return f"{text}, products of matrices alone. Not measured: what {names}{more} take."


def _memory(found: "Inspection", problem: Any) -> str:
    cost = found.cost
    text = (
        f"{_bytes(cost.fixed)}: parameters {_bytes(cost.parameters)}, gradients {_bytes(cost.gradients)}, "
        "what "
        f"{cost.method} keeps {_bytes(cost.state)}."
    )
    if cost.activations is None or cost.per_example is None:
        return f"{text} Activations: not measured."
    if not problem.has_data:
        return text
    each = _bytes(cost.per_example)
    text += f" Activations kept for the backward {_bytes(cost.activations)}, so about {each} an example"
    most = cost.largest_batch
    if most is None or cost.free is None:
        return text + "."
    free = f"{_bytes(cost.free)} that are free"
    if most >= len(problem.train) > 0:
        return f"{text}: all {len(problem.train):,} examples at once would fit in the {free}."
    return f"{text}: batches of up to {_rounded(most):,} fit in the {free}."


def _first_loss(found: "Inspection") -> str:
    part = found.chance
    text = f"{figure(part.start)}"
    if part.guess is not None:
        text += f"; guessing gives ln {part.classes} = {figure(part.guess)}"
    if part.constant is not None:
        text += f"; {part.constant_is} is {figure(part.constant)}"
    return f"{text}. {part.verdict}"


def _lines(out: "Console", lines: list[tuple[bool | None, str, str]]) -> None:
    """Print signs, names and texts in columns, so that long texts hang together."""
    from rich.text import Text

    drawn = can_draw()
    signs = {
        True: ("✓" if drawn else "+", "green"),
        False: ("!", "yellow"),
        None: ("·" if drawn else "-", "dim"),
    }
    for fine, name, text in lines:
        sign, style = signs[fine]
        first = Text.assemble("  ", (sign, style), "  ", (f"{name:<12}", "bold"))
        _hang(out, first, text)


def _hang(out: "Console", first: "Text", text: str) -> None:
    """Print a text behind what its first line begins with."""
    from rich.text import Text

    indent = len(first)
    rows = textwrap.wrap(text, max(20, out.width - indent), break_long_words=False) or [""]
    for place, row in enumerate(rows):
        out.print((first if not place else Text(" " * indent)) + Text(row), soft_wrap=True)


def _flops(count: float) -> str:
    """Write a number of operations: ``49.7 M``."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:g} "


def _bytes(count: float) -> str:
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _rounded(count: int) -> int:
    """Round down to two digits: it is an estimate."""
    digits = max(0, len(str(count)) - 2)
    return count // 10**digits * 10**digits
