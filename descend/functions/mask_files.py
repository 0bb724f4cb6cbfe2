"""Folders of pictures with masks: which picture a mask belongs to, and what its values stand for.

Two folders (``images`` and ``masks``, nnU-Net's ``imagesTr`` and ``labelsTr``, ...), two names (``x.png`` and
``x_mask.png``), or a folder a picture with a mask an object (the Data Science Bowl's of 2018).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from descend.errors import DataError
from descend.functions.box_files import PARTS
from descend.functions.depths import pixels_of
from descend.functions.picture_files import pictures_under
from descend.functions.unet import VOID

MASKS = "masks?|labels?|segmentations?|seg|gt|groundtruth|annotations?|annos?|ann_dir|segmentationclass"
IMAGES = "images?|imgs?|pictures?|photos?|raw|inputs?|jpegimages|img_dir"
MASK_FOLDER = re.compile(rf"({MASKS})(tr|ts|va)?", re.I)
IMAGE_FOLDER = re.compile(rf"({IMAGES})(tr|ts|va)?", re.I)
MASK_NAME = re.compile(rf"(?<![a-z])({MASKS})(?![a-z])", re.I)
IMAGE_NAME = re.compile(rf"(?<![a-z])({IMAGES})(?![a-z])", re.I)
ENDINGS = {"tr": "train", "ts": "test", "va": "validation"}
"""How nnU-Net ends its folders' names."""
MOST_CLASSES = 8
"""Different values in masks from which they number objects rather than classes."""
SMALLEST = 16
"""Pixels of a side below which there is nothing to segment."""

Key = tuple[tuple[str, ...], str]
"""Where a picture is and how it is called, but for whether it is a mask."""


