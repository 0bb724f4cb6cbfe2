"""Segmenting pictures: which pixels belong to what, and how much of it there is. Cell nuclei, say, or tissue.

**The function** looks at a whole picture and gives every pixel a probability for each class, the background
among them (:class:`descend.functions.unet.UNet`, a convolutional net that goes down to coarse and back up to
fine, and on the way up is told what it had seen on the way down).
**Its parameters** are the weights of its convolutions, some hundred thousand to two million.
**The loss** has two parts: how surprising each pixel's class is (cross-entropy), and how little of what is
told of a class overlaps with what was drawn by hand (one minus the soft Dice coefficient).
**The data** are a folder of pictures with masks drawn by hand. One large picture is enough: training sees
pieces of it, cut out anew each time, turned, nearer or farther and in another light. What judges the function
lies apart: whole pictures or, where there are few, whole regions of each.
**The descent** keeps the parameters that were best on the held-out part that chooses.

Change first: the time (`--seconds`); then ``side``, the pixels of a piece, where what is to be found is
larger than a piece; then ``width``.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from descend.errors import DataError
from descend.functions.depths import Depth, pixels_of
from descend.functions.mask_files import (
    SMALLEST,
    class_names,
    class_values,
    find_masks,
    nothing_to_learn,
    numbered,
    read_mask,
)
from descend.functions.masks import MaskReader, standards
from descend.functions.problem import Problem, Settings
from descend.functions.regions import GRAIN, Region, Regions
from descend.functions.sizes import at_least
from descend.functions.splits import seeded, split
from descend.functions.unet import dice, segmentation

FEW = 8
"""Pictures below which regions of each are held out, in place of whole pictures."""
SHARES = {"test": 1 / 5, "validation": 1 / 8}
"""What is held out to the end and, of the rest, what chooses; in this order."""


def segmentation_problem(
    path: str | Path, *, seed: int = 0, side: int = 128, width: int = 16, upright: bool = False
) -> Problem:
    """Make the problem of telling what each pixel of a picture belongs to.

    Args:
        path: a folder with pictures and masks, see :mod:`descend.functions.mask_files`. Without folders that
            name the parts, a fifth is held out and an eighth of the rest chooses: of the pictures or, where
            there are fewer than 8, of the area of each, in bands along two sides that the seed names.
        seed: draws the parts and the initial parameters.
        side: pixels of a piece that is learned from.
        width: of the net.
        upright: whether pictures have an up: then they are not turned.

    Returns:
        The problem; its inputs are uint8 (n, height, width, channels), its targets uint8 (n, height, width):
        class numbers, 0 the background, 255 where nobody could tell.

    Raises:
        DataError: where there are no pictures with masks, or masks in which there is nothing.
        UsageError: where a size is too small.
        MissingExtra: where Pillow is not installed.
    """
    folder = Path(path)
    at_least(2 * GRAIN, side=side)
    found = find_masks(folder)
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    digest = hashlib.sha256()
    for part, pairs in found.parts.items():
        for picture, own in pairs:
            read = _read(picture, own)
            if isinstance(read, str):
                found.left_out[read] += 1
            else:
                parts.setdefault(part, []).append(read)
                for file in (picture, *own):
                    digest.update(hashlib.sha256(file.read_bytes()).digest())
    if not parts.get("train"):
        raise nothing_to_learn(folder, found.left_out)
    values = class_values([mask for own in parts.values() for _, mask in own])
    if values == []:
        raise DataError(f"masks in {folder} that cover something", "empty ones only", "check the masks")
    # What is held back has no say in what is black and what is white.
    depth = Depth.of([picture for picture, _ in parts["train"]])
    regions = {
        part: [
            (torch.from_numpy(depth.bytes_of(picture)), torch.from_numpy(numbered(mask, values)))
            for picture, mask in own
        ]
        for part, own in parts.items()
    }
    regions = _parted(regions, seed)
    classes = class_names(folder, values)
    mean, std = standards([picture for picture, _ in regions["train"]])
    reader = MaskReader(classes, depth, mean, std, width)
    with seeded(seed):
        function = reader.model()
    empty = sum(not mask.any() for own in parts.values() for _, mask in own)
    notes = [f"{n} left out: {why}" for why, n in found.left_out.items() if n]
    notes += [f"{empty} of the masks are empty"] if empty else []
    return Problem(
        function,
        segmentation,
        train=Regions(regions["train"], side, upright),
        validation=Regions(regions["validation"], side),
        test=Regions(regions["test"], side),
        metric=dice(len(classes) + 1),
        name=folder.resolve().name,
        reader=reader,
        settings=Settings("adamw", 3e-3, 4, 1500, "cosine", 0.05, 10.0, {"weight_decay": 0.05}),
        facts={
            "source": str(folder),
            "kind": "masks",
            "rows": sum(map(len, parts.values())),
            "classes": classes,
            "channels": depth.channels,
            "values": "numbers of objects" if values is None else values,
            "sha256": digest.hexdigest(),
            "notes": notes,
        },
    )


def _read(picture: Path, masks: Sequence[Path]) -> tuple[np.ndarray, np.ndarray] | str:
    """Return a picture and its mask, or why they are left out."""
    pixels = pixels_of(picture)
    if isinstance(pixels, str):
        return "pictures that cannot be read"
    if min(pixels.shape[:2]) < SMALLEST:
        return f"pictures of less than {SMALLEST} pixels a side"
    mask = read_mask(masks, (pixels.shape[0], pixels.shape[1]))
    return mask if isinstance(mask, str) else (pixels, mask)


def _parted(regions: dict[str, list[Region]], seed: int) -> dict[str, list[Region]]:
    """Return the regions of each part; what is not official is drawn from what is there to learn from."""
    train = regions["train"]
    missing = {part: share for part, share in SHARES.items() if part not in regions}
    if len(train) >= FEW:
        drawn = split(len(train), **{"test": 0, "validation": 0, **missing}, seed=seed)
        named = zip(("train", "validation", "test"), drawn, strict=True)
        own = {part: [train[k] for k in at.tolist()] for part, at in named}
        return own | {part: those for part, those in regions.items() if part != "train"}
    parts = dict(regions)
    for turn, (part, share) in enumerate(missing.items()):
        parts[part], rest = [], []
        for k, (picture, mask) in enumerate(parts["train"]):
            side = (seed + k + 2 * turn) % 4  # what is held out lies opposite of what chooses
            x, y = picture.rot90(side), mask.rot90(side)
            at = min(max(round((1 - share) * len(y)), 2), len(y) - 2)
            parts[part].append((x[at:].rot90(-side), y[at:].rot90(-side)))
            rest.append((x[:at].rot90(-side), y[:at].rot90(-side)))
        parts["train"] = rest
    return parts
