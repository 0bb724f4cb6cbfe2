"""How a loss becomes a colour: on a scale that shows the valley, in colours that everybody can tell apart."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

VALLEY = (
    (0.0, (18, 30, 74)),
    (0.2, (31, 79, 138)),
    (0.4, (42, 132, 154)),
    (0.6, (94, 178, 146)),
    (0.8, (186, 212, 138)),
    (1.0, (253, 244, 188)),
)
"""Dark where the loss is low, bright where it is high: lightness alone tells the height."""

WAYS = ("#ff5a36", "#d052e0", "#ffffff", "#ffb000")
"""Of the ways, one after the other."""

STEEP = 30.0
"""The ratio of the highest to the lowest loss from which the scale is logarithmic."""


@dataclass(frozen=True)
class Scale:
    """What loss has which height.

    Attributes:
        low: the least loss.
        high: the greatest.
        offset: what is added before the logarithm is taken; ``None`` where the scale is linear.
    """

    low: float
    high: float
    offset: float | None

    @classmethod
    def of(cls, loss: Tensor) -> "Scale":
        """Return the scale for losses: logarithmic above their least where they are steep."""
        finite = loss[loss.isfinite()]
        if not len(finite):
            return cls(0.0, 1.0, None)
        low, high = float(finite.min()), float(finite.max())
        if high <= low:
            return cls(low, low + 1.0, None)
        middle = float(finite.median())
        offset = -low + 1e-3 * max(middle - low, 1e-3 * (high - low))
        steep = high - low > STEEP * max(middle - low, 1e-300) or (low > 0 and high > STEEP * low)
        return cls(low, high, offset if steep else None)

    def height(self, loss: Tensor) -> Tensor:
        """Return heights from 0 to 1; 1 where the loss is no finite number."""
        at = loss.clamp(self.low, self.high)
        if self.offset is None:
            found = (at - self.low) / (self.high - self.low)
        else:
            least, most = math.log(self.low + self.offset), math.log(self.high + self.offset)
            found = ((at + self.offset).log() - least) / (most - least)
        return torch.where(loss.isfinite(), found, torch.ones_like(found))

    def loss(self, height: float) -> float:
        """Return the loss that has a height."""
        if self.offset is None:
            return self.low + height * (self.high - self.low)
        least, most = math.log(self.low + self.offset), math.log(self.high + self.offset)
        return math.exp(least + height * (most - least)) - self.offset


def plotly_scale() -> list[list[object]]:
    """Return the colours as plotly takes them."""
    return [[at, f"rgb{colour}"] for at, colour in VALLEY]


def pixels(height: Tensor) -> Tensor:
    """Return colours (..., 3), uint8, of heights from 0 to 1."""
    at = torch.tensor([a for a, _ in VALLEY], dtype=torch.float64)
    colours = torch.tensor([c for _, c in VALLEY], dtype=torch.float64)
    height = height.double().clamp(0, 1)
    k = (torch.searchsorted(at, height.contiguous()) - 1).clamp(0, len(at) - 2)
    share = ((height - at[k]) / (at[k + 1] - at[k]))[..., None]
    return (colours[k] * (1 - share) + colours[k + 1] * share).round().to(torch.uint8)
