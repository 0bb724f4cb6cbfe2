"""Folders of pictures in which objects are boxed: Pascal VOC's XML files, or COCO's JSON.

Nothing in them ends a training: boxes without extent, objects of pictures that are not there, files that are
none are left out, and counted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from descend.errors import DataError
from descend.functions.picture_files import is_picture, pictures_under, size_of

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Names of lists and folders that hold an official split."""
MARKS = {".xml": (b"<annotation",), ".json": (b'"images"', b'"annotations"', b'"categories"')}
"""What stands near the beginning of a file that annotates pictures, by its suffix."""
LEAST_EXTENT = 1e-3
"""Of a picture's side, below which a box holds nothing."""

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class BoxedPicture:
    """One picture, and what is in it.

    Attributes:
        path: the picture's file.
        corners: of each object (left, top, right, bottom), as shares of the picture's width and height.
        names: of each object, its class.
    """

    path: Path
    corners: list[Corners] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass
class BoxedPictures:
    """What a folder holds.

    Attributes:
        parts: the pictures of each official part, or all as ``train`` where there is no split.
        left_out: how often something was left out, by why.
    """

    parts: dict[str, list[BoxedPicture]]
    left_out: Counter[str]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the alphabet."""
        return sorted({name for part in self.parts.values() for one in part for name in one.names})


def has_boxes(folder: Path) -> bool:
    """Whether there are annotations of boxes anywhere in a folder."""
    return any(_annotations(folder))


def read_boxes(folder: Path) -> BoxedPictures:
    """Read which objects are where.

    Args:
        folder: XML files as Pascal VOC's, anywhere in it (``ImageSets/Main`` may name the parts), or JSON
            files as COCO's. Parts are also known by the names of files and folders: train, val, test.

    Raises:
        DataError: where no picture has an object, or there is nothing to learn from.
    """
    left_out: Counter[str] = Counter()
    voc, coco = _annotations(folder)
    found = list(_of_voc(folder, voc, left_out) if voc else _of_coco(folder, coco, left_out))
    parts: dict[str, list[BoxedPicture]] = {}
    for part, one in found:
        parts.setdefault(part, []).append(one)
    if "train" not in parts:  # of parts without one to learn from none is official
        parts = {"train": [one for own in parts.values() for one in own]}
    if not any(one.names for one in parts["train"]):
        why = "; ".join(f"{n} left out: {what}" for what, n in left_out.items())
        raise DataError(
            f"pictures with boxed objects in {folder}",
            f"none to learn from{f' ({why})' if why else ''}",
            "check the annotations' paths",
        )
    return BoxedPictures(parts, left_out)


def _annotations(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files in a folder that annotate boxes, Pascal VOC's and COCO's: by how they begin."""
    voc, coco = [], []
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        if suffix not in MARKS or path.name.startswith("."):
            continue
        try:
            with path.open("rb") as file:
                beginning = file.read(1 << 16)
        except OSError:
            continue
        if any(mark in beginning for mark in MARKS[suffix]):
            (voc if suffix == ".xml" else coco).append(path)
    return voc, coco


def _part_of(words: Iterable[str]) -> str:
    """Return the part that the last of some names stands for."""
    for word in reversed([w.lower() for w in words]):
        for part, names in PARTS.items():
            if word in names:
                return part
    return "train"


def _named_pictures(folder: Path) -> dict[str, Path]:
    """Return every picture by its name, without and with its suffix."""
    pictures = pictures_under(folder)
    return {p.stem: p for p in pictures} | {p.name: p for p in pictures}


def _bounded(corners: Iterable[float], width: float, height: float) -> Corners | None:
    """Return a box as shares of the picture, cut at its edges; nothing where nothing of it is there."""
    try:
        left, top, right, bottom = (float(c) for c in corners)
        box = (
            min(max(left / width, 0.0), 1.0),
            min(max(top / height, 0.0), 1.0),
            min(max(right / width, 0.0), 1.0),
            min(max(bottom / height, 0.0), 1.0),
        )
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return box if box[2] - box[0] > LEAST_EXTENT and box[3] - box[1] > LEAST_EXTENT else None


