"""Plain layers with their hidden sizes multiplied, and their weights drawn anew."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class NotWidened(Exception):
    """A function that cannot be had at other widths, and why."""


def times(size: int, factor: float) -> int:
    """Return a size multiplied, which must be whole.

    Raises:
        NotWidened: where it is not.
    """
    wide = size * factor
    if wide < 1 or wide != int(wide):
        raise NotWidened(f"a layer of {size} cannot have {factor:g} times as many")
    return int(wide)


KNOWN = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.Embedding,
    nn.RNN,
    nn.LSTM,
    nn.GRU,
    nn.MultiheadAttention,
)


def widened(module: nn.Module, factor: float, of_data: bool, last: bool) -> nn.Module:
    """Return a layer like this one with its hidden sizes multiplied; others as they are."""
    if type(module) not in KNOWN:
        return module

    kind: Any = type(module)

    def given(size: int) -> int:
        return size if of_data else times(size, factor)

    def gives(size: int) -> int:
        return size if last else times(size, factor)

    if isinstance(module, nn.Linear):
        made: nn.Module = nn.Linear(
            given(module.in_features), gives(module.out_features), module.bias is not None
        )
    elif isinstance(module, nn.modules.conv._ConvNd):
        groups = module.groups if of_data or module.groups == 1 else times(module.groups, factor)
        made = kind(
            given(module.in_channels),
            gives(module.out_channels),
            module.kernel_size,
            module.stride,
            module.padding,
            module.dilation,
            groups,
            module.bias is not None,
            module.padding_mode,
        )
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        made = kind(
            times(module.num_features, factor),
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        if len(module.normalized_shape) > 1:
            raise NotWidened("a norm over several dimensions is not widened")
        more = {"eps": module.eps, "elementwise_affine": module.elementwise_affine}
        if isinstance(module, nn.LayerNorm):
            more["bias"] = module.bias is not None
        made = kind(times(math.prod(module.normalized_shape), factor), **more)
    elif isinstance(module, nn.GroupNorm):
        made = nn.GroupNorm(module.num_groups, times(module.num_channels, factor), module.eps, module.affine)
    elif isinstance(module, nn.MultiheadAttention):
        if not module._qkv_same_embed_dim or module.bias_k is not None:
            raise NotWidened("attention with keys of another size is not widened")
        # A head keeps its size: there are more of them.
        made = nn.MultiheadAttention(
            times(module.embed_dim, factor),
            times(module.num_heads, factor),
            module.dropout,
            module.in_proj_bias is not None,
            batch_first=module.batch_first,
        )
    elif isinstance(module, nn.Embedding):
        made = nn.Embedding(module.num_embeddings, times(module.embedding_dim, factor), module.padding_idx)
    else:
        assert isinstance(module, nn.RNNBase)
        names = ["num_layers", "bias", "batch_first", "dropout", "bidirectional"]
        names += ["nonlinearity"] if isinstance(module, nn.RNN) else []
        made = kind(
            given(module.input_size),
            times(module.hidden_size, factor),
            **{n: getattr(module, n) for n in names},
        )
    _start(made, module)
    like = next(module.parameters(), None)
    return made.to(None if like is None else like.dtype).train(module.training)


@torch.no_grad()
def _start(made: nn.Module, like: nn.Module) -> None:
    """Draw weights anew: as torch does where these look as torch's, else with the same std × √inputs."""
    for p, q in zip(made.parameters(), like.parameters(), strict=True):
        p.requires_grad_(q.requires_grad)
        if q.ndim < 2 or isinstance(made, NORMS):
            if bool((q == q.flatten()[0]).all()):  # zeros and ones stay what they are
                p.fill_(q.flatten()[0])
            continue
        inputs = math.prod(p.shape[1:]) / math.prod(q.shape[1:])
        if isinstance(made, nn.Embedding):
            p.normal_(std=max(float(q.std()), 1e-12))
        elif float(q.abs().max()) == 0:
            p.zero_()
        elif q.numel() > 1 and not _torchs(q, made):
            p.normal_(std=float(q.std()) / inputs**0.5)


def _torchs(weight: Tensor, module: nn.Module) -> bool:
    """Whether weights lie in the range that torch draws them from, and reach nearly to its ends."""
    inputs = math.prod(weight.shape[1:])
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        return True
    bound = inputs**-0.5
    return 0.8 * bound < float(weight.abs().max()) <= bound * 1.001
