"""Standing around calls of modules, of torch's clipping and of copying, until they are let alone again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


def around_calls(see: Callable[..., Any]) -> Callable[[], None]:
    """Have calls of modules go through ``see(original, module, args, kwargs)``; return what undoes it."""
    original = nn.Module.__call__

    def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return see(original, module, args, kwargs)

    def undo() -> None:
        if nn.Module.__call__ is called:
            nn.Module.__call__ = original  # type: ignore[method-assign]

    nn.Module.__call__ = called  # type: ignore[method-assign]
    return undo


def around_clipping(see: Callable[..., Any]) -> list[Callable[[], None]]:
    """Have clipping of gradients go through ``see(name, original, parameters, args, kwargs)``."""
    return [_around(name, see) for name in ("clip_grad_norm_", "clip_grad_value_")]


def _around(name: str, see: Callable[..., Any]) -> Callable[[], None]:
    original = getattr(nn.utils, name)

    def patched(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        return see(name, original, parameters, args, kwargs)

    def undo() -> None:
        for where in (nn.utils, nn.utils.clip_grad):
            if getattr(where, name) is patched:
                setattr(where, name, original)

    patched.__wrapped__ = original  # type: ignore[attr-defined]
    for where in (nn.utils, nn.utils.clip_grad):
        setattr(where, name, patched)
    return undo


def copied_without(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands around ``nn.Module.__reduce_ex__``: copied and saved modules do not have a hook.

    A copy that had it would tell of its calls for ever, and what is no global function cannot be saved.
    """

    def reduced(original: Callable[..., Any], module: nn.Module, protocol: int) -> Any:
        out = original(module, protocol)
        state: Any = out[2] if isinstance(out, tuple) and len(out) > 2 else None
        if not isinstance(state, dict) or hook not in (hooks := state.get("_forward_pre_hooks", {})).values():
            return out
        kept = type(hooks)((key, one) for key, one in hooks.items() if one is not hook)
        return *out[:2], {**state, "_forward_pre_hooks": kept}, *out[3:]

    return reduced