def _of_voc(folder: Path, files: list[Path], left_out: Counter[str]) -> Iterator[tuple[str, BoxedPicture]]:
    pictures, listed = _named_pictures(folder), _lists(folder)
    for path in files:
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError):
            left_out["annotations that cannot be read"] += 1
            continue
        if root.find("object") is None and root.find("size") is None:
            continue  # another kind of file
        named = Path(root.findtext("filename") or "").name
        picture = pictures.get(path.stem) or pictures.get(named) or pictures.get(Path(named).stem)
        if picture is None:
            left_out["annotations without their picture"] += 1
            continue
        width, height = (_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
        if not width or not height:
            height, width = _size(picture)
        one = BoxedPicture(picture)
        for item in root.findall("object"):
            ends = [item.findtext(f"bndbox/{end}") for end in ("xmin", "ymin", "xmax", "ymax")]
            _take(one, item.findtext("name"), _bounded(ends, width, height), left_out)  # type: ignore[arg-type]
        yield listed.get(path.stem) or _part_of(path.relative_to(folder).parts[:-1]), one


def _lists(folder: Path) -> dict[str, str]:
    """Return the part of each picture that the lists in ``ImageSets/Main`` name."""
    listed: dict[str, str] = {}
    for part, names in PARTS.items():
        for name in names:
            for path in sorted(folder.rglob(f"ImageSets/Main/{name}.txt")):
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    if line.split():
                        listed[line.split()[0]] = part
    return listed


def _of_coco(folder: Path, files: list[Path], left_out: Counter[str]) -> Iterator[tuple[str, BoxedPicture]]:
    pictures = _named_pictures(folder)
    for path in files:
        try:
            saved = json.loads(path.read_bytes())
            shown = {one["id"]: one for one in saved["images"]}
            names = {one["id"]: str(one["name"]) for one in saved["categories"]}
            objects = saved["annotations"]
        except (ValueError, KeyError, TypeError):
            left_out["annotations that cannot be read"] += 1
            continue
        words = path.relative_to(folder).parts
        part = _part_of([*words[:-1], *path.stem.replace("-", "_").split("_")])
        part = part if part != "train" else _part_of([w.rstrip("0123456789") for w in path.stem.split("_")])
        found: dict[Any, BoxedPicture] = {}
        for key, one in shown.items():
            named = Path(str(one.get("file_name", "")))
            beside = path.parent / named
            picture = beside if is_picture(beside) and beside.is_file() else pictures.get(named.name)
            if picture is None:
                left_out["annotations without their picture"] += 1
                continue
            found[key] = BoxedPicture(picture)
        for item in objects:
            own = found.get(item.get("image_id"))
            if own is None:
                continue
            facts = shown[item["image_id"]]
            width, height = _number(facts.get("width")), _number(facts.get("height"))
            if not width or not height:
                height, width = _size(own.path)
            x, y, w, h = [*(item.get("bbox") or []), *[None] * 4][:4]
            ends = None if None in (x, y, w, h) else (x, y, x + w, y + h)
            box = _bounded(ends, width, height) if ends is not None else None
            if item.get("iscrowd"):
                left_out["crowds, boxed as one"] += 1
                continue
            _take(own, names.get(item.get("category_id")), box, left_out)
        for one in found.values():
            yield part, one


def _take(picture: BoxedPicture, name: str | None, box: Corners | None, left_out: Counter[str]) -> None:
    if not (name or "").strip():
        left_out["objects without a class"] += 1
    elif box is None:
        left_out["boxes without extent"] += 1
    else:
        picture.names.append(str(name).strip())
        picture.corners.append(box)


def _number(text: object) -> float:
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def _size(path: Path) -> tuple[float, float]:
    return size_of(path) or (0.0, 0.0)
