"""``descend export``: a run's record, or its function, for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from descend.cli.options import AsJson
from descend.cli.terminal import say, say_json
from descend.errors import UsageError, nearest

FORMATS = ["csv", "tensorboard", "onnx"]


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=" or ".join(FORMATS) + ".")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where it goes [default: inside the run's folder].")
    ] = None,
    json: AsJson = False,
) -> int:
    """Write a run's record as CSV or for TensorBoard, or its function as ONNX."""
    if to not in FORMATS:
        raise UsageError("a format for --to", repr(to), nearest(to, FORMATS))
    from descend.runs.export import export as write
    from descend.runs.run import Run

    path = write(Run.open(folder), to, out)
    if json:
        say_json({"run": str(folder), "to": to, "path": str(path)})
    else:
        say(str(path))
    return 0
