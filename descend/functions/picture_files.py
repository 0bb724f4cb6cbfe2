"""Pictures in folders: found, decoded and brought to one size."""

import hashlib
import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from descend.errors import DataError, MissingExtra, UsageError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LARGEST = 64
"""Pixels along the longer side, at most: an hour on two cores buys little with more."""
SMALLEST = 8


@dataclass(frozen=True)
class Form:
    """What every picture is brought to: pixels and channels (1 grey, 3 colour)."""

    height: int
    width: int
    channels: int


def pillow() -> ModuleType:
    """Return PIL.Image, imported when the first picture is read.

    Raises:
        MissingExtra: where Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("pillow", "images", "reading pictures") from None
    return Image


def is_picture(path: Path) -> bool:
    """Whether a file is named like a picture."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_under(folder: Path) -> list[Path]:
    """Return every picture in a folder and in its subfolders, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file())


def pictures_at(path: Path) -> list[Path]:
    """Return the picture, or every picture in the folder, that a person names.

    Raises:
        DataError: where there is none.
    """
    paths = pictures_under(path) if path.is_dir() else [path]
    if not paths or not path.exists():
        came = "no picture there" if path.exists() else "nothing there"
        raise DataError(f"a picture or a folder of pictures at {path}", came, "check the path")
    return paths


def place_for_drawing(into: Path, several: bool) -> Path:
    """Return where pictures are drawn into, made where it is a folder that is not there.

    Raises:
        UsageError: where a single one's name is that of no kind of picture.
    """
    if several:
        into.mkdir(parents=True, exist_ok=True)
    elif into.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError("a picture's name for draw, such as out.png", str(into), "choose another one")
    return into


def _opened(image: ModuleType, raw: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a strange palette or a large picture is no one's concern here
        return image.open(io.BytesIO(raw))


def _header(path: Path) -> tuple[int, int, bool] | None:
    """Return (height, width, whether it is grey) from the first bytes, or nothing where they are none."""
    try:
        with pillow().open(path) as opened:
            width, height = opened.size
            turned = opened.getexif().get(0x0112, 1) >= 5  # by 90°
            grey = opened.mode in ("1", "L", "LA", "F") or opened.mode.startswith("I")
            return (width, height, grey) if turned else (height, width, grey)
    except MissingExtra:
        raise
    except Exception:  # decoders raise anything, and a bad file is named once it is decoded
        return None


def size_of(path: Path) -> tuple[int, int] | None:
    """Return a picture's height and width, or nothing where it cannot be read."""
    header = _header(path)
    return None if header is None else header[:2]


def common_form(paths: Sequence[Path], largest: int = LARGEST) -> Form:
    """Choose the form: the median height and width, at most ``largest``; grey where all are grey."""
    pillow()
    with ThreadPoolExecutor() as pool:
        headers = [header for header in pool.map(_header, paths) if header is not None]
    if not headers:
        return Form(SMALLEST, SMALLEST, 1)
    height, width = (float(torch.tensor([h[k] for h in headers]).float().median()) for k in (0, 1))
    scale = min(1.0, largest / max(height, width))
    sides = [max(SMALLEST, round(side * scale)) for side in (height, width)]
    return Form(sides[0], sides[1], 1 if all(h[2] for h in headers) else 3)


def decode(raw: bytes, form: Form) -> Tensor:
    """Decode one picture and bring it to a form.

    Returns:
        uint8, shape (height, width, channels).

    Raises:
        Exception: whatever the decoder raises where it cannot read the bytes.
    """
    from PIL import ImageOps

    image = pillow()
    opened = _opened(image, raw)
    size, mode = (form.width, form.height), "L" if form.channels == 1 else "RGB"
    opened.draft(mode, (2 * form.width, 2 * form.height))  # a large JPEG is decoded at a fraction of its size
    opened = ImageOps.exif_transpose(opened)
    if opened.mode.startswith("I"):  # 16 bits a pixel, which convert() would cut off at 255
        opened = opened.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif opened.mode in ("PA", "LA", "RGBA") or "transparency" in opened.info:
        # What is transparent is seen on white.
        opened = opened.convert("RGBA")
        opened = image.alpha_composite(image.new("RGBA", opened.size, "white"), opened)
    opened = opened.convert(mode)
    if opened.size != size:
        shrinks = opened.width >= form.width and opened.height >= form.height
        # BOX is the mean over each new pixel's own area; others blur into the neighbours'.
        opened = opened.resize(size, image.Resampling.BOX if shrinks else image.Resampling.BILINEAR)
    return torch.frombuffer(bytearray(opened.tobytes()), dtype=torch.uint8).view(
        form.height, form.width, form.channels
    )


def read_pictures(
    paths: Sequence[Path], form: Form, *, skip_unreadable: bool = False
) -> tuple[Tensor, list[int], str]:
    """Read pictures, on all cores.

    Args:
        paths: the files.
        form: what each is brought to.
        skip_unreadable: leave out what cannot be read, instead of refusing all.

    Returns:
        The pictures, uint8 (n, height, width, channels); which of ``paths`` they are; a SHA-256 digest of
        the files' contents, in order.

    Raises:
        DataError: where one cannot be read (it names the first, and says how many), or none can.
    """
    pillow()

    def read(path: Path) -> tuple[Tensor | None, str]:
        try:
            raw = path.read_bytes()
        except OSError as error:
            return None, (error.strerror or "not readable").lower()
        if not raw:
            return None, "an empty file"
        try:
            return decode(raw, form), hashlib.sha256(raw).hexdigest()
        except Exception:  # PIL raises OSError, SyntaxError, struct.error, ...: all mean the same here
            return None, "not a picture, or a damaged one"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(read, paths))
    bad = [(path, why) for path, (tensor, why) in zip(paths, results, strict=True) if tensor is None]
    if bad and not skip_unreadable:
        path, why = bad[0]
        others = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataError(
            "pictures that can be read",
            f"{path} ({why}){others}",
            "repair or remove it" if len(bad) == 1 else "repair or remove them",
        )
    kept = [k for k, (tensor, _) in enumerate(results) if tensor is not None]
    if not kept:
        raise DataError("at least one picture that can be read", f"none of {len(paths)}", "check the files")
    digest = hashlib.sha256("".join(results[k][1] for k in kept).encode()).hexdigest()
    return torch.stack([tensor for tensor, _ in results if tensor is not None]), kept, digest
