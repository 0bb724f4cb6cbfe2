"""In which numbers a function is computed: float32, or bfloat16 where that is faster and does no harm.

Matrix products and convolutions take bfloat16 inputs and sum in float32; what adds up small things (losses,
normalisation, the parameters and the method's state) stays float32. bfloat16 has float32's range, so that
gradients need no scaling (Kalamkar et al. 2019, arXiv:1905.12322).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from descend.errors import UsageError

PRECISIONS = ("float32", "bfloat16", "auto")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return float32 or bfloat16; ``auto`` is bfloat16 where the device has instructions for it.

    Raises:
        UsageError: where there is no such precision.

    Example:
        >>> resolve_precision("float32", torch.device("cpu"))
        'float32'
    """
    if precision not in PRECISIONS:
        raise UsageError(f"a precision: {', '.join(PRECISIONS)}", repr(precision), "choose one of them")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private, so they may go
        has = device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)
    return "bfloat16" if has else "float32"


def in_precision(function: nn.Module, precision: str) -> nn.Module:
    """Return a function as it is called in float32 or bfloat16; parameters and modules are its own."""
    return InBfloat16(function) if precision == "bfloat16" else function


class InBfloat16(nn.Module):
    """A function whose matrix products and convolutions are computed in bfloat16.

    Args:
        function: shared, not copied; its parameters keep their type.

    What it returns is float32 again, for the loss.
    """

    def __init__(self, function: nn.Module):
        super().__init__()
        self.function = function
        self.kind = next(function.parameters()).device.type

    def forward(self, *inputs: Any) -> Any:
        """Return the function's output."""
        with torch.autocast(self.kind, torch.bfloat16):
            output = self.function(*inputs)
        return tree_map(_widened, output)


def _widened(value: Any) -> Any:
    narrow = isinstance(value, Tensor) and value.dtype == torch.bfloat16
    return value.float() if narrow else value
