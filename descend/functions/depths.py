"""Pictures of any depth: bytes as they are, and 16 bits or floats scaled by what most of them lie between."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descend.functions.picture_files import pillow

PERCENTILES = (0.5, 99.5)
"""Of the pixels learned from, what a deeper picture's black and white are."""


def pixels_of(path: Path, *, numbers: bool = False) -> np.ndarray | str:
    """Read a picture as its file has it: bytes, 16 bits, floats; the first page of several.

    Args:
        path: the file.
        numbers: of a picture with a palette return the colours' numbers, in place of the colours.

    Returns:
        (height, width, channels) of any type, or why it cannot be read.
    """
    image = pillow()
    from PIL import ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = ImageOps.exif_transpose(image.open(io.BytesIO(path.read_bytes())))
            if opened.mode in ("1", "CMYK", "YCbCr", "HSV", "LAB"):
                opened = opened.convert("L" if opened.mode == "1" else "RGB")
            if opened.mode == "P" and not numbers:
                opened = opened.convert("RGBA" if "transparency" in opened.info else "RGB")
            values = np.asarray(opened)
    except OSError as error:
        return (error.strerror or "not a picture, or a damaged one").lower()
    except Exception:  # decoders raise anything, and all of it means the same here
        return "not a picture, or a damaged one"
    return values[..., None] if values.ndim == 2 else values


@dataclass(frozen=True)
class Depth:
    """How pictures become bytes.

    Attributes:
        channels: 1 grey, 3 colour.
        black: the value that becomes 0.
        white: the value that becomes 255.
    """

    channels: int
    black: float = 0.0
    white: float = 255.0

    @classmethod
    def of(cls, pictures: "Sequence[np.ndarray]") -> "Depth":
        """Learn from the pictures to learn from, each (height, width, channels)."""
        channels = 1 if all(p.shape[2] < 3 for p in pictures) else 3
        if all(p.dtype == np.uint8 for p in pictures):
            return cls(channels)
        sample = np.concatenate([p[::2, ::2, :3].ravel().astype(np.float64) for p in pictures])
        sample = sample[np.isfinite(sample)]
        if not len(sample):
            return cls(channels)
        black, white = np.percentile(sample, PERCENTILES).tolist()
        return cls(channels, black, white if white > black else black + 1)

    def bytes_of(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture as uint8 (height, width, channels of this depth)."""
        # 8 bits beside deeper ones are stretched as those are: 0 black, 255 white.
        plain = picture.dtype == np.uint8
        black, white = (0.0, 255.0) if plain else (self.black, self.white)
        if picture.shape[2] in (2, 4):  # what is transparent is seen on white
            top = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else white
            share = picture[..., -1:] / top
            picture = picture[..., :-1] * share + top * (1 - share)
        values = np.nan_to_num(picture.astype(np.float64), nan=self.black)
        if self.channels == 1 and values.shape[2] == 3:
            values = values @ np.array([[0.299], [0.587], [0.114]])
        elif self.channels == 3 and values.shape[2] == 1:
            values = values.repeat(3, 2)
        return np.rint(np.clip((values - black) / (white - black), 0, 1) * 255).astype(np.uint8)
