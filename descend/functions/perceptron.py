"""Functions of a row of numbers: a line, logistic regression, a multilayer perceptron."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from descend.errors import UsageError, nearest
from descend.functions.sizes import at_least, check_dropout


@dataclass(frozen=True)
class Activation:
    """A nonlinearity φ.

    Attributes:
        layer: its module.
        gain: 1 / √E[φ(z)²] for standard normal z: what a weight's deviation is multiplied by, so that
            each layer's sums have the variance of the layer before.
    """

    layer: type[nn.Module]
    gain: float


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(nn.ReLU, 2**0.5),
    "gelu": Activation(nn.GELU, 1.5335),
    "silu": Activation(nn.SiLU, 1.6765),
    "tanh": Activation(nn.Tanh, 1.5925),
}


class Standardise(nn.Module):
    """(x − mean) / std, with both kept as buffers: saved with the function, not descended on.

    Args:
        mean: any shape that broadcasts with the input's last dimensions.
        std: as ``mean``; positive.

    Shapes: (n, ...) → (n, ...).

    Raises:
        UsageError: where a number is not finite, or a deviation not positive.

    Example:
        >>> layer = Standardise(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
        >>> layer(torch.tensor([[2.0, 10.0]]))
        tensor([[1., 2.]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor | Sequence[float] | float, std: Tensor | Sequence[float] | float):
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            values = torch.as_tensor(values).detach().clone()
            if not values.is_floating_point():
                values = values.to(torch.get_default_dtype())
            if not values.isfinite().all() or (name == "std" and (values <= 0).any()):
                expected = "finite means" if name == "mean" else "finite, positive standard deviations"
                raise UsageError(
                    expected, str(values.tolist()[:8] if values.ndim else values.item()), "check them"
                )
            self.register_buffer(name, values)

    def forward(self, x: Tensor) -> Tensor:
        """Return (x − mean) / std."""
        return (x - self.mean) / self.std


class Line(nn.Linear):
    """Linear regression: y = W x + b.

    Args:
        inputs: numbers a row.
        outputs: numbers an answer.

    Shapes: (..., inputs) → (..., outputs).

    Parameters: (inputs + 1) · outputs. They start at zero: the loss is convex, so that the start
    decides nothing, and zero is the same for every seed.

    Source: Legendre 1805, Nouvelles méthodes pour la détermination des orbites des comètes.
    """

    def __init__(self, inputs: int, outputs: int = 1):
        at_least(1, inputs=inputs, outputs=outputs)
        super().__init__(inputs, outputs)

    def reset_parameters(self) -> None:
        """Start at zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Logistic(Line):
    """Logistic regression: logits = W x + b, for ``cross_entropy``.

    Args:
        inputs: numbers a row.
        classes: at least two; each has a logit of its own.

    Shapes: (..., inputs) → logits (..., classes).

    Parameters: (inputs + 1) · classes. They start at zero: equal chances for all classes.

    Source: Cox 1958, The regression analysis of binary sequences, J. R. Stat. Soc. B 20(2).
    """

    def __init__(self, inputs: int, classes: int):
        at_least(2, classes=classes)
        super().__init__(inputs, classes)


class MLP(nn.Sequential):
    """Multilayer perceptron: linear layers with a nonlinearity between them.

    Args:
        sizes: numbers a row, the hidden widths, numbers an answer: at least two sizes.
        dropout: the share of hidden values that is left out in training.
        activation: relu, gelu, silu or tanh.

    Shapes: (..., sizes[0]) → (..., sizes[-1]).

    Parameters: Σ (sizes[k] + 1) · sizes[k+1]. Weights start normal. The first layer's deviation is
    1/√inputs, which gives standardised inputs sums of variance 1; a hidden layer's is gain/√inputs,
    which keeps that variance (He et al. 2015 for relu, where gain = √2); the last one's is 1/inputs, so
    that a descent starts from outputs near zero (Yang & Hu 2020). Biases start at zero.

    Sources: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors,
    Nature 323; He et al. 2015, arXiv:1502.01852; Yang & Hu 2020, arXiv:2011.14522; Srivastava et al. 2014
    for dropout, JMLR 15.

    Raises:
        UsageError: where a size, the dropout or the activation is impossible.

    Example:
        >>> MLP([64, 32, 10])(torch.zeros(5, 64)).shape
        torch.Size([5, 10])
    """

    def __init__(self, sizes: Sequence[int], dropout: float = 0.0, activation: str = "relu"):
        if isinstance(sizes, str) or not isinstance(sizes, Sequence) or len(sizes) < 2:
            raise UsageError(
                "at least two sizes, inputs and outputs", repr(sizes), "give for example [64, 32, 10]"
            )
        for k, size in enumerate(sizes):
            at_least(1, **{f"sizes[{k}]": size})
        check_dropout(dropout)
        if activation not in ACTIVATIONS:
            do = nearest(str(activation), list(ACTIVATIONS))
            raise UsageError("the name of an activation", repr(activation), do)
        nonlinearity = ACTIVATIONS[activation]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for k, (inputs, outputs) in enumerate(pairwise(sizes[:-1]), 1):
            linear = nn.Linear(inputs, outputs)
            _start(linear, (1.0 if k == 1 else nonlinearity.gain) / inputs**0.5)
            layers[f"linear{k}"] = linear
            layers[f"{activation}{k}"] = nonlinearity.layer()
            if dropout:
                layers[f"dropout{k}"] = nn.Dropout(dropout)
        layers["output"] = nn.Linear(sizes[-2], sizes[-1])
        _start(layers["output"], 1 / sizes[-2])
        super().__init__(layers)


def _start(linear: nn.Module, deviation: float) -> None:
    """Draw a layer's weights from N(0, deviation²), and set its bias to zero."""
    assert isinstance(linear, nn.Linear)
    nn.init.normal_(linear.weight, std=deviation)
    nn.init.zeros_(linear.bias)
