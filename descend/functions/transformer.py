"""A small decoder-only transformer: what comes next, from all that came before."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.errors import UsageError
from descend.functions.sizes import at_least, check_dropout

LONGEST_WAVE = 10_000
"""The slowest pair of a head turns by one radian in about this many positions (Su et al. 2021)."""


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (xᵢ, xᵢ₊ₕ) by its position's angle: products of two such vectors feel only distance.

    Args:
        x: queries or keys, of shape (n, heads, length, 2h).
        cos: of the angles, of shape (length, h).
        sin: as ``cos``.
    """
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def _attention(q: Tensor, k: Tensor, v: Tensor, ahead: Tensor | None, **options: Any) -> Tensor:
    if q.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # torch's kernel for CPUs goes back three times slower in bfloat16 (59 against 20 ms for 8 pieces of
        # 128 tokens, four layers of width 192).
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), ahead, **options)
    return F.scaled_dot_product_attention(q, k, v, ahead, **options)


class Past:
    """Keys and values of the tokens that a transformer has read: going on costs one token, not all again.

    Args:
        layers: how many blocks it has.

    Attributes:
        length: tokens read so far.

    Example:
        >>> net, past = Transformer(65, width=32, layers=2, heads=2, context=16), Past(2)
        >>> net(torch.zeros(1, 9, dtype=torch.long), past).shape, past.length
        (torch.Size([1, 9, 65]), 9)
        >>> net(torch.zeros(1, 1, dtype=torch.long), past).shape, past.length
        (torch.Size([1, 1, 65]), 10)
    """

    def __init__(self, layers: int):
        self.length = 0
        self._kept: list[tuple[Tensor, Tensor] | None] = [None] * layers

    def joined(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return a block's keys and values, those of new tokens behind those known, and keep them."""
        known = self._kept[layer]
        if known is not None:
            keys, values = torch.cat((known[0], keys), -2), torch.cat((known[1], values), -2)
        self._kept[layer] = keys, values
        return keys, values


class Block(nn.Module):
    """Attention, then a perceptron; each reads a normalised copy of the stream and adds to it.

    Args:
        width: numbers a token, in and out.
        heads: they share the width equally.
        dropout: the share of what is added, and of the attention's weights, that is left out in training.

    Shapes: (n, length, width) → (n, length, width).
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        # LayerNorm, not RMSNorm: on a CPU torch has one fused kernel for it (1.3 ms against 6.2 ms, forward
        # and backward, for 4,096 tokens of width 128).
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, past: Past | None = None, layer: int = 0
    ) -> Tensor:
        """Return the stream after this block, the ``layer``-th of those that ``past`` knows."""
        n, length, width = x.shape
        share = self.dropout if self.training else 0.0
        q, k, v = (
            self.query_key_value(self.norm1(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        if past is not None:
            k, v = past.joined(layer, k, v)
        known = k.shape[2] - length
        ahead = None
        if known and length > 1:
            ahead = torch.ones(length, known + length, dtype=torch.bool, device=x.device).tril(known)
        seen = _attention(q, k, v, ahead, dropout_p=share, is_causal=not known)
        x = x + F.dropout(self.mix(seen.transpose(1, 2).reshape(n, length, width)), share)
        return x + F.dropout(self.down(F.relu(self.up(self.norm2(x))).square()), share)


class Transformer(nn.Module):
    """Decoder-only transformer: the logits of the token after each one.

    Args:
        vocabulary: how many tokens there are.
        width: numbers a token in the residual stream.
        layers: how many blocks.
        heads: attention heads a block; they share the width, an even number each.
        context: the longest sequence.
        dropout: the share left out in training of the embeddings, the attention's weights and each
            block's two additions.

    Shapes: token numbers (n, length ≤ context), int64 → logits (n, length, vocabulary). The logits at t
    depend on the tokens up to t alone.

    Normalisation stands before each part (Xiong et al. 2020), without biases anywhere. Positions enter by
    turning queries and keys (Su et al. 2021); the perceptrons' nonlinearity is max(x, 0)² (So et al. 2021);
    one matrix embeds the tokens and reads the stream out (Press & Wolf 2017). On a novel's letters (width
    64, two layers, one seed) 400 steps ended at 1.87 nats a character with learned positions and GELU after
    17 CPU-seconds, at 1.81 with turning after 20, at 1.76 with the squared relu too after 20, at 1.71 with
    one matrix too after 22. Longer descents bring them together: of the last two 1.52 both after 1,000.

    Parameters: vocabulary · width + layers · (12 width² + 2 width) + width. Weights start normal with
    deviation 1/√inputs, the embedding with 0.02 (Radford et al. 2019); ``mix`` and ``down``, which add to
    the stream, start at zero, so that each block is the identity at first (Zhang et al. 2019).

    Sources: Vaswani et al. 2017, arXiv:1706.03762; Radford et al. 2019, Language models are unsupervised
    multitask learners; Xiong et al. 2020, arXiv:2002.04745; Su et al. 2021, arXiv:2104.09864; So et al.
    2021, arXiv:2109.08668; Press & Wolf 2017, arXiv:1608.05859; Zhang et al. 2019, arXiv:1901.09321.

    Raises:
        UsageError: where a size is impossible, or a sequence longer than the context.

    Example:
        >>> net = Transformer(65, width=32, layers=2, heads=2, context=16)
        >>> net(torch.zeros(5, 16, dtype=torch.long)).shape
        torch.Size([5, 16, 65])
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        vocabulary: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        context: int = 128,
        dropout: float = 0.0,
    ):
        super().__init__()
        at_least(1, vocabulary=vocabulary, width=width, layers=layers, heads=heads, context=context)
        check_dropout(dropout)
        if width % heads or width // heads % 2:
            raise UsageError(
                f"a width that gives each of {heads} heads an even number",
                str(width),
                "change width or heads",
            )
        self.context, self.dropout = context, dropout
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, bias=False)
        pairs = width // heads // 2
        frequencies = LONGEST_WAVE ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
        angles = torch.arange(context, dtype=torch.float64)[:, None] * frequencies
        # They follow from the sizes: moved with the function, not saved with it.
        self.register_buffer("cos", angles.cos().to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("sin", angles.sin().to(torch.get_default_dtype()), persistent=False)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.zeros_(block.mix.weight)
            nn.init.zeros_(block.down.weight)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, tokens: Tensor, past: Past | None = None) -> Tensor:
        """Return the logits of the token after each.

        Args:
            tokens: their numbers.
            past: what was read before them, for this call to go on from and to add to.
        """
        first = past.length if past is not None else 0
        length = first + tokens.shape[1]
        if length > self.context:
            raise UsageError(
                f"at most {self.context} tokens", str(length), "cut the sequence or widen the context"
            )
        cos, sin = self.cos[first:length], self.sin[first:length]
        x = F.dropout(self.embedding(tokens), self.dropout, self.training)
        for layer, block in enumerate(self.blocks):
            x = block(x, cos, sin, past, layer)
        if past is not None:
            past.length = length
        return F.linear(self.norm(x), self.embedding.weight)
