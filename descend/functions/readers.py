"""Which reader a run was saved with."""

import shlex
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from descend.errors import RunError

if TYPE_CHECKING:
    from descend.functions.problem import Reader

READERS = {
    "table": ("descend.functions.tables", "TableReader"),
    "curve": ("descend.functions.curves", "CurveReader"),
    "sample": ("descend.functions.samples", "SampleReader"),
    "pictures": ("descend.functions.pictures", "PictureReader"),
    "text": ("descend.functions.text", "TextReader"),
    "boxes": ("descend.functions.detections", "DetectionReader"),
    "masks": ("descend.functions.masks", "MaskReader"),
    "driving": ("descend.functions.driving", "DrivingReader"),
    "ratings": ("descend.functions.recommendations", "RatingsReader"),
}
"""Where the reader of each kind in ``run.json`` is."""
USES = {
    "table": "predict {} NEW.csv",
    "curve": "predict {} NEW.csv",
    "sample": "predict {} NEW.csv",
    "pictures": "predict {} PICTURE.png",
    "boxes": "predict {} PICTURE.jpg --draw out.png",
    "masks": "predict {} PICTURE.png --draw out.png",
    "text": 'generate {} --prompt "It was"',
    "driving": "drive {} --video out.mp4",
    "ratings": "recommend {} --user NAME",
}
"""The command that does with a run what it was made for."""


def use_of(kind: str | None, folder: str | PurePath) -> str:
    """Return the command that uses the run in a folder, whose reader is of this kind.

    Example:
        >>> use_of("table", "runs/my houses")
        "descend predict 'runs/my houses' NEW.csv"
    """
    return "descend " + USES.get(str(kind), "predict {} INPUT").format(shlex.quote(str(folder)))


def reader_from_json(saved: dict[str, Any]) -> "Reader":
    """Rebuild the reader that a run was saved with.

    Args:
        saved: what its ``to_json`` returned; ``saved["kind"]`` says which it is.

    Raises:
        RunError: where there is no such kind.
    """
    kind = saved.get("kind")
    if kind not in READERS:
        raise RunError(
            f"a reader of kind {', '.join(READERS)}",
            repr(kind),
            "the run may need a newer version of descend",
        )
    module, name = READERS[kind]
    return getattr(import_module(module), name).from_json(saved)