@dataclass
class MaskedPictures:
    """What a folder holds.

    Attributes:
        parts: of each official part the pictures with their masks (several where each is an object), or all
            as ``train`` where there is no split.
        left_out: how often something was left out, by why.
    """

    parts: dict[str, list[tuple[Path, list[Path]]]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def has_masks(folder: Path) -> bool:
    """Whether there is a picture with its mask anywhere in a folder."""
    return bool(find_masks(folder).parts)


def _is_mask(path: Path, folder: Path) -> bool:
    """Whether a picture is a mask, by the nearest folder that says so or by its own name."""
    for name in reversed(path.relative_to(folder).parts[:-1]):
        if MASK_FOLDER.fullmatch(name):
            return True
        if IMAGE_FOLDER.fullmatch(name):
            return False
    return bool(MASK_NAME.search(path.stem))


def _place(name: str) -> str:
    """Return what a folder's name says but for whether masks are in it: ``tr`` of ``labelsTr``."""
    kind = MASK_FOLDER.fullmatch(name) or IMAGE_FOLDER.fullmatch(name)
    return (kind[2] or "").lower() if kind else name


def _key(path: Path, folder: Path) -> Key:
    """Return what a picture and its mask have in common: where they are, and the rest of their name."""
    where = tuple(place for name in path.relative_to(folder).parts[:-1] if (place := _place(name)))
    stem = IMAGE_NAME.sub("", MASK_NAME.sub("", path.stem.lower()))
    return where, re.sub(r"[\W_]+", "_", stem).strip("_")


def _part_of(where: Sequence[str]) -> str:
    for word in reversed([name.lower() for name in where]):
        if word in ENDINGS:
            return ENDINGS[word]
        for part, names in PARTS.items():
            if word in names:
                return part
    return "train"


def find_masks(folder: Path) -> MaskedPictures:
    """Find the pictures that have masks; what has none, or belongs to none, is counted."""
    found = MaskedPictures()
    pictures: dict[Key, Path] = {}
    masks: dict[Key, list[Path]] = defaultdict(list)
    for path in pictures_under(folder):
        if _is_mask(path, folder):
            masks[_key(path, folder)].append(path)
        else:
            pictures[_key(path, folder)] = path
    for key, path in pictures.items():
        where, stem = key
        own = masks.pop(key, None) or masks.pop((where, re.sub("_0000$", "", stem)), None)
        if own is None and where and where[-1].lower() == path.stem.lower():  # a folder of its own
            keys = [other for other in masks if other[0] == where]
            own = [mask for other in keys for mask in masks.pop(other)]
        if own:
            found.parts.setdefault(_part_of(where), []).append((path, own))
        else:
            found.left_out["pictures without a mask"] += 1
    found.left_out["masks without a picture"] += sum(map(len, masks.values()))
    if found.parts and "train" not in found.parts:  # of parts without one to learn from none is official
        found.parts = {"train": [one for own in found.parts.values() for one in own]}
    return found


def read_mask(paths: Sequence[Path], size: tuple[int, int]) -> np.ndarray | str:
    """Read a mask; of several, each an object, what any of them covers.

    Returns:
        Its values, int64 (height, width), of which 0 is the background; or why it cannot be used.
    """
    whole: np.ndarray | None = None
    for path in paths:
        values = pixels_of(path, numbers=True)
        if isinstance(values, str):
            return "masks that cannot be read"
        if values.shape[:2] != size:
            return "masks of another size than their picture"
        if path.suffix.lower() in (".jpg", ".jpeg"):  # compression blurs values
            values = (values > 127) * 255
        if values.shape[2] >= 3:  # a colour a class
            if values.shape[2] == 4:
                values = values[..., :3] * (values[..., 3:] > 0)
            grey = bool((values == values[..., :1]).all())
            weights = [1, 0, 0] if grey else [1 << 16, 1 << 8, 1]
            values = (values.astype(np.int64) * np.array(weights)).sum(2, keepdims=True)
        own = np.rint(values[..., 0]).astype(np.int64)
        whole = own if whole is None else np.where(own != 0, 1, whole != 0).astype(np.int64)
    assert whole is not None
    return whole


def class_values(masks: Sequence[np.ndarray]) -> list[int] | None:
    """Return the values that stand for classes, in rising order; nothing where masks number objects.

    A value of 255 beside other ones is none: it is where nobody could tell (Pascal VOC's void).
    """
    values: set[int] = set()
    for mask in masks:
        values |= set(np.unique(mask).tolist())
    values -= {0}
    if VOID in values and len(values) > 1 and max(values) == VOID:
        values -= {VOID}
    return sorted(values) if len(values) <= MOST_CLASSES else None


def numbered(mask: np.ndarray, values: Sequence[int] | None) -> np.ndarray:
    """Return a mask as class numbers, uint8: 0 the background, then the ``values``; else all above 0 is 1."""
    if values is None:
        return (mask != 0).astype(np.uint8)
    numbers = np.full(mask.shape, VOID, np.uint8)
    numbers[mask == 0] = 0
    for number, value in enumerate(values, start=1):
        numbers[mask == value] = number
    return numbers


def class_names(folder: Path, values: Sequence[int] | None) -> list[str]:
    """Return the names of the classes: as nnU-Net's ``dataset.json`` has them, else by their values."""
    try:
        labels = json.loads((folder / "dataset.json").read_bytes())["labels"]
        named = {}
        for name, value in labels.items():  # older files have them the other way round: {"0": "background"}
            named |= {int(name): str(value)} if name.isdigit() else {int(value): name}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        named = {}
    if values is None or len(values) == 1:
        return [named.get(values[0], "object") if values else "object"]
    return [named.get(value, f"class {value}") for value in values]


def nothing_to_learn(folder: Path, left_out: Counter[str]) -> DataError:
    """Return the error for a folder of which nothing is left."""
    why = "; ".join(f"{n} left out: {what}" for what, n in left_out.items() if n)
    return DataError(
        f"pictures with masks in {folder}",
        f"none to learn from{f' ({why})' if why else ''}",
        "give each picture x.png a mask of its size, masks/x.png beside images/x.png or x_mask.png",
    )
