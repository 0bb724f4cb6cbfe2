"""``descend diagnose``: what is wrong with a descent, and the proof."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.flags import duration
from descend.cli.invocation import Invocation
from descend.cli.options import AsJson, Device, Seed, TargetColumn
from descend.cli.terminal import console, say_json

if TYPE_CHECKING:
    from descend.diagnosing.diagnose import Diagnosis


def diagnose(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET|RUN", help="What `descend fit` takes, or the folder of a run."),
    ],
    target_column: TargetColumn = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            parser=duration("--seconds"),
            help="The time for everything, start-up included: 90, 90s, 2m or 1h [default: 30].",
        ),
    ] = None,
    seed: Seed = None,
    device: Device = None,
    json: AsJson = False,
) -> int:
    """Say what is wrong with a descent, and prove it by trying the remedy beside an unchanged control."""
    call: Invocation = context.obj
    subject = _subject(target, target_column, seed or 0)
    from descend.diagnosing.diagnose import examine

    said = examine(subject, seconds=seconds or 30.0, seed=seed or 0, device=device, startup=call.elapsed)
    if json:
        say_json(said.as_json())
    else:
        _tell(said)
    return 0


def _subject(target: str, column: str | None, seed: int) -> Any:
    """Return the run or the problem that a person names."""
    path = Path(target).expanduser()
    if path.name == "run.json" or (path / "run.json").exists():
        from descend.runs.run import Run

        return Run.open(path)
    from descend.applications.targets import problem_from_target

    return problem_from_target(target, target_column=column, seed=seed)


def _tell(said: "Diagnosis") -> None:
    """Print a diagnosis, for a person."""
    from descend.diagnosing.finding import WORTH_TELLING

    out = console()
    serious = [one for one in said.findings if one.severity != "info"]
    out.print("[bold]Something is wrong:[/bold]" if serious else "[bold]Nothing wrong was found.[/bold]")
    for place, one in enumerate(serious, 1):
        colour = {"error": "red", "warning": "yellow"}[one.severity]
        out.print(f"\n{place}. [{colour}]{one.cause}[/{colour}]  ({one.confidence:.0%} sure)")
        out.print(f"   {one.evidence}", markup=False)
        out.print(f"   [green]Do:[/green] {one.remedy}")
        out.print("   [green]Proof:[/green]", end=" ")
        out.print(one.effect or "none", markup=False)
        if one.explains:
            out.print(f"   It explains what looks like {', '.join(one.explains)}.")
    tried = {one["cause"] for one in said.tried}
    possible = [
        one
        for one in said.findings
        if one.severity == "info" and (one.confidence >= WORTH_TELLING or one.cause in tried)
    ]
    if possible:
        out.print("\nPossible, without enough evidence:")
    for one in possible:
        out.print(f"- {one.cause} ({one.confidence:.0%}): {one.effect}", markup=False)
    out.print(
        f"\n[dim]{said.steps} steps watched, {len(said.tried)} remedies tried; {said.seconds:.1f} s.[/dim]"
    )
