"""The best linear function of a table's features, in closed form: where a descent begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CELLS = 20_000_000
"""Numbers that are looked at; of a larger table every second, third, ... row."""
PENALTIES = torch.logspace(-4, 5, 37, dtype=torch.float64)


@dataclass(frozen=True)
class Line:
    """A linear function, and what it says of rows that it was not given.

    Attributes:
        weight: of shape (features,), float64.
        bias: what it says where all features are zero.
        penalty: on the squared length of the weight.
        rows: the rows that were looked at, of shape (n,), int64.
        apart: for each, what the line of all the others says of it, of shape (n,), float64.
    """

    weight: Tensor
    bias: float
    penalty: float
    rows: Tensor
    apart: Tensor


def best_lines(x: Tensor, targets: Sequence[Tensor]) -> Iterator[Line]:
    """Yield, for each target, the ridge regression that errs least on rows left out one at a time.

    What the line of all other rows says of a row follows from the line of all, exactly: its residual over
    one minus the row's leverage. So the penalty is chosen from as many tests as there are rows. What the
    features alone decide is worked out once for all targets.

    Args:
        x: features of shape (rows, features).
        targets: what is known of them, each of shape (rows,).

    Source: Allen 1974, The relationship between variable selection and data augmentation and a method for
    prediction (PRESS); Golub, Heath & Wahba 1979.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> (line,) = best_lines(x, [3 * x[:, 0] + 1])
        >>> round(float(line.weight), 2), round(line.bias, 2)
        (3.0, 1.0)
    """
    rows = torch.arange(0, len(x), -(-x.numel() // CELLS) or 1)
    x = x[rows].double()
    n, center = len(x), x.mean(0)
    u, s, v = torch.linalg.svd(x - center, full_matrices=False)
    for z in (target[rows].double() for target in targets):
        middle = z.mean()
        along = u.T @ (z - middle)
        least, found = torch.inf, None
        for penalty in PENALTIES:
            kept = s.square() / (s.square() + penalty)  # of each direction, what the penalty leaves
            said = middle + u @ (kept * along)
            leverage = (u.square() @ kept + 1 / n).clamp_max(1 - 1e-9)
            apart = z - (z - said) / (1 - leverage)
            if (error := float((z - apart).square().sum())) < least:
                least, found = error, (float(penalty), apart)
        assert found is not None
        penalty, apart = found
        weight = v.T @ (s / (s.square() + penalty) * along)
        yield Line(weight, float(middle - center @ weight), penalty, rows, apart)
