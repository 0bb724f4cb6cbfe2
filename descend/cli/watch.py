"""``descend watch``: an unchanged training script, with somebody watching."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descend.cli.terminal import console, say_json
from descend.errors import UsageError

if TYPE_CHECKING:
    from descend.diagnosing.finding import Finding
    from descend.watching.observations import Observations


def watch(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python script that trains something.")],
    budget: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of the training time that watching may take.")
    ] = 0.03,
    steps: Annotated[int | None, typer.Option(metavar="N", help="End the script after N steps.")] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object on standard output; the script's goes elsewhere."),
    ] = False,
) -> int:
    """Run a training script as it is, and say what is wrong with its descent."""
    if not 0 < budget <= 1:
        raise UsageError("--budget above 0 and at most 1", str(budget), "0.03 is 3% of the training time")
    if steps is not None and steps < 1:
        raise UsageError("--steps of at least 1", str(steps), "for example --steps 20")
    from descend.diagnosing.detectors import findings
    from descend.diagnosing.watch import said
    from descend.watching.script import watched

    where = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()
    with where:
        seen = watched(script, list(context.args), budget, steps)
    found = findings(seen)
    if json:
        say_json(said(seen, found))
    else:
        _tell(seen, found)
    if seen.ended == "KeyboardInterrupt":
        return 130
    return 0


_COLOURS = {"(error,": "red", "(warning,": "yellow"}


def _tell(seen: "Observations", found: "list[Finding]") -> None:
    """Print what was found, for a person."""
    from rich.text import Text

    from descend.diagnosing.telling import headline, lines

    out = console()
    out.print()
    head = headline(found)
    for line in lines(seen, found):
        style = "bold" if line == head else ""
        style = next((colour for mark, colour in _COLOURS.items() if f"  {mark}" in line), style)
        style = "green" if line.startswith("   Do: ") else style
        out.print(Text(line, style=style))
