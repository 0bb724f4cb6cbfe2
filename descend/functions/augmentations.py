"""Training examples that are shown changed, as they might have been seen: turned over, nearer, brighter."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from descend.functions.data import Batch, Batches, InMemory, generator_at

Change = Callable[[Batch, torch.Generator], Batch]
"""Returns a batch, changed by chance; it owns the batch and may write into it."""


class Augmented(InMemory):
    """Tensors whose training batches are changed by chance, each time anew; passes see them as they are.

    Args:
        tensors: as for :class:`InMemory`.
        change: what changes a batch. What it draws is a function of (seed, step), so that a resumed or
            forked descent sees the very same.
    """

    def __init__(self, *tensors: Tensor, change: Change):
        super().__init__(*tensors)
        self.change = change

    def batches(self, size: int, seed: int, device: torch.device) -> "Batches":
        """Return changed batches, shuffled anew every epoch by ``seed``."""
        return _Changed(super().batches(size, seed, device), self.change, seed)


class _Changed:
    def __init__(self, batches: Batches, change: Change, seed: int):
        self.batches, self.change, self.seed = batches, change, seed
        self.per_epoch, self.step = batches.per_epoch, 0

    def next(self) -> Batch:
        generator = generator_at(self.seed, self.step)
        self.step += 1
        return self.change(tuple(t.clone() for t in self.batches.next()), generator)

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "batches": self.batches.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])
        self.batches.load_state(state["batches"])


class SeenOtherwise:
    """Changes pictures and the boxes in them: turned over, nearer or farther, moved, brighter, tinted.

    Args:
        upright: whether they have an up: then they are never turned upside down.
        zoom: how much larger or smaller things may be shown, as a factor.
        light: how much brightness, contrast and each channel may change, as a share.

    Shapes: pictures uint8 (n, height, width, channels), targets (n, most, 5) as
    :class:`descend.functions.detector.DetectionLoss` takes them. What is moved out of the picture by more
    than a half is no object any more.
    """

    def __init__(self, upright: bool, zoom: float = 1.4, light: float = 0.25):
        self.upright, self.zoom, self.light = upright, zoom, light

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return the batch, changed."""
        x, target = batch
        n = len(x)
        draw = torch.rand(10, n, generator=generator).to(x.device)
        flip = torch.stack([draw[0] < 0.5, (draw[1] < 0.5) & (not self.upright)], -1)
        scale = self.zoom ** (2 * draw[2] - 1)
        # Of what is shown larger any part may be seen, of what is smaller all stays in.
        move = (2 * draw[3:5].T - 1) * (1 - 1 / scale).abs()[:, None]
        pictures = self._shown(x, flip, scale, move)
        return lit(pictures, draw[5:], self.light), _moved(target, flip, scale, move)

    def _shown(self, x: Tensor, flip: Tensor, scale: Tensor, move: Tensor) -> Tensor:
        """Return the pictures as floats: place p of the new is 1/scale · p + move of the old, flipped."""
        sign = 1 - 2 * flip.float()
        theta = x.new_zeros(len(x), 2, 3, dtype=torch.float32)
        theta[:, 0, 0], theta[:, 1, 1] = sign[:, 0] / scale, sign[:, 1] / scale
        theta[:, :, 2] = move
        pixels = x.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
        grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
        # Beyond the edges lies the picture's mean: mirrored objects would be there, and not be boxed.
        mean = pixels.mean((2, 3), keepdim=True)
        return F.grid_sample(pixels - mean, grid, align_corners=False) + mean


def lit(pictures: Tensor, draw: Tensor, light: float) -> Tensor:
    """Return pictures in another light: brighter or darker, with more or less contrast, tinted.

    Args:
        pictures: floats of 0 to 255, (n, channels, height, width).
        draw: random numbers of 0 to 1, (5, n).
        light: how much each may change, as a share.

    Returns:
        uint8 (n, height, width, channels).
    """
    factors = 1 + light * (2 * draw - 1)
    middle = pictures.mean((1, 2, 3), keepdim=True)
    pictures = (pictures - middle) * factors[0].view(-1, 1, 1, 1) + middle * factors[1].view(-1, 1, 1, 1)
    if pictures.shape[1] == 3:
        tint = 1 + (factors[2:].T - 1) / 2
        pictures = pictures * tint[:, :, None, None]
    return pictures.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _moved(target: Tensor, flip: Tensor, scale: Tensor, move: Tensor) -> Tensor:
    """Return the boxes where the new pictures show them."""
    kind, corners = target[..., :1], target[..., 1:]
    sign = (1 - 2 * flip.float())[:, None]
    ends = [2 * corners[..., k : k + 2] - 1 for k in (0, 2)]
    new = [((end - move[:, None]) * sign * scale[:, None, None] + 1) / 2 for end in ends]
    low, high = torch.minimum(*new), torch.maximum(*new)
    whole = (high - low).prod(-1)
    low, high = low.clamp(0, 1), high.clamp(0, 1)
    left = (high - low).prod(-1) > whole / 2
    gone = torch.where(left[..., None], kind, torch.full_like(kind, -1))
    return torch.cat([gone, low, high], -1)
