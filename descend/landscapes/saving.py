"""A landscape as a file: a page, a picture, an animation, or its numbers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from descend.descent.files import write_file
from descend.errors import MissingExtra, UsageError
from descend.landscapes.drawing import FRAMES_A_SECOND, frames, svg
from descend.landscapes.seen import Landscape
from descend.runs.page.landscape import KEPT
from descend.runs.run import Run

SUFFIXES = (".html", ".svg", ".png", ".gif", ".mp4", ".json")


def check_suffix(path: Path) -> None:
    """Refuse a name whose suffix no landscape is written as.

    Raises:
        UsageError: always then.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"a name that ends in {', '.join(SUFFIXES)}", path.name, "add the suffix")


def save(seen: Landscape, path: Path) -> Path:
    """Write a landscape; the suffix says as what.

    Args:
        seen: it.
        path: see :meth:`~.seen.Landscape.save`.

    Raises:
        UsageError: where there is no such suffix, or it is not for a line.
        MissingExtra: where a package is not installed.
    """
    check_suffix(path)
    suffix = path.suffix.lower()
    if seen.y is None and suffix not in (".html", ".json"):
        raise UsageError(
            "a landscape of two dimensions", f"a line for {suffix}", "write it as .html or .json"
        )
    if suffix == ".json":
        write_file(path, (json.dumps(seen.as_json(), allow_nan=False) + "\n").encode())
    elif suffix == ".html":
        from descend.landscapes.page import page

        write_file(path, page(seen).encode("utf-8", errors="replace"))
    elif suffix == ".svg":
        write_file(path, svg(seen).encode("utf-8", errors="replace"))
    elif suffix == ".png":
        write_file(path, _encoded(seen, 1, "PNG"))
    elif suffix == ".gif":
        write_file(path, _encoded(seen, 60, "GIF"))
    else:
        _film(seen, path)
    return path


def keep(seen: Landscape, run: Run) -> None:
    """Leave a landscape in a run's folder, and write the run's report with it.

    Raises:
        RunError: where the folder cannot be written.
    """
    from descend.landscapes.page import drawn

    write_file(run.folder / KEPT, json.dumps(drawn(seen), allow_nan=False).encode())
    run.report()


def _encoded(seen: Landscape, count: int, kind: str) -> bytes:
    pictures = frames(seen, count)
    from PIL import Image

    images = [Image.fromarray(picture.numpy()) for picture in pictures]
    into = io.BytesIO()
    if len(images) == 1:
        images[0].save(into, kind)
    else:
        # One palette for all: the ground stays, and only what moves is written anew.
        first = images[-1].quantize(255, dither=Image.Dither.NONE)
        small = [image.quantize(palette=first, dither=Image.Dither.NONE) for image in images]
        pauses = [1000 // FRAMES_A_SECOND] * (len(small) - 1) + [2000]
        small[0].save(into, kind, save_all=True, append_images=small[1:], duration=pauses, loop=0)
    return into.getvalue()


def _film(seen: Landscape, path: Path) -> None:
    try:
        import imageio.v2
        import imageio_ffmpeg  # noqa: F401 - what imageio writes films with
    except ImportError:
        raise MissingExtra("imageio[ffmpeg]", "driving", "films") from None
    film: Any = imageio.v2.get_writer(path, fps=FRAMES_A_SECOND, macro_block_size=2)
    try:
        for picture in frames(seen):
            film.append_data(picture.numpy())
    finally:
        film.close()
