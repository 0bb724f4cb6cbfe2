"""``descend landscape``: the loss around a solution, and the way to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from descend.cli.flags import number, whole
from descend.cli.invocation import Invocation
from descend.cli.options import AsJson, Device, Seed, TargetColumn
from descend.cli.terminal import say, say_json
from descend.errors import UsageError

if TYPE_CHECKING:
    from descend.landscapes.seen import Landscape


def landscape(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="The folder of a run, or several of one function; or what `descend fit` takes.",
        ),
    ],
    target_column: TargetColumn = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="path, random, curvature, between (two runs), through (three) or axes"
            " [default: path, where it was kept].",
        ),
    ] = None,
    line: Annotated[bool, typer.Option("--line", help="Look along a line, not over a plane.")] = False,
    curved: Annotated[
        bool,
        typer.Option("--curved", help="Between two runs: also find a curve of low loss, by descending it."),
    ] = False,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole("--points", least=5), help="Points along each axis [default: 51]."
        ),
    ] = None,
    span: Annotated[
        float | None,
        typer.Option(metavar="X", parser=number("--span", above=0), help="How far to look to each side."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--every-point", help="Compute each point; by default those where it bends.")
    ] = False,
    examples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole("--examples", least=1),
            help="Examples that the loss is a mean over, always the same ones [default: 1000].",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="PART", help="train, validation or test [default: train].")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .html, .svg, .png, .gif, .mp4 or .json file [default: landscape.html in the run].",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    seed: Seed = None,
    device: Device = None,
    json: AsJson = False,
) -> int:
    """Look at the loss around a solution and along the way to it, and say how much the picture leaves out."""
    call: Invocation = context.obj
    if out is not None:
        from descend.landscapes.saving import check_suffix

        check_suffix(out)
        if not out.expanduser().absolute().parent.is_dir():
            raise UsageError("a file in a folder that exists", str(out), "make the folder, or choose another")
    subject, place = _subject(runs, target_column, seed or 0)
    from descend.landscapes.landscape import landscape as look

    seen = look(
        subject,
        kind,
        dimensions=1 if line else 2,
        points=points or 51,
        span=span,
        every=every,
        examples=examples or 1000,
        data=data or "train",
        curved=curved,
        seed=seed or 0,
        device=device,
    )
    path = seen.save(out.expanduser() if out is not None else place / "landscape.html")
    if out is None:
        _into_the_report(seen, subject)
    _tell(call, seen, path, json)
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def _subject(names: list[str], column: str | None, seed: int) -> tuple[Any, Path]:
    """Return the runs or the problem that a person names, and where a picture goes by default."""
    paths = [Path(name).expanduser() for name in names]
    are_runs = [path.name == "run.json" or (path / "run.json").exists() for path in paths]
    if all(are_runs) or len(names) > 1:
        from descend.runs.run import Run

        runs = [Run.open(path) for path in paths]
        return runs, runs[0].folder
    from descend.applications.targets import problem_from_target

    return problem_from_target(names[0], target_column=column, seed=seed), Path()


def _into_the_report(seen: "Landscape", subject: Any) -> None:
    """Have the report of the run (or of the first one) show it too."""
    if isinstance(subject, list):
        from descend.landscapes.saving import keep

        keep(seen, subject[0])


def _tell(call: Invocation, seen: "Landscape", path: Path, json: bool) -> None:
    if json:
        say_json({**seen.as_json(), "picture": str(path)})
        return
    for sentence in seen.sentences():
        say(sentence)
    say(str(path))
