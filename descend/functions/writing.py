"""Writing on from a prompt: each token is drawn from what the function holds probable."""

from collections.abc import Iterator

import torch
from torch import Tensor

from descend.functions.transformer import Past, Transformer

KEPT = 3 / 4
"""The share of the context that is read again once it is full; the rest is room to go on in."""


def draw(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """Draw a token.

    Args:
        logits: of each token, of shape (vocabulary,).
        temperature: what they are divided by: 1 leaves the function's own probabilities, less prefers the
            probable ones more, 0 takes the most probable.
        top_p: only the most probable tokens are drawn from, as few as together have this probability
            (Holtzman et al. 2020, arXiv:1904.09751); 1 draws from all.
        generator: what chance comes from.
    """
    if temperature == 0:
        return int(logits.argmax())
    # The largest is subtracted first: a small temperature must not make the logits infinite.
    logits = logits.double()
    chances = ((logits - logits.max()) / temperature).softmax(-1)
    if top_p < 1:
        ordered, which = chances.sort(descending=True)
        ordered[ordered.cumsum(0) - ordered >= top_p] = 0  # the one that crosses it still belongs
        return int(which[torch.multinomial(ordered, 1, generator=generator)])
    return int(torch.multinomial(chances, 1, generator=generator))


def tokens_after(
    model: Transformer, tokens: Tensor, length: int, *, temperature: float, top_p: float, seed: int
) -> Iterator[int]:
    """Write on, token by token.

    Each is read once and remembered (:class:`~descend.functions.transformer.Past`). Once the context is
    full, the last three quarters of it are read afresh.

    Args:
        model: the function; it is in eval mode while it computes, and in its own whenever a token is out.
        tokens: what comes before, at least one, of shape (n,).
        length: how many are written.
        temperature: see :func:`draw`.
        top_p: see :func:`draw`.
        seed: of what is drawn.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed % 2**63)
    known = tokens.tolist()[-model.context :]
    past = Past(len(model.blocks))
    for _ in range(length):
        if past.length == model.context:
            known, past = known[-max(1, int(KEPT * model.context)) :], Past(len(model.blocks))
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                fresh = torch.tensor(known[past.length :], device=device)
                logits = model(fresh[None], past)[0, -1].cpu()
        finally:
            model.train(training)
        known.append(draw(logits, temperature, top_p, generator))
        yield known[-1]
