"""Answers for new inputs, with a run's reader or, where it has none, from plain numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from descend.errors import DataError, RunError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from descend.runs.run import Run

_AT_A_TIME = 512
_Known = TypeVar("_Known")


def opened(folder: Path, kind: type[_Known], what: str) -> "tuple[Run, _Known]":
    """Open a run for a command that only one kind of run is for.

    Args:
        folder: of the run.
        kind: its reader's.
        what: what such a run did, such as ``"learned from a text"``.

    Raises:
        RunError: where it is of another kind, or there is no run.
    """
    from descend.runs.run import Run

    run = Run.open(folder)
    reader = run.reader
    if not isinstance(reader, kind):
        came = getattr(reader, "kind", "no file that is known")
        raise RunError(f"a run that {what} at {folder}", f"one of {came}", "use descend predict")
    return run, reader


def answers(run: "Run", source: Any, **options: Any) -> list[dict[str, Any]]:
    """Return one answer an input; see :meth:`descend.runs.run.Run.predict`."""
    if isinstance(source, str | Path):
        source = Path(source).expanduser() if Path(source).expanduser().exists() else source
        if run.reader is not None:
            return run.reader.predict(run.model, source, **options)
    if options:
        raise UsageError("no options for a run without a reader", ", ".join(options), "leave them out")
    if "examples/train" not in (run.facts.get("data") or {}):
        raise RunError(
            f"a run whose function takes inputs at {run.folder}",
            "a function of its parameters alone",
            "read the minimum that it found from run.parameters",
        )
    return [{"output": output} for output in _outputs(run, _inputs(source))]


def _inputs(source: Any) -> "tuple[Tensor, ...]":
    """Bring numbers from wherever they are into tensors (n, ...)."""
    import torch

    if isinstance(source, str | Path):
        source = _read(Path(source))
    try:
        inputs = tuple(torch.as_tensor(x) for x in (source if isinstance(source, tuple) else (source,)))
    except (TypeError, ValueError, RuntimeError):
        raise DataError(
            "inputs as a tensor (n, ...) or a file of numbers",
            f"a {type(source).__name__}",
            "turn them into a tensor",
        ) from None
    if not inputs or len({len(x) if x.ndim else 0 for x in inputs} - {0}) != 1:
        raise DataError(
            "inputs of at least one row, as many in each tensor",
            " and ".join(str(tuple(x.shape)) for x in inputs) or "none",
            "give each example one row",
        )
    return inputs


def _outputs(run: "Run", inputs: "tuple[Tensor, ...]") -> Iterator[Any]:
    """Yield the function's output of each row, as numbers."""
    import torch

    model = run.model
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    inputs = tuple(
        x.to(like.device, like.dtype) if x.is_floating_point() else x.to(like.device) for x in inputs
    )
    for start in range(0, len(inputs[0]), _AT_A_TIME):
        batch = [x[start : start + _AT_A_TIME] for x in inputs]
        try:
            with torch.no_grad():
                output = model(*batch)
        except (RuntimeError, TypeError, IndexError) as error:
            raise DataError(
                "inputs of the shape that the function was trained on",
                f"{' and '.join(str(tuple(x.shape)) for x in inputs)} (“{str(error).splitlines()[0]}”)",
                "check the number of columns and the type",
            ) from None
        yield from output.tolist()


def _read(path: Path) -> Any:
    """Read a file of numbers: one row an example."""
    kinds = {".npy": _read_npy, ".csv": _read_csv, ".safetensors": _read_safetensors}
    if path.suffix.lower() not in kinds:
        raise DataError(
            f"a file of numbers ({', '.join(kinds)}), for this run keeps no reader", str(path), "convert it"
        )
    if not path.is_file():
        raise DataError(f"a file at {path}", "no such file", "check the path")
    try:
        return kinds[path.suffix.lower()](path)
    except DataError:
        raise
    except Exception as error:  # each library has exceptions of its own
        came = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"numbers in {path}", f"“{came}”", "check the file") from None


def _read_npy(path: Path) -> Any:
    import numpy

    return numpy.load(path, allow_pickle=False)


def _read_csv(path: Path) -> Any:
    """Read rows of numbers, with or without a line of names above them."""
    import polars

    def is_number(text: str) -> bool:
        try:
            float(text)
        except ValueError:
            return False
        return True

    with path.open(encoding="utf-8-sig") as file:
        first = file.readline().strip().split(",")
    table = polars.read_csv(path, has_header=not all(map(is_number, first)), infer_schema_length=None)
    for column in table.columns:
        if not table[column].dtype.is_numeric() or table[column].null_count():
            raise DataError(
                f"a number in every row of {path}", f"column {column!r} without", "fill or remove the rows"
            )
    return table.cast(polars.Float64).to_numpy(writable=True)


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    tensors = load_file(path)
    if len(tensors) != 1:
        raise DataError(f"one tensor in {path}", f"{len(tensors)}", "save the inputs alone")
    return next(iter(tensors.values()))
