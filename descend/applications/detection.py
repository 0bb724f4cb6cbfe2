"""Detecting objects: what is in a picture, how many of each, and where. Blood cells under a microscope, say.

**The function** looks at every fourth pixel of a picture and says of each class how probable it is that an
object's middle is there, and how far its edges are (:class:`descend.functions.detector.Detector`, a
convolutional net that goes down to coarse and back up to fine).
**Its parameters** are the weights of its convolutions, about a million.
**The loss** has two parts: how surprising the objects' middles are (focal cross-entropy, for nearly
everywhere there is none), and how little the boxes told overlap with those drawn by hand (generalised IoU).
**The data** are a folder of pictures with boxes, as Pascal VOC or COCO write them. Every picture is shown
turned over, nearer or farther and in another light each time: a cell is a cell however the slide lies.
**The descent** ends with two things that only held-out pictures can tell: how often a box of which score is
right, and what share of the objects has one: so counts are expected numbers.

Change first: the time (`--seconds`); then ``longest``, the pixels of a picture's longer side, where objects
are small.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from descend.errors import DataError, UsageError
from descend.functions.augmentations import Augmented, SeenOtherwise
from descend.functions.box_files import BoxedPicture, read_boxes
from descend.functions.boxes import mean_average_precision
from descend.functions.data import InMemory
from descend.functions.detections import DetectionReader
from descend.functions.detector import DetectionLoss, known
from descend.functions.picture_files import Form, common_form, read_pictures
from descend.functions.problem import Problem, Settings
from descend.functions.splits import seeded, split

GRAIN = 32
"""The function halves a picture five times."""


def detection_problem(
    path: str | Path,
    *,
    seed: int = 0,
    longest: int = 320,
    width: int = 16,
    upright: bool | None = None,
) -> Problem:
    """Make the problem of finding the objects in pictures.

    Args:
        path: a folder with pictures and boxes, see :func:`descend.functions.box_files.read_boxes`. Without
            lists or folders that name the parts, a fifth is held out and an eighth of the rest chooses.
        seed: draws the parts and the initial parameters.
        longest: pixels of the longer side that pictures are brought to.
        width: of the detector.
        upright: whether pictures have an up; ``None`` finds out from where the objects are.

    Returns:
        The problem; its inputs are uint8 (n, height, width, channels), its targets (n, most, 5), of each
        object its class and corners, −1 where there is none.

    Raises:
        DataError: where there are no boxes, or no pictures that can be read.
        UsageError: where ``longest`` is too small.
        MissingExtra: where Pillow is not installed.
    """
    folder = Path(path)
    if longest < 2 * GRAIN:
        raise UsageError(f"at least {2 * GRAIN} pixels for longest", f"{longest}", "take more")
    held = read_boxes(folder)
    every = [(part, one) for part, own in held.parts.items() for one in own]
    paths = [one.path for _, one in every]
    form = _form(paths, longest)
    x, kept, digest = read_pictures(paths, form, skip_unreadable=True)
    held.left_out["pictures that cannot be read"] += len(paths) - len(kept)
    classes = held.classes
    y = _targets([every[k][1] for k in kept], classes)
    train, validation, test = _parted([every[k][0] for k in kept], seed)
    upright = _have_an_up(y[train]) if upright is None else upright
    sample = x[train][:: max(1, len(train) // 200)].float()
    mean, std = sample.mean((0, 1, 2)).tolist(), sample.std((0, 1, 2), correction=0).tolist()
    reader = DetectionReader(classes, form, mean, std, width)
    with seeded(seed):
        function = reader.model()
    left_out = {why: n for why, n in held.left_out.items() if n}
    return Problem(
        function,
        DetectionLoss(),
        train=Augmented(x[train], y[train], change=SeenOtherwise(upright)),
        validation=InMemory(x[validation], y[validation]),
        test=InMemory(x[test], y[test]),
        metric=mean_average_precision(reader.boxes, known, len(classes)),
        name=folder.resolve().name,
        reader=reader,
        settings=Settings(
            "adamw", 2e-3, 8, 1500, "cosine", 0.05, 10.0, {"weight_decay": 0.05}, precision="auto"
        ),
        facts={
            "source": str(folder),
            "kind": "boxes",
            "rows": len(x),
            "classes": classes,
            "objects": int((y[..., 0] >= 0).sum()),
            "size": [form.height, form.width],
            "channels": form.channels,
            "upright": upright,
            "sha256": digest,
            "notes": [f"{n} left out: {why}" for why, n in left_out.items()],
        },
    )


def _form(paths: Sequence[Path], longest: int) -> Form:
    """Return the form of the pictures, with sides that the function can halve."""
    shape = common_form(paths, longest)
    height, width = (max(GRAIN, round(side / GRAIN) * GRAIN) for side in (shape.height, shape.width))
    return Form(height, width, shape.channels)


def _targets(pictures: Sequence[BoxedPicture], classes: list[str]) -> Tensor:
    """Return what there is in each picture, (n, most, 5)."""
    y = torch.full((len(pictures), max(1, *(len(one.names) for one in pictures)), 5), -1.0)
    for row, one in zip(y, pictures, strict=True):
        for k, (name, corners) in enumerate(zip(one.names, one.corners, strict=True)):
            row[k] = torch.tensor([float(classes.index(name)), *corners])
    return y


def _parted(parts: Sequence[str], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices of each part; one that is not official is drawn from what is there to learn from."""
    at = {p: torch.tensor([k for k, own in enumerate(parts) if own == p]) for p in sorted(set(parts))}
    train = at["train"]
    if len(train) < 4:
        raise DataError("at least 4 pictures with boxes to learn from", f"{len(train)}", "add pictures")
    missing = [p for p in ("validation", "test") if p not in at]
    if missing:
        test = 1 / 5 if "test" in missing else 0
        validation = 1 / 8 if "validation" in missing else 0
        own, chosen, held = split(len(train), test=test, validation=validation, seed=seed)
        at = {"validation": train[chosen], "test": train[held], **at, "train": train[own]}
    return at["train"], at["validation"], at["test"]


def _have_an_up(targets: Tensor) -> bool:
    """Whether objects of some class lie rather above or below: their middles' mean is off by four errors."""
    rows = targets[targets[..., 0] >= 0]
    for kind in rows[:, 0].unique():
        middles = rows[rows[:, 0] == kind][:, [2, 4]].mean(1)
        error = float(middles.std()) / len(middles) ** 0.5 if len(middles) > 7 else float("inf")
        if abs(float(middles.mean()) - 0.5) > 4 * max(error, 1e-9):
            return True
    return False
