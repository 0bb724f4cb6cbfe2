"""Where a descent computes."""

import torch

from descend.errors import UsageError


def device_of(device: str | torch.device | None) -> torch.device:
    """Return the device that is meant; ``None`` means the first GPU, or the CPU.

    Raises:
        UsageError: where there is none of this name.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError):
        raise UsageError("a device that is here", repr(str(device)), "use --device cpu") from None
    return found
