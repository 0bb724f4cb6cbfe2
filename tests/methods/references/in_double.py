"""torch's own methods with all their numbers in float64.

NAdam and ASGD keep numbers for each tensor (a product of momenta, a step length) in torch's default dtype,
float32 whatever the parameters are, and so are right to 1e-7 only. Where the default is float64, the same
code is right to rounding.
"""

from typing import Any

import torch


class _Double:
    def step(self, closure: Any = None) -> Any:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return super().step(closure)  # type: ignore[misc]
        finally:
            torch.set_default_dtype(before)


class NAdam(_Double, torch.optim.NAdam):
    """``torch.optim.NAdam`` in float64."""


class ASGD(_Double, torch.optim.ASGD):
    """``torch.optim.ASGD`` in float64."""
