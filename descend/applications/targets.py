"""What a person can name as a target, and the problem it stands for.

torch is imported only once a problem is made: the names alone cost nothing.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.applications.names import BUILT_IN, application_name
from descend.errors import DataError, RunError, UsageError, nearest
from descend.functions.sample_names import SAMPLE_NAMES, sample_name
from descend.functions.surface_names import SURFACE_NAMES, surface_name

if TYPE_CHECKING:
    from descend.functions.problem import Problem

TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq")
TEXTS = (".txt", ".text", ".md", ".rst", ".tex")
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

ACCEPTED = (
    "a built-in name, a CSV or Parquet file, a folder of pictures (a subfolder a class, boxes or masks)"
    " or of IDX files, a text file, or file.py:name"
)


def built_in_names() -> list[str]:
    """Return every target that needs no file: the samples, the applications, then the surfaces.

    Example:
        >>> built_in_names()[:3]
        ['digits', 'diabetes', 'breast-cancer']
    """
    return [*SAMPLE_NAMES, *BUILT_IN, *SURFACE_NAMES]


def problem_from_target(
    target: str, *, target_column: str | None = None, seed: int = 0, **options: Any
) -> "Problem":
    """Make the problem that a target names.

    A built-in name comes first (``./digits`` is a file or folder of that name), then ``file.py:name``,
    then files by their suffix, and folders by what is in them.

    Args:
        target: a built-in name; a CSV or Parquet file; a folder of pictures or of IDX files; a text file;
            or ``file.py:name``, where ``name`` is a ``Problem`` or a function that returns one.
        target_column: the column of a table to predict.
        seed: draws the parts of the data and the initial parameters.
        options: what else that kind of problem takes: ``model``, ``start`` and ``sigma`` for a curve through
            a table's points; ``task``, ``metric`` and ``log`` for a table, ``skip_unreadable`` for pictures,
            ``context`` and ``vocabulary`` for a text, ``user``, ``item`` and ``time`` for a table of ratings,
            ``dimension`` and the like for surfaces, and the parameters of a person's own function.

    Raises:
        UsageError: where the target is none of these, or something was given that it does not take.
        DataError: where its file cannot be learned from.
        MissingExtra: where a package that it needs is not installed.
    """
    problem = _named(target, target_column, seed, options)
    given = {**({} if target_column is None else {"target_column": target_column}), **options}
    if given:
        problem.facts["options"] = given  # what is needed to make it again
    return problem


def problem_again(facts: Mapping[str, Any], do: str) -> "Problem":
    """Make the problem of a run anew: the same data, in the same parts, and the same initial parameters.

    Args:
        facts: what ``run.json`` says.
        do: what to do where that cannot be, for the error.

    Raises:
        RunError: where the problem was made in a Python program.
        DataError: where its file is there no more, or cannot be read.
    """
    code = facts.get("problem")
    target = f"{code['file']}:{code['name']}" if code else facts.get("target")
    if target is None:
        raise RunError(
            "a run whose problem can be made anew", "one whose problem was made in a Python program", do
        )
    options = (facts.get("data") or {}).get("options") or {}
    return problem_from_target(target, seed=(facts.get("settings") or {}).get("seed", 0), **options)


def _named(target: str, target_column: str | None, seed: int, options: dict[str, Any]) -> "Problem":
    if name := sample_name(target):
        return _made(
            "functions.samples:sample_problem", name, "sample data", target_column, options, seed=seed
        )
    if name := application_name(target):
        return _made(BUILT_IN[name], None, "an application", target_column, options, seed=seed)
    if name := surface_name(target):
        _no_column(target_column, "a surface")
        surface = import_module("descend.functions.surfaces").surface_problem
        return surface(name, seed=seed, **options)  # it refuses other options itself
    path, _, name = target.rpartition(":")
    if path.lower().endswith(".py") or target.lower().endswith(".py"):
        _no_column(target_column, "a problem in Python")
        from descend.functions.python_file import problem_from_file

        known = path.lower().endswith(".py")
        return problem_from_file(Path(path if known else target), name if known else None, seed, options)
    return _from_path(target, target_column, seed, options)


def _from_path(target: str, column: str | None, seed: int, options: dict[str, Any]) -> "Problem":
    path = Path(target).expanduser()
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a zero byte
        exists = is_folder = False
    if not exists:
        raise _unknown(target, path)
    if is_folder:
        try:
            if import_module("descend.functions.box_files").has_boxes(path):
                maker, what = "applications.detection:detection_problem", "a folder of boxes"
                return _made(maker, path, what, column, options, seed=seed)
            if import_module("descend.functions.mask_files").has_masks(path):
                maker, what = "applications.segmentation:segmentation_problem", "a folder of masks"
                return _made(maker, path, what, column, options, seed=seed)
            return _made("functions.pictures:picture_problem", path, "a folder", column, options, seed=seed)
        except PermissionError as error:
            raise DataError(
                "a folder that can be read", f"{error.filename} ({error.strerror})", "check its permissions"
            ) from None
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    if "model" in options:
        curve = import_module("descend.applications.curves").curve_problem
        _known_options(curve, options, "a curve")
        return curve(path, column, seed=seed, **options)
    for name in ("start", "sigma"):
        if name in options:
            raise UsageError(
                f"--model with the curve that --{name} is for", "none", "add --model 'y = a*x + b'"
            )
    if "user" in options or "item" in options:
        ratings = import_module("descend.applications.recommendation").recommendation_problem
        _known_options(ratings, options, "a table of ratings")
        return ratings(path, column, seed=seed, **options)
    if last in TABLES or (column is not None and last in (*TEXTS, ".dat", ".data", "")):
        if column is None:
            raise _no_target(path)
        table = import_module("descend.applications.tables").table_problem
        _known_options(table, options, "a table")
        return table(path, column, seed=seed, **options)
    if last in TEXTS:
        return _made("applications.language:language_problem", path, "a text", column, options, seed=seed)
    if last in PICTURES or ("idx" in path.name.lower() and "ubyte" in path.name.lower()):
        what = "pictures" if last in PICTURES else "IDX files"
        raise UsageError(
            f"a folder of {what}", f"the single file {target}", f"name the folder: {path.parent}"
        )
    raise UsageError(
        ACCEPTED,
        f"{target}, of no kind that is known",
        f"name it {path.stem}.csv or .txt if that is what it is",
    )


def _no_target(path: Path) -> UsageError:
    """Return the error for a table without the column to predict, which names its columns."""
    columns = import_module("descend.functions.table_files").read_table(path)[0].columns
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return UsageError(
        f"--target with the column of {path.name} to predict",
        "none",
        f"add --target and one of: {', '.join(columns[:20])}{more}",
    )


def _unknown(target: str, path: Path) -> UsageError | DataError:
    """Return the error for what is neither a name nor there."""
    if path.suffix or "/" in target or "\\" in target:
        near = _neighbour(path)
        return DataError(
            ACCEPTED, f"{target}, which does not exist", f"did you mean {near}?" if near else "check the path"
        )
    do = nearest(target, built_in_names())
    if not do.startswith("did"):
        do = f"built in are {', '.join(SAMPLE_NAMES)}, and surfaces such as rosenbrock"
    return UsageError(ACCEPTED, repr(target), do)


def _neighbour(path: Path) -> Path | None:
    """Return the file beside ``path`` whose name is nearly its name."""
    from difflib import get_close_matches

    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return None
    close = get_close_matches(path.name, names, n=1, cutoff=0.75)
    return path.parent / close[0] if close else None


def _made(
    maker: str,
    source: str | Path | None,
    what: str,
    column: str | None,
    options: dict[str, Any],
    *,
    seed: int,
) -> "Problem":
    _no_column(column, what)
    module, _, function = maker.partition(":")
    make = getattr(import_module(f"descend.{module}"), function)
    _known_options(make, options, what)
    return make(source, seed=seed, **options)


def _no_column(column: str | None, what: str) -> None:
    if column is not None:
        raise UsageError(f"no --target for {what}", repr(column), "leave it out: only a table has columns")


def _known_options(make: Callable[..., "Problem"], options: dict[str, Any], what: str) -> None:
    """Refuse options that ``make`` does not take by keyword."""
    parameters = inspect.signature(make).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"]
    for name in options:
        if name not in known:
            raise UsageError(f"an option of {what}", name, nearest(name, known) if known else "leave it out")
