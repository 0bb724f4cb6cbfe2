"""``descend drive``: a trained driver drives, where it never was before."""

from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descend.cli.flags import whole
from descend.cli.options import AsJson, Seed
from descend.cli.terminal import console, figure, is_terminal, say, say_json

if TYPE_CHECKING:
    from descend.functions.environments import Driven


def drive(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run on a road.")],
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Film the drives: out.mp4 or out.gif.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole("--seeds", least=1), help="How many drives [default: 1]."),
    ] = None,
    laps: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole("--laps", least=1), help="On a track: laps in each [default: 1]."
        ),
    ] = None,
    seed: Seed = None,
    json: AsJson = False,
) -> int:
    """Let a trained driver drive in the environment itself, and say how often it left the road."""
    from descend.functions.driving import DrivingReader, Film, summary
    from descend.runs.predict import opened

    run, reader = opened(folder, DrivingReader, "learned to drive")
    first = seed or 0
    drives: list[Driven] = []
    with ExitStack() as stack:
        film = stack.enter_context(closing(Film(video))) if video is not None else None
        telling = is_terminal() and not json
        for one in reader.drives(run.model, range(first, first + (seeds or 1)), laps or 1, film):
            drives.append(one)
            if telling:
                console().print(_sentence(one))
    found = summary(drives)
    if json:
        rows = [asdict(one) for one in drives]
        made = {"video": str(video)} if video is not None else {}
        say_json({"run": str(folder), "road": reader.road, **found, "drives": rows} | made)
    elif telling:
        left, made = sum(one.left for one in drives), "" if video is None else f"; {video} shows it"
        console().print(f"[bold]left the road in {left} of {len(drives)}[/bold]{made}")
    else:
        for name, value in found.items():
            say(f"{name}\t{value}")
    return 0


def _sentence(one: "Driven") -> str:
    ended = "left the road" if one.left else f"{one.laps} lap{'' if one.laps == 1 else 's'}"
    return (
        f"seed {one.seed}: {ended} in {one.seconds:.0f} s,"
        f" {figure(one.error)} m from the lane's middle, reward {figure(one.reward)}"
    )
