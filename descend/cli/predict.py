"""``descend predict``: what a trained function says about new inputs."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from descend.cli.flags import number
from descend.cli.options import AsJson, Length, Seed, Temperature
from descend.cli.terminal import console, figure, is_terminal, say, say_json
from descend.errors import UsageError

_SHOWN = 12


def predict(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="New inputs: a table, a picture or a folder of them, the start of a text."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write all predictions to this file.")
    ] = None,
    length: Length = None,
    temperature: Temperature = None,
    seed: Seed = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Boxes: draw them into a copy of the picture; for a folder, a folder."
        ),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            parser=number("--least", least=0),
            help="Boxes: the probability from which one counts [default: each class's own].",
        ),
    ] = None,
    json: AsJson = False,
) -> int:
    """Apply a trained function to new inputs."""
    if out is not None and out.exists() and Path(source).exists() and out.samefile(source):
        raise UsageError("--out and INPUT to differ", f"{out} for both", "choose another file for --out")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        came = f"the folder {out}" if out.is_dir() else f"{out}, whose folder does not exist"
        raise UsageError("a file for --out", came, "choose another one, such as predictions.csv")
    from descend.runs.run import Run

    options = {"length": length, "temperature": temperature, "seed": seed, "draw": draw, "least": least}
    options = {name: value for name, value in options.items() if value is not None}
    rows = Run.open(folder).predict(source, **options)
    if out is not None:
        write_csv(_lines(rows), out)
    if json:
        answer: dict[str, Any] = {
            "run": str(folder),
            "input": source,
            "count": len(rows),
            "predictions": rows,
        }
        say_json(answer | ({"out": str(out)} if out else {}))
    elif out is not None:
        say(str(out) if not is_terminal() else f"{len(rows):,} predictions written to {out}")
    elif rows and rows[0].keys() <= {"prompt", "text"}:
        say("\n\n".join(str(row["text"]) for row in rows))
    elif rows and is_terminal():
        _show([{"file": row["file"], **row["counts"]} if "counts" in row else row for row in rows])
    else:
        import sys

        _write(_lines(rows), sys.stdout)
    return 0


def _lines(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without lists in them: of pictures with boxes a row a box."""
    return [
        line
        for row in rows
        for line in ([{"file": row["file"], **box} for box in row["boxes"]] if "boxes" in row else [row])
    ]


def write_csv(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write rows to a CSV file, whole or not at all.

    Args:
        rows: dicts with the same keys.
        out: the file; one of that name is replaced only once the new one is complete.
    """
    if out.exists() and not out.is_file():  # a pipe or a device is written to, never replaced
        with out.open("w", newline="", encoding="utf-8") as file:
            _write(rows, file)
        return
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with beside.open("w", newline="", encoding="utf-8") as file:
            _write(rows, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    except OSError as error:
        error.filename = str(out)  # nobody knows the name of the file beside it
        raise
    finally:
        beside.unlink(missing_ok=True)


def _write(rows: Sequence[dict[str, Any]], file: TextIO) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    if not {"row", "file"} & rows[0].keys():  # something to tell the lines apart by
        rows = [{"row": number, **row} for number, row in enumerate(rows)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        numeric = all(isinstance(row.get(name), int | float) for row in rows[:_SHOWN])
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows[:_SHOWN]:
        table.add_row(*[_cell(row.get(name)) for name in names])
    console().print(table)
    if len(rows) > _SHOWN:
        say(f"... and {len(rows) - _SHOWN:,} more; --out FILE.csv writes all of them")


def _cell(value: Any) -> str:
    return figure(value) if isinstance(value, float) else "" if value is None else str(value)
