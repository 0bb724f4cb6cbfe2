"""Where in a graph of operations numbers cease to be finite, or are about to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_SELF = "_saved_self"
_RISKS: dict[str, tuple[str, str, str]] = {
    "LogBackward0": (_SELF, "log", "below or at zero"),
    "Log2Backward0": (_SELF, "log2", "below or at zero"),
    "Log10Backward0": (_SELF, "log10", "below or at zero"),
    "DivBackward0": ("_saved_other", "division", "zero in the divisor"),
    "ReciprocalBackward0": ("_saved_result", "reciprocal", "zero"),
    "SqrtBackward0": ("_saved_result", "sqrt", "zero, where its derivative is infinite, or below"),
    "RsqrtBackward0": ("_saved_result", "rsqrt", "zero or below"),
    "PowBackward0": (_SELF, "power", "zero or below"),
    "PowBackward1": (_SELF, "power", "zero or below"),
    "AcosBackward0": (_SELF, "acos", "at or beyond one"),
    "AsinBackward0": (_SELF, "asin", "at or beyond one"),
    "AtanhBackward0": (_SELF, "atanh", "at or beyond one"),
    "ExpBackward0": ("_saved_result", "exp", "so large that it overflows"),
    "LogsumexpBackward0": ("_saved_result", "logsumexp", "so large that it overflows"),
}
LIMIT = 4000
"""How many operations are looked at."""
_SAME_NUMBERS = (
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Select", "Slice", "Index", "Transpose"),
    *("T", "Permute", "Expand", "Clone", "ToCopy", "Alias", "IndexSelect", "Gather", "Split", "Unbind"),
    *("MaskedSelect", "Take", "Diagonal", "Unfold", "Clamp", "Cat", "Stack"),
)
"""Operations whose results are some of the numbers that they were given, in another form."""


def nodes(loss: Tensor) -> Iterator[Any]:
    """Return the operations of a graph, from the loss towards the inputs."""
    seen: set[Any] = set()
    waiting = [loss.grad_fn]
    while waiting and len(seen) < LIMIT:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [n for n, _ in node.next_functions]


def source(x: Tensor) -> str:
    """Return the operation that made a tensor's numbers, whatever their form: ``sigmoid``; or nothing."""
    node: Any = x.grad_fn
    for _ in range(8):
        if node is None:
            break
        kind = node.name().rpartition("::")[2].partition("Backward")[0]
        if kind not in _SAME_NUMBERS:
            return kind.lower()
        node = node.next_functions[0][0]  # of parts that are put together: the first
    return ""


def leaves(loss: Tensor) -> list[Tensor]:
    """Return the tensors that a loss's gradient is added to."""
    found = (getattr(node, "variable", None) for node in nodes(loss))
    return [p for p in found if isinstance(p, Tensor)]


def risky(loss: Tensor) -> list[tuple[str, str]]:
    """Return operations whose result or derivative is not finite: (which, for what it was given)."""
    found = []
    for node in nodes(loss):
        risk = _RISKS.get(node.name().rpartition("::")[2])
        if risk is None:
            continue
        attribute, name, words = risk
        try:
            x = getattr(node, attribute)
        except (RuntimeError, AttributeError):  # freed, or of another version of torch
            continue
        if isinstance(x, Tensor) and x.is_floating_point() and x.numel() and _bad(node, name, x):
            found.append((name, words))
    return found[::-1]


@torch.no_grad()
def _bad(node: Any, name: str, x: Tensor) -> bool:
    if name in ("exp", "logsumexp", "reciprocal"):
        return bool(x.isinf().any())
    if name in ("acos", "asin", "atanh"):
        return bool((x.abs() >= 1).any())
    if name in ("sqrt", "rsqrt"):
        return bool(((x == 0) | x.isnan() | x.isinf()).any()) and not _all_nan(x)
    if name == "power":
        exponent = getattr(node, "_saved_exponent", 1.0)
        small = not isinstance(exponent, Tensor) and float(exponent) < 1
        return small and bool((x <= 0).any())
    if name == "division":
        return bool((x == 0).any())
    return bool((x <= 0).any())


def _all_nan(x: Tensor) -> bool:
    return bool(x.isnan().all())


@torch.no_grad()
def given(loss: Tensor) -> str:
    """Return the first operation that was given data that are not finite; empty where there is none."""
    for node in reversed(list(nodes(loss))):
        for name, place in _OPERANDS:
            x = getattr(node, name, None) if hasattr(node, name) else None
            if isinstance(x, Tensor) and x.is_floating_point() and not bool(x.isfinite().all()):
                before = node.next_functions
                if place >= len(before) or before[place][0] is None:
                    return node.name().rpartition("::")[2].removesuffix("Backward0")
    return ""


def suspects(loss: Tensor) -> list[str]:
    """Return operations that may have an infinite derivative where their result is finite."""
    kinds = [_RISKS[k][1] for node in nodes(loss) if (k := node.name().rpartition("::")[2]) in _RISKS]
    return [k for k in dict.fromkeys(kinds) if k in ("sqrt", "power", "acos", "asin")]


def not_finite(loss: Tensor, broken: bool, before: list[tuple[str, str]]) -> tuple[str, str, str]:
    """Return what is not finite in a step whose loss is not: (what, where, for what it was given).

    Args:
        loss: of the step.
        broken: whether parameters are not finite: the step before was, and its gradient was not.
        before: what was risky in an earlier step that was looked at.
    """
    data = "" if broken else given(loss)
    risks = before if broken else risky(loss)
    where, words = risks[0] if risks else ("", "")
    if data and not risks:
        where, words = data, "data that are not finite"
    if broken and not where and (guessed := suspects(loss)):
        where, words = " or ".join(guessed), "whose derivative is infinite at some finite values"
    return "parameter" if broken else "input" if data else "loss", where, words


_OPERANDS = (
    *(("_saved_mat1", 1), ("_saved_mat2", 2), ("_saved_input", 0), ("_saved_self", 0)),
    *(("_saved_other", 1), ("_saved_target", 1)),
)
"""What nodes keep of what they were given, and its place among their operands."""
