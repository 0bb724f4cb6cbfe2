"""In which number format a rule runs, and in which formats its results are kept."""

from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor


def widest(tensors: Iterable[Tensor]) -> torch.dtype:
    """Return the dtype that holds the numbers of all these tensors.

    A rule runs in the widest dtype among a parameter, its gradient and what is kept for it: float32
    state beside bfloat16 parameters is computed with in float32, and each result is rounded once, when
    it is stored.
    """
    return reduce(torch.promote_types, {x.dtype for x in tensors})
