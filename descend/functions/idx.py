"""IDX files, the form in which MNIST, Fashion-MNIST and their relatives are handed round.

A file is a magic number (two zero bytes, the type, the number of dimensions), each dimension as a
big-endian 32-bit integer, and the values; often in gzip. Source: Y. LeCun, C. Cortes, C. J. C. Burges,
"The MNIST database of handwritten digits".
"""

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from descend.errors import DataError

_NAME = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)[-_.](?P<what>images|labels)[-_.]idx[0-9][-_.]ubyte(\.gz)?", re.I
)


@dataclass(frozen=True)
class IdxFiles:
    """The files of one data set: images and labels to learn from, and the official test's, if any."""

    train_images: Path
    train_labels: Path
    test_images: Path | None = None
    test_labels: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All the files there are."""
        every = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        return [path for path in every if path is not None]


def find_idx(folder: Path) -> IdxFiles | None:
    """Look for IDX files by their usual names, ``train-images-idx3-ubyte.gz`` and the like.

    Args:
        folder: looked at itself, not its subfolders.

    Returns:
        The files, or ``None`` where there are none. A file that is there both packed and unpacked is
        read unpacked.

    Raises:
        DataError: where one of a pair is missing, or the files belong to several data sets.
    """
    found: dict[tuple[str, str], Path] = {}
    sets = set()
    # "x" sorts before "x.gz", so the packed twin is the one that is left out.
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            part = "train" if match["part"].lower() == "train" else "test"
            sets.add(match["set"])
            found.setdefault((part, match["what"].lower()), path)
    if not found:
        return None
    if len(sets) > 1:
        names = ", ".join(sorted(name.strip("-_.") or "(no prefix)" for name in sets))
        raise DataError(
            f"the IDX files of one data set in {folder}", names, "put each data set into a folder of its own"
        )
    for part in ("train", "test"):
        for what, other in (("images", "labels"), ("labels", "images")):
            if (part, what) in found and (part, other) not in found:
                raise DataError(
                    f"{other} beside {found[part, what].name}", f"none in {folder}", "add the missing file"
                )
    if ("train", "images") not in found:
        raise DataError(
            f"train-images and train-labels in {folder}", "a test set alone", "add the train files"
        )
    return IdxFiles(
        found["train", "images"],
        found["train", "labels"],
        found.get(("test", "images")),
        found.get(("test", "labels")),
    )


def is_idx(path: Path) -> bool:
    """Whether a file is named like an IDX file: ``...idx3-ubyte``, with or without ``.gz``."""
    return re.search(r"idx[0-9][-_.]ubyte(\.gz)?$", path.name, re.I) is not None


def read_idx(path: Path) -> Tensor:
    """Read one IDX file of unsigned bytes.

    Args:
        path: the file, in gzip or not.

    Returns:
        A uint8 tensor of the shape the file says.

    Raises:
        DataError: where the file is missing, cut short, damaged, or something else.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except OSError as error:  # BadGzipFile is one of them
        why = error.strerror or str(error)
        raise DataError(f"a readable IDX file at {path}", why.lower(), "check the file") from None
    except (EOFError, zlib.error):
        raise DataError(
            f"a whole gzip file at {path}", "one that is cut short or damaged", "get the file again"
        ) from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or not 1 <= raw[3] <= 4:
        begins = f"a file that begins with {raw[:4].hex(' ')}" if raw else "an empty file"
        raise DataError(
            f"an IDX file at {path}, which begins with 00 00 08 and its number of dimensions",
            begins,
            "check that it is the right file",
        )
    if raw[2] != 0x08:
        raise DataError(
            f"unsigned bytes (type 08) in {path}", f"type {raw[2]:02x}", "save the values as bytes 0 to 255"
        )
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise DataError(f"the dimensions in {path}", "a file cut short before them", "get the file again")
    shape = struct.unpack(f">{raw[3]}I", raw[4:start])
    count = 1
    for n in shape:
        count *= n
    if len(raw) - start != count:
        raise DataError(
            f"{count} bytes in {path}, for {' × '.join(map(str, shape))}",
            f"{len(raw) - start}",
            "get the file again",
        )
    if not count:
        raise DataError(f"at least one example in {path}", "none", "check that it is the right file")
    # A writable copy: torch warns about memory that belongs to a bytes object.
    return torch.frombuffer(bytearray(memoryview(raw)[start:]), dtype=torch.uint8).view(shape)


def read_images(path: Path) -> Tensor:
    """Read pictures: uint8, shape (n, height, width, channels).

    Raises:
        DataError: as :func:`read_idx`; and where the file holds no pictures.
    """
    images = read_idx(path)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise DataError(
            f"pictures of shape (n, height, width) or (n, height, width, 3) in {path}",
            f"shape {tuple(images.shape)}",
            "check that it is the file of images, not of labels",
        )
    return images


def read_pair(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    """Read pictures and their labels.

    Returns:
        uint8 (n, height, width, channels) and int64 (n,).

    Raises:
        DataError: as :func:`read_idx`; and where there are more of the one than of the other.
    """
    x, y = read_images(images), read_idx(labels)
    if y.ndim != 1:
        raise DataError(
            f"one label each in {labels}", f"shape {tuple(y.shape)}", "check that it is the right file"
        )
    if len(x) != len(y):
        raise DataError(
            f"as many labels in {labels.name} as pictures in {images.name}",
            f"{len(y)} labels and {len(x)} pictures",
            "get both files from one place",
        )
    return x, y.long()
