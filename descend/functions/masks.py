"""Pictures as a net takes them that says what each pixel is, and its answers: areas, counts, outlines."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from descend.errors import DataError
from descend.functions.answers import known_options, outputs_of
from descend.functions.components import components
from descend.functions.depths import Depth, pixels_of
from descend.functions.detections import COLOURS
from descend.functions.picture_files import pictures_at, place_for_drawing
from descend.functions.pixels import Pixels
from descend.functions.regions import padded, tiles
from descend.functions.unet import UNet


@dataclass(frozen=True)
class MaskReader:
    """Reads pictures, and answers with how much of what is in them.

    Attributes:
        classes: the names of the classes, in the order of their numbers, from 1; the background is 0.
        depth: how pictures become bytes.
        mean: of each channel, 0 to 255.
        std: of each channel.
        width: of the :class:`~descend.functions.unet.UNet`.
    """

    classes: list[str]
    depth: Depth
    mean: list[float]
    std: list[float]
    width: int

    kind: ClassVar[str] = "masks"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "MaskReader":
        """Rebuild it."""
        own = {name: value for name, value in saved.items() if name != "kind"}
        return cls(**{**own, "depth": Depth(**saved["depth"])})

    def model(self) -> nn.Module:
        """Build the function afresh: uint8 (n, height, width, channels) → logits (n, classes + 1, ...)."""
        net = UNet(self.depth.channels, len(self.classes) + 1, self.width)
        return nn.Sequential(Pixels(self.mean, self.std), net)

    def mask_of(self, model: nn.Module, picture: Tensor) -> Tensor:
        """Return the most probable class of each pixel, uint8 (height, width), of a uint8 picture."""
        mask = torch.zeros(picture.shape[:2], dtype=torch.uint8)
        for rows, columns, *own in tiles(*picture.shape[:2]):
            told = outputs_of(model, padded(picture[rows, columns])[None], 1)[0].argmax(0)
            mask[rows, columns][own[0], own[1]] = told[own[0], own[1]].to(torch.uint8)
        return mask

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Find what is where in a picture, or in each picture of a folder.

        Args:
            model: the function, trained.
            source: the file or the folder.
            options: ``draw``, a file for the picture with its mask outlined, or a folder where there are
                several; ``skip_unreadable=True`` leaves out what cannot be read, instead of refusing all.

        Returns:
            For each picture ``{"file", "pixels/CLASS", "share/CLASS", "objects/CLASS", ...}``: the area of
            each class in pixels of the picture and as a share of it, and how many pieces it comes in.

        Raises:
            DataError: where there is no picture, or one that cannot be read.
            UsageError: where an option is unknown.
        """
        chosen = known_options(options, draw=None, skip_unreadable=False)
        path = Path(source)
        paths = pictures_at(path)
        into = None if chosen["draw"] is None else place_for_drawing(Path(chosen["draw"]), path.is_dir())
        answers = []
        for one in paths:
            values = pixels_of(one)
            if isinstance(values, str):
                if chosen["skip_unreadable"]:
                    continue
                raise DataError("pictures that can be read", f"{one} ({values})", "repair or remove it")
            picture = self.depth.bytes_of(values)
            mask = self.mask_of(model, torch.from_numpy(picture)).numpy()
            answers.append({"file": str(one), **self._areas(mask)})
            if into is not None:
                outlined(picture, mask).save(into / f"{one.stem}.png" if path.is_dir() else into)
        if not answers:
            raise DataError("a picture that can be read", f"none of {len(paths)}", "check the files")
        return answers

    def _areas(self, mask: np.ndarray) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for number, name in enumerate(self.classes, start=1):
            own = mask == number
            pixels = int(own.sum())
            answer[f"pixels/{name}"] = pixels
            answer[f"share/{name}"] = round(pixels / mask.size, 6)
            answer[f"objects/{name}"] = components(own)
        return answer


def outlined(picture: np.ndarray, mask: np.ndarray) -> Any:
    """Return a picture in which the edges of what a mask covers are drawn, a colour a class.

    Args:
        picture: uint8 (height, width, channels).
        mask: uint8 (height, width).

    Returns:
        A ``PIL.Image.Image`` of the same size.
    """
    from PIL import Image, ImageColor

    shown = np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture.copy()
    low, high = np.percentile(shown, (0.5, 99.8))
    if high > low:  # dark microscopy is to be seen
        shown = np.clip((shown.astype(np.float32) - low) / (high - low), 0, 1) * 255
    framed = np.pad(mask, 1, mode="edge")
    edge = np.zeros(mask.shape, bool)
    for down, across in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= framed[down : down + mask.shape[0], across : across + mask.shape[1]] != mask
    shown = shown.astype(np.uint8)
    for number in range(1, int(mask.max(initial=0)) + 1):
        shown[edge & (mask == number)] = ImageColor.getrgb(COLOURS[(number - 1) % len(COLOURS)])
    return Image.fromarray(shown)


def standards(pictures: Sequence[Tensor]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over pictures, uint8 (height, width, channels)."""
    pixels = torch.cat(
        [picture.flatten(0, 1)[:: max(1, len(pictures) // 50)] for picture in pictures]
    ).double()
    return pixels.mean(0).tolist(), pixels.std(0, correction=0).tolist()
