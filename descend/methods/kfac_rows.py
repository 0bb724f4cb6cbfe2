"""A layer's inputs, and the gradients behind it, as rows; random gradients at the model's output."""

from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FEWEST = 32
"""Examples are independent and positions are not: fewer examples than this are not taken for a product."""


def every(examples: int, positions: int, most: float) -> tuple[int, int]:
    """Return every how many-th example and position is taken, so that there are at most ``most`` rows or so.

    Example:
        >>> every(512, 1, 4096), every(512, 64, 4096), every(64, 1024, 4096)
        ((1, 1), (8, 1), (2, 8))
    """
    over = examples * positions / most
    if over <= 1:
        return 1, 1
    by_example = max(1, min(ceil(over), examples // _FEWEST))
    return by_example, min(positions, max(1, ceil(over / by_example)))


def inputs_of(module: nn.Module, x: Tensor, most: float) -> Tensor:
    """Return a layer's inputs as (examples, positions, n), thinned out to ``most`` rows.

    A convolution's input at a position is the patch under its kernel, in the order of its weight.
    """
    if isinstance(module, nn.Linear):
        x = x.reshape(len(x) if x.ndim > 1 else 1, -1, x.shape[-1])
        example, position = every(len(x), x.shape[1], most)
        return x[::example, ::position]
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    sides = len(module.kernel_size)
    x = x if x.ndim == sides + 2 else x.unsqueeze(0)
    example, position = every(len(x), _places(module, x), most)
    x = _padded(module, x[::example])
    how = [module.kernel_size, module.dilation, module.stride]
    if sides == 1:
        x, how = x.unsqueeze(2), [(1, *each) for each in how]
    kernel, dilation, stride = how
    return F.unfold(x, kernel, dilation=dilation, stride=stride).mT[:, ::position]


def outputs_of(module: nn.Module, d: Tensor, most: float) -> tuple[Tensor, float]:
    """Return gradients behind a layer as (examples, positions, m), thinned out just as its inputs.

    Returns:
        The rows; and how many there were for each that is left.
    """
    if isinstance(module, nn.Linear):
        d = d.reshape(len(d) if d.ndim > 1 else 1, -1, d.shape[-1])
    else:
        assert isinstance(module, nn.Conv1d | nn.Conv2d)
        d = d if d.ndim == len(module.kernel_size) + 2 else d.unsqueeze(0)
        d = d.flatten(2).mT
    example, position = every(len(d), d.shape[1], most)
    if example == position == 1:
        return d, 1.0
    left = d[::example, ::position]
    return left, d.shape[:2].numel() / left.shape[:2].numel()


def _padded(module: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    if module.padding == "valid":
        return x
    if module.padding == "same":
        whole = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        each = [(n // 2, n - n // 2) for n in whole]
    else:
        each = [(int(n), int(n)) for n in module.padding]
    pads = [n for pair in reversed(each) for n in pair]
    if not any(pads):
        return x
    mode = module.padding_mode
    return F.pad(x, pads, "constant" if mode == "zeros" else mode)


def _places(module: nn.Conv1d | nn.Conv2d, x: Tensor) -> int:
    """Return at how many positions a convolution's kernel is laid."""
    like = _padded(module, torch.empty((1, 1, *x.shape[2:]), device="meta")).shape[2:]
    parts = zip(like, module.kernel_size, module.dilation, module.stride, strict=True)
    return torch.Size((n - d * (k - 1) - 1) // s + 1 for n, k, d, s in parts).numel()


def wide(x: Tensor) -> Tensor:
    """Return numbers in float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def random_signs(like: Tensor, seed: int) -> Tensor:
    """Return −1 and 1 with equal chances, of the shape, type and device of a tensor.

    They are the bits of random whole numbers: on a CPU that takes a fifth of the time of drawing each.
    """
    generator = torch.Generator(like.device).manual_seed(seed)
    some = -(-like.numel() // 32)
    words = torch.randint(2**32, (some, 1), generator=generator, device=like.device)
    bits = (words >> torch.arange(32, device=like.device)).bitwise_and_(1).view(-1)[: like.numel()]
    return bits.to(like.dtype).mul_(2).sub_(1).view(like.shape)


# Gradients drawn --------------------------------------------------------------------------------
def drawn(loss: str, output: Tensor, seed: int) -> tuple[Tensor, int]:
    """Return random gradients at the model's output whose products are, on average, the loss's Hessian there.

    They are S ε, with random signs ε, and with S Sᵀ the Hessian of one term of the loss. Gradients for labels
    that are drawn from the model's output have the same products; but where it is sure, nearly all of them
    are 0 and the rest large: a batch then says nothing of the curvature, and a step may go anywhere.

    Args:
        loss: ``cross_entropy`` of logits (n, classes), (n, length, classes) or, with more than three
            dimensions, (n, classes, ...); ``mse`` and ``binary_cross_entropy`` (of logits) of any (n, ...).
        output: the model's.
        seed: of the signs.

    Returns:
        A tensor of the output's shape; and how many terms the loss is a mean over.
    """
    output = output.detach()
    signs = random_signs(output, seed)
    if loss == "cross_entropy":  # S = diag(√p) − p √pᵀ
        at = 1 if output.ndim > 3 else -1
        p = wide(output).softmax(at)
        found = p.sqrt() * signs
        found = found - p * found.sum(at, keepdim=True)
        return found.to(output.dtype), output.numel() // output.shape[at]
    terms = len(output) if output.ndim else 1
    numbers = max(1, output.numel() // max(terms, 1))
    if loss == "mse":
        return signs * (2 / numbers) ** 0.5, terms
    p = wide(output).sigmoid()
    return (signs * (p * (1 - p) / numbers).sqrt()).to(output.dtype), terms
