"""Pictures with masks, of any size: learned from in pieces that are cut out anew each time, judged whole."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from descend.errors import DataError
from descend.functions.augmentations import lit
from descend.functions.data import Batch, Batches, generator_at
from descend.functions.unet import HALVINGS, VOID

GRAIN = 2**HALVINGS
TILE = 512
"""Pixels of a side that are answered for at a time; larger pictures are taken in tiles."""
AROUND = 64
"""Pixels around a tile that are looked at with it: what is near an edge is seen from both sides."""

Region = tuple[Tensor, Tensor]
"""A picture or a part of one, uint8 (height, width, channels), and its mask, uint8 (height, width)."""


def tiles(height: int, width: int) -> Iterator[tuple[slice, slice, slice, slice]]:
    """Yield what is looked at together and, within that, what is answered for: (rows, columns, own, own).

    Together the own parts cover a picture of ``height`` × ``width`` pixels, each pixel once.
    """
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            looked, own = [], []
            for start, end in ((top, height), (left, width)):
                low = max(0, start - AROUND)
                stop = min(start + TILE, end)
                looked.append(slice(low, min(stop + AROUND, end)))
                own.append(slice(start - low, stop - low))
            yield looked[0], looked[1], own[0], own[1]


def padded(picture: Tensor) -> Tensor:
    """Return a picture (height, width, channels) mirrored at its end, to sides that can be halved."""
    height, width = picture.shape[:2]
    down, right = -height % GRAIN, -width % GRAIN
    x = picture.permute(2, 0, 1)[None].float()
    while down or right:  # mirroring gives at most a side less one pixel
        add = min(down, x.shape[2] - 1), min(right, x.shape[3] - 1)
        x = F.pad(x, (0, add[1], 0, add[0]), mode="reflect")
        down, right = down - add[0], right - add[1]
    return x[0].permute(1, 2, 0).to(picture.dtype)


class Regions:
    """Pictures with their masks, as data: training sees pieces, passes see everything once.

    Args:
        regions: the pictures; of each at least 2 pixels a side.
        side: pixels of a piece.
        upright: whether pictures have an up: then they are neither turned nor stood on their head.
        zoom: how much larger or smaller things may be shown, as a factor.
        light: how much brightness and contrast may change, as a share.

    Raises:
        DataError: where there is none.

    What a training batch holds is a function of (seed, step) alone, so that a resumed or forked descent sees
    the very same. An epoch is as many pieces as have the pictures' area.
    """

    def __init__(
        self,
        regions: Sequence[Region],
        side: int = 128,
        upright: bool = False,
        zoom: float = 1.3,
        light: float = 0.3,
    ):
        if not regions:
            raise DataError("at least one picture", "none", "add pictures")
        self.regions = list(regions)
        self.side, self.upright, self.zoom, self.light = side, upright, zoom, light
        self.areas = torch.tensor([float(mask.numel()) for _, mask in self.regions])

    def __len__(self) -> int:
        """Return the number of pictures or, where these are larger, of pieces that have their area."""
        return max(len(self.regions), int(self.areas.sum()) // self.side**2)

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return batches of ``size`` pieces, from anywhere."""
        return _Pieces(self, size, seed, device)

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over every pixel once, tile by tile; those around a tile are void in its mask."""
        for picture, mask in self.regions:
            for rows, columns, *own in tiles(*mask.shape):
                x = padded(picture[rows, columns])
                y = torch.full(x.shape[:2], VOID, dtype=torch.uint8)
                y[own[0], own[1]] = mask[rows, columns][own[0], own[1]]
                yield x[None].to(device), y[None].to(device)

    def piece(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a piece of a picture as float (channels, side, side), and of its mask.

        It is turned by any angle and mirrored, where pictures have no up, and shown nearer or farther. Beyond
        the picture's edges its mirror image lies; there the mask is void.
        """
        k = int(torch.multinomial(self.areas, 1, generator=generator))
        picture, mask = self.regions[k]
        place = torch.rand(2, generator=generator)
        turn, far, flip = torch.rand(3, generator=generator).tolist()
        scale = self.zoom ** (2 * far - 1)
        angle = torch.tensor(0.0 if self.upright else 2 * torch.pi * turn)
        size = torch.tensor([float(mask.shape[0]), float(mask.shape[1])])
        inner = (self.side / 2 / size).clamp(max=0.5)  # middles from which a piece stays nearly inside
        middle = (inner + place * (1 - 2 * inner)) * size
        reach = int(self.side * scale * 0.75) + 2  # half a diagonal of what is looked at
        low = (middle - reach).floor().clamp(min=0).int().tolist()
        high = torch.minimum((middle + reach).ceil(), size).int().tolist()
        window = slice(low[0], high[0]), slice(low[1], high[1])
        steps = (torch.arange(self.side) + 0.5 - self.side / 2) * scale
        down, across = torch.meshgrid(steps, -steps if flip < 0.5 else steps, indexing="ij")
        at = torch.stack(  # in pixels of the window, (side, side, 2): across, then down
            [
                middle[1] - low[1] + across * angle.cos() - down * angle.sin(),
                middle[0] - low[0] + across * angle.sin() + down * angle.cos(),
            ],
            -1,
        )
        ends = torch.tensor([high[1] - low[1], high[0] - low[0]])
        grid = (2 * at / ends - 1)[None]
        x = picture[window].permute(2, 0, 1)[None].float()
        x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)[0]
        y = mask[window][None, None].float() + 1  # so that what lies outside is 0
        y = F.grid_sample(y, grid, mode="nearest", align_corners=False)[0, 0].round().to(torch.int16) - 1
        return x, torch.where(y < 0, VOID, y).to(torch.uint8)


class _Pieces:
    def __init__(self, regions: Regions, size: int, seed: int, device: torch.device):
        self.regions, self.size, self.seed, self.device = regions, size, seed, device
        self.per_epoch, self.step = max(1, len(regions) // size), 0

    def next(self) -> Batch:
        generator = generator_at(self.seed, self.step)
        self.step += 1
        pieces = [self.regions.piece(generator) for _ in range(self.size)]
        x = torch.stack([one for one, _ in pieces])
        draw = torch.rand(5, self.size, generator=generator)
        y = torch.stack([one for _, one in pieces])
        return lit(x, draw, self.regions.light).to(self.device), y.to(self.device)

    def state(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
