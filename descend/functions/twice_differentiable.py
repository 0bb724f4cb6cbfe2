"""Second derivatives: keeping from kernels that have none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def twice_differentiable(function: nn.Module | None = None) -> Iterator[None]:
    """Have what is computed within take the kernels that have second derivatives.

    Fused attention has none, nor have fused recurrent layers.

    Args:
        function: where it has recurrent layers, the libraries that fuse them are left out, for all else too.
    """
    from torch.backends import cudnn, mkldnn
    from torch.nn.attention import SDPBackend, sdpa_kernel

    recurrent = function is not None and any(isinstance(m, nn.RNNBase) for m in function.modules())
    libraries: list[Any] = [cudnn, mkldnn] if recurrent else []
    enabled = [library.enabled for library in libraries]
    with sdpa_kernel(SDPBackend.MATH):
        for library in libraries:
            library.enabled = False
        try:
            yield
        finally:
            for library, before in zip(libraries, enabled, strict=True):
                library.enabled = before
