"""``descend report``: the page of a run."""

from pathlib import Path
from typing import Annotated

import typer

from descend.cli.options import AsJson
from descend.cli.terminal import say, say_json


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: AsJson = False,
) -> int:
    """Write a run's report.html afresh, and print where it is."""
    from descend.runs.run import Run

    path = Run.open(folder).report()
    if json:
        say_json({"run": str(folder), "report": str(path)})
    else:
        say(str(path))
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
