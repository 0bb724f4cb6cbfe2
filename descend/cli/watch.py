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
    from descend.watching.capturing import Capturing
    from descend.watching.observations import Observations


def watch(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python script that trains something.")],
    budget: Annotated[
        float, typer.Option(metavar="SHARE", help="The share of the training time that watching may take.")
    ] = 0.03,
    steps: Annotated[int | None, typer.Option(metavar="N", help="End the script after N steps.")] = None,
    prove: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Try the remedies afterwards, on captured steps, for so many seconds."
        ),
    ] = None,
    apply: Annotated[str | None, typer.Option(metavar="REMEDY", hidden=True)] = None,
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
    if prove is not None and not prove > 0:
        raise UsageError("--prove above 0", str(prove), "for example --prove 30")
    if apply is not None:
        from descend.diagnosing.applied import run

        return run(apply, script, list(context.args))
    from descend.diagnosing.detectors import findings
    from descend.diagnosing.watch import said
    from descend.watching.script import watched

    where = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()
    with where:
        capturing = _capturing(prove)
        seen = watched(script, list(context.args), budget, steps, capturing)
    found, proof = findings(seen), None
    if capturing is not None and prove is not None:
        from descend.diagnosing.replay_proof import prove as proved

        proof = proved(capturing, found, prove)
        found = proof.findings
    if json:
        say_json(said(seen, found, proof))
    else:
        _tell(seen, found)
    if seen.ended == "KeyboardInterrupt":
        return 130
    return 0


def _capturing(prove: float | None) -> "Capturing | None":
    if prove is None:
        return None
    from descend.watching.capturing import Capturing

    return Capturing()


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
