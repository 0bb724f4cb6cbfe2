"""What nets for pictures are built of: a convolution with its normalisation, and a residual pair."""

import torch.nn.functional as F
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution of ``size`` × ``size``, a batch normalisation and a relu.

    Shapes: (n, inputs, h, w) → (n, outputs, h / stride, w / stride), rounded up.
    """
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions that add to what comes in (He et al. 2016): (n, width, h, w), in and out."""

    def __init__(self, width: int):
        super().__init__()
        self.first = convolution(width, width)
        norm = nn.BatchNorm2d(width)
        nn.init.zeros_(norm.weight)  # the identity at first
        self.second = nn.Sequential(convolution(width, width)[0], norm)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return F.relu(x + self.second(self.first(x)))
