"""A small convolutional net that says of every pixel what it belongs to, and what it is learned by."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.functions.convolutions import Residual, convolution
from descend.functions.measures import Metric
from descend.functions.sizes import at_least

HALVINGS = 4
"""How often a picture is halved on the way down: its sides are to be whole multiples of 2⁴."""
VOID = 255
"""The class number of pixels that nothing is learned from and nothing judged by."""


class UNet(nn.Module):
    """Says of every pixel how probable each class is there.

    Args:
        channels: of the pictures.
        classes: of pixels, the background among them.
        width: channels at full size; doubled at each halving, up to eightfold.

    Shapes: (n, channels, height, width), sides that 16 divides → logits (n, classes, height, width).

    On the way down each scale sees more of the picture in less detail; on the way up each is told beside what
    the coarser ones understood what it had seen itself (a skip connection), so that edges come out fine.

    Source: Ronneberger, Fischer & Brox 2015, U-Net: convolutional networks for biomedical image segmentation,
    arXiv:1505.04597; here with residual pairs, normalisation and strides in place of pooling.

    Example:
        >>> UNet(1, 2, width=4)(torch.zeros(1, 1, 32, 48)).shape
        torch.Size([1, 2, 32, 48])
    """

    def __init__(self, channels: int, classes: int, width: int = 16):
        super().__init__()
        at_least(1, channels=channels, classes=classes, width=width)
        widths = [width * min(2**k, 8) for k in range(HALVINGS + 1)]
        self.stem = nn.Sequential(convolution(channels, width), convolution(width, width))
        self.down = nn.ModuleList(
            nn.Sequential(convolution(a, b, stride=2), Residual(b)) for a, b in pairwise(widths)
        )
        self.up = nn.ModuleList(convolution(a + b, a) for a, b in pairwise(widths))
        self.output = nn.Conv2d(width, classes, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        if self.output.bias is not None:
            nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.stem(x.to(memory_format=torch.channels_last))
        seen = [x]
        for down in self.down:
            seen.append(down(seen[-1]))
        x = seen.pop()
        for up in reversed(self.up):
            x = up(torch.cat([seen.pop(), F.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return self.output(x)


def segmentation(output: Tensor, target: Tensor) -> Tensor:
    """Return how far logits are from a mask: cross-entropy plus one minus the soft Dice coefficient.

    Cross-entropy judges each pixel by itself, so a rare class counts little; the Dice coefficient judges each
    class as a whole, however small it is.

    Args:
        output: logits (n, classes, height, width), the background's first.
        target: class numbers (n, height, width), :data:`VOID` where nothing is to be learned.

    Source: Milletari, Navab & Ahmadi 2016, V-Net, arXiv:1606.04797 (Dice as a loss); Isensee et al. 2018,
    nnU-Net, arXiv:1809.10486 (the sum of both).
    """
    output, target = output.float(), target.long()
    there = target != VOID
    if not there.any():
        return output.sum() * 0
    surprise = F.cross_entropy(output, target, ignore_index=VOID)
    own = F.one_hot(target.masked_fill(~there, 0), output.shape[1]).movedim(-1, 1)[:, 1:] * there[:, None]
    told = output.softmax(1)[:, 1:] * there[:, None]
    both = (own * told).sum((0, 2, 3))
    sizes = own.sum((0, 2, 3)) + told.sum((0, 2, 3))
    # One pixel each way: of a class that is not there and not told of, nothing is wrong.
    return surprise + (1 - (2 * both + 1) / (sizes + 1)).mean()


def dice(classes: int) -> Metric:
    """Return the metric of logits (n, classes, h, w) and masks (n, h, w): the mean Dice coefficient.

    Of each class but the background (number 0), over all pixels of all pictures: twice what is both told and
    there over what is told plus what is there, which is 1 where both are the same. A class that is neither
    told of nor there has none.
    """

    def sums(output: Tensor, target: Tensor) -> Tensor:
        told, known = output.argmax(1), target != VOID
        rows = []
        for k in range(1, classes):
            a, b = (told == k) & known, target == k
            rows.append(torch.stack([(a & b).sum(), a.sum() + b.sum()]))
        return torch.stack(rows).double()

    def finish(pairs: list) -> float:
        values = [2 * both / total for both, total in pairs if total > 0]
        return sum(values) / len(values) if values else 1.0

    return Metric("dice", sums, finish)
