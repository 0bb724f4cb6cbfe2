"""A small convolutional net that finds objects: where their middles are, and how far their edges."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.functions.boxes import Boxes, areas, distinct, giou
from descend.functions.convolutions import Residual, convolution
from descend.functions.sizes import at_least

STRIDE = 4
"""Pixels of the input for each place that is looked at."""
UNIT = 16.0
"""Pixels that a distance of e⁰ stands for: objects are some dozens of pixels wide."""
RARE = 0.01
"""How probable an object is held at any place at first: nearly everywhere there is none (Lin et al. 2017)."""
SPREAD = 0.54
"""The share of an object's extent around its middle that is learned from (Liu et al. 2020)."""
MOST = 300
"""Places of a picture that are considered for objects."""


class Detector(nn.Module):
    """Says of every fourth pixel whether an object's middle is there, and how far its edges are.

    Args:
        channels: of the pictures.
        classes: of objects.
        width: channels after the first convolution; doubled at each of the next halvings, up to eightfold.

    Shapes: (n, channels, height, width), sides that 32 divides → (n, classes + 4, height/4, width/4): the
    logits of each class's middles, then the logarithms of the distances to the left, top, right and bottom
    edge, in units of :data:`UNIT` pixels.

    Each halving sees more of the picture in less detail; on the way back each scale's detail is added to what
    the next coarser one understood (a feature pyramid, Lin et al. 2017).

    Sources: Zhou et al. 2019, Objects as points, arXiv:1904.07850; Liu et al. 2020, Training-time-friendly
    network, arXiv:1909.00700; Lin et al. 2017, arXiv:1612.03144 and arXiv:1708.02002.

    Example:
        >>> Detector(3, 2, width=8)(torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 6, 16, 24])
    """

    def __init__(self, channels: int, classes: int, width: int = 16):
        super().__init__()
        at_least(1, channels=channels, classes=classes, width=width)
        widths = [2 * width, 4 * width, 8 * width, 8 * width]
        inner = 4 * width
        self.stem = convolution(channels, width, stride=2)
        self.down = nn.ModuleList(
            nn.Sequential(convolution(a, b, stride=2), Residual(b))
            for a, b in zip([width, *widths[:-1]], widths, strict=True)
        )
        self.across = nn.ModuleList(convolution(w, inner, 1) for w in widths)
        self.up = nn.ModuleList(convolution(inner, inner) for _ in widths[:-1])
        self.middles = nn.Sequential(convolution(inner, inner), nn.Conv2d(inner, classes, 1))
        self.edges = nn.Sequential(convolution(inner, inner), nn.Conv2d(inner, 4, 1))
        for head, at in ((self.middles, -torch.logit(torch.tensor(1 - RARE))), (self.edges, 0.0)):
            last = head[-1]
            assert isinstance(last, nn.Conv2d) and last.bias is not None
            nn.init.normal_(last.weight, std=0.01)
            nn.init.constant_(last.bias, float(at))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of middles and the logarithms of distances."""
        x = self.stem(x.to(memory_format=torch.channels_last))
        seen = []
        for down in self.down:
            x = down(x)
            seen.append(x)
        x = self.across[-1](seen[-1])
        for k in reversed(range(len(self.up))):
            x = self.up[k](self.across[k](seen[k]) + F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return torch.cat([self.middles(x), self.edges(x)], 1)


def places(output: Tensor) -> Tensor:
    """Return the middle of each place that was looked at, in pixels, shape (2, h, w): across, then down."""
    h, w = output.shape[-2:]
    down, across = torch.meshgrid(
        torch.arange(h, device=output.device), torch.arange(w, device=output.device), indexing="ij"
    )
    return STRIDE * (torch.stack([across, down]).to(output.dtype) + 0.5)


def edges(output: Tensor) -> Tensor:
    """Return the box at each place, in pixels, shape (n, h, w, 4)."""
    distance = UNIT * output[:, -4:].float().clamp(-6, 6).exp()
    middle = places(output)
    return torch.cat([middle - distance[:, :2], middle + distance[:, 2:]], 1).permute(0, 2, 3, 1)


def found(output: Tensor, overlap: float = 0.5, least: float = 0.01) -> list[Boxes]:
    """Return what was found in each picture, the surest first, its corners as shares of the picture.

    A place counts where it is surer than its neighbours.

    Args:
        output: of a :class:`Detector`.
        overlap: see :func:`descend.functions.boxes.distinct`.
        least: the probability below which nothing is reported.
    """
    heat = output[:, :-4].float().sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
    h, w = heat.shape[2:]
    size = STRIDE * torch.tensor([w, h, w, h], dtype=torch.float32, device=output.device)
    result = []
    for own, boxes in zip(peaks.flatten(1), edges(output).flatten(1, 2), strict=True):
        scores, at = own.topk(min(MOST, own.numel()))
        at, scores = at[scores >= least], scores[scores >= least]
        corners = (boxes[at % (h * w)] / size).clamp(0, 1)
        result.append(distinct(Boxes(corners, at // (h * w), scores), overlap))
    return result


def known(target: Tensor) -> list[Boxes]:
    """Return what there is in each picture, from targets as :class:`DetectionLoss` takes them."""
    result = []
    for rows in target:
        rows = rows[rows[:, 0] >= 0]
        result.append(Boxes(rows[:, 1:], rows[:, 0].long(), torch.ones_like(rows[:, 0])))
    return result


class DetectionLoss:
    """How far a detector's outputs are from what there is: middles (focal) plus boxes (generalised IoU).

    The target is (n, most, 5): of each object its class, −1 where there is none, and its corners as shares of
    the picture. Around each middle the wanted probability falls off as a Gaussian as wide as the object; the
    boxes of all places near it are held to the object's, the nearer the more.

    Args:
        boxes: the weight of the boxes' part.

    Sources: Zhou et al. 2019, arXiv:1904.07850; Liu et al. 2020, arXiv:1909.00700.
    """

    def __init__(self, boxes: float = 5.0):
        self.boxes = boxes
        self.__name__ = "detection"

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over objects."""
        output = output.float()
        classes, (h, w) = output.shape[1] - 4, output.shape[-2:]
        there = target[..., 0] >= 0
        size = STRIDE * output.new_tensor([w, h, w, h])
        corners = target[..., 1:] * size
        bells = self._bells(output, corners) * there[..., None, None]
        wanted = bells.new_zeros(len(output), classes, h, w)
        for k in range(classes):  # of two objects the nearer one counts
            wanted[:, k] = (bells * (target[..., 0] == k)[..., None, None]).amax(1)
        count = there.sum().clamp(min=1)
        return (
            _focal(output[:, :-4], wanted) + self.boxes * self._of_boxes(output, corners, bells, there)
        ) / count

    def _bells(self, output: Tensor, corners: Tensor) -> Tensor:
        """Return how near each place is to each object's middle, 1 at the nearest: (n, most, h, w)."""
        middle = (corners[..., :2] + corners[..., 2:]) / 2
        nearest = STRIDE * ((middle / STRIDE).floor() + 0.5)
        extent = (corners[..., 2:] - corners[..., :2]).clamp(min=STRIDE)
        deviation = SPREAD * extent / 6 + STRIDE / 6
        offset = places(output) - nearest[..., None, None]
        return (-(offset / deviation[..., None, None]).square().sum(2) / 2).exp()

    def _of_boxes(self, output: Tensor, corners: Tensor, bells: Tensor, there: Tensor) -> Tensor:
        """Return the sum over objects of 1 − GIoU, each the mean over the places near its middle."""
        size = areas(corners).masked_fill(~there, float("inf"))
        near = bells > 0.1
        # A place near several objects belongs to the smallest of them.
        owner = (
            size[..., None, None].expand_as(bells).masked_fill(~near, float("inf")).argmin(1, keepdim=True)
        )
        own = near & (torch.arange(near.shape[1], device=near.device)[None, :, None, None] == owner)
        share = bells * own
        share = share / share.sum((-1, -2), keepdim=True).clamp(min=1e-6)
        n, _, row, column = (at := own.nonzero()).unbind(1)
        told = edges(output)[n, row, column]
        wrong = 1 - giou(told, corners[n, at[:, 1]])
        return (wrong * share[n, at[:, 1], row, column]).sum()


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the sum of the penalty-reduced focal loss: what is clear already counts little (power 2)."""
    p = logits.sigmoid()
    middle = wanted >= 1 - 1e-4
    hit = -F.logsigmoid(logits) * (1 - p).square() * middle
    miss = -F.logsigmoid(-logits) * p.square() * (1 - wanted).pow(4) * ~middle
    return (hit + miss).sum()
