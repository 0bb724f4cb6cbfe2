"""A run for other programs: its metrics, or its function."""

import csv as csv_format
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from descend.descent.files import write_file
from descend.errors import MissingExtra, RunError, UsageError, nearest
from descend.runs.run import Run

Series = dict[str, tuple[list[int], list[float]]]
"""Steps and values by name."""

ELAPSED = "time/elapsed(s)"


def export(run: Run, to: str, out: Path | None = None) -> Path:
    """Write a run's metrics, or its function, in another program's form.

    Args:
        run: the run.
        to: ``csv``: one file with a row a step and a column a series, empty where nothing was measured;
            or ``tensorboard``: a folder with an event file, written again by the next export; or ``onnx``:
            the function, see :func:`descend.runs.onnx_file.write_onnx`.
        out: where to; by default ``export.csv``, ``tensorboard`` or ``function.onnx`` in the run's folder.

    Returns:
        The file or the folder.

    Raises:
        UsageError: where ``to`` is none of them.
        RunError: where nothing is recorded, or it cannot be written.
        MissingExtra: where TensorBoard or ONNX is asked for and not installed.
    """
    if to not in (*FORMS, "onnx"):
        raise UsageError("a form to export to", repr(to), nearest(to, [*FORMS, "onnx"]))
    if to == "onnx":
        from descend.runs.onnx_file import write_onnx

        return write_onnx(run, out)
    write, name = FORMS[to]
    series = {s: run.metrics(s) for s in run.series()}
    if not series:
        raise RunError(f"recorded metrics in {run.folder}", "none", "let the descent take its first steps")
    out = run.folder / name if out is None else Path(out).expanduser()
    try:
        return write(run, series, out)
    except OSError as error:
        raise RunError(
            f"to write {error.filename or out}", f"“{error.strerror}”", "choose another place with --out"
        ) from None


def csv(run: Run, series: Series, out: Path) -> Path:
    """Write one table: ``step``, then a column a series; floats in full, also ``nan`` and ``inf``."""
    if out.is_dir():
        out = out / "export.csv"
    rows: dict[int, dict[str, float]] = {}
    for name, (steps, values) in series.items():
        for step, value in zip(steps, values, strict=True):
            rows.setdefault(step, {})[name] = value
    text = io.StringIO()
    table = csv_format.DictWriter(text, ["step", *series], restval="", lineterminator="\n")
    table.writeheader()
    table.writerows({"step": step, **rows[step]} for step in sorted(rows))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, text.getvalue().encode())
    return out


def tensorboard(run: Run, series: Series, out: Path) -> Path:
    """Write an event file of scalars, at the time of day at which each step was taken.

    TensorBoard's scalars are float32. Its own writer is used, without torch's, which imports torch.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise MissingExtra("tensorboard", "tensorboard", "exporting to TensorBoard") from None

    by_step: dict[int, list[Summary.Value]] = {}
    for name, (steps, values) in series.items():
        for step, value in zip(steps, values, strict=True):
            by_step.setdefault(step, []).append(Summary.Value(tag=name, simple_value=value))
    out.mkdir(parents=True, exist_ok=True)
    for earlier in out.glob("events.out.tfevents.*.descend"):
        earlier.unlink()
    times = _times(run, series, sorted(by_step))
    writer = EventFileWriter(str(out), max_queue_size=1000, filename_suffix=".descend")
    try:
        for step in sorted(by_step):
            writer.add_event(Event(wall_time=times[step], step=step, summary=Summary(value=by_step[step])))
    finally:
        writer.close()
    return out


def _times(run: Run, series: Series, steps: list[int]) -> dict[int, float]:
    """Return the time of day of each step, in seconds since 1970.

    The start plus the elapsed seconds; between two steps whose time is recorded, in proportion. Without
    any, all steps are at the start.
    """
    import numpy

    try:
        start = datetime.fromisoformat(run.facts["started"]).timestamp()
    except (KeyError, TypeError, ValueError):
        start = (run.folder / "run.json").stat().st_mtime
    at, elapsed = series.get(ELAPSED, ([0], [0.0]))
    return dict(zip(steps, (start + numpy.interp(steps, [0, *at], [0.0, *elapsed])).tolist(), strict=True))


FORMS: dict[str, tuple[Callable[[Run, Series, Path], Path], str]] = {
    "csv": (csv, "export.csv"),
    "tensorboard": (tensorboard, "tensorboard"),
}
"""By name: what writes it, and what it is called in the run's folder."""
