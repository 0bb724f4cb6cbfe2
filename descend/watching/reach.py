"""How far back in a sequence a model's last output reaches: the gradient's size at each place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

PLACES = 8
"""Fewer places than these are no sequence worth asking about."""
EXAMPLES = 16


def reach(module: nn.Module, args: tuple[Any, ...]) -> list[float]:
    """Return how strongly the last output depends on each place of a sequence, relative to the largest.

    Asked of numbers of shape (batch, places, features), or of what an embedding makes of indices; the places
    come first where a recurrent layer has them so.

    Args:
        module: a copy that may be changed: gradients are left in it.
        args: what it is given; the first tensor is the sequence.
    """
    recurrent = [m for m in module.modules() if isinstance(m, nn.RNNBase)]
    time = 0 if recurrent and not recurrent[0].batch_first else 1
    at = next((i for i, a in enumerate(args) if isinstance(a, Tensor)), None)
    if at is None or args[at].dim() < 2 or args[at].shape[time] < PLACES:
        return []
    own = list(args)
    if all(not isinstance(a, Tensor) or a.dim() == 0 for i, a in enumerate(args) if i != at):
        own[at] = args[at].detach().narrow(1 - time, 0, min(EXAMPLES, args[at].shape[1 - time]))
    x = own[at].detach().clone()
    own[at] = x
    leaves: list[Tensor] = []
    if x.is_floating_point():
        leaves.append(x.requires_grad_())

    def keep(_: nn.Module, given: Any, out: Tensor) -> Tensor:
        leaf = out.detach().requires_grad_()
        leaves.append(leaf)
        return leaf

    parts = [] if leaves else [m for m in module.modules() if isinstance(m, nn.Embedding)][:1]
    handles = [m.register_forward_hook(keep) for m in parts]
    with torch.enable_grad():
        out = module(*own)
    for handle in handles:
        handle.remove()
    out = out[0] if isinstance(out, tuple | list) else out
    if len(leaves) != 1 or leaves[0].dim() != 3 or leaves[0].shape[:2] != x.shape[:2]:
        return []
    if out.dim() == 3 and out.shape[:2] == x.shape[:2]:
        out = out.select(time, -1)
    (g,) = torch.autograd.grad(out.float().pow(2).sum(), leaves[0])
    sizes = g.float().norm(dim=(1 - time, 2))
    largest = float(sizes.max())
    return [float(v) / largest for v in sizes] if largest > 0 else []
