"""What may stand behind a flag, and the sentence where something else does."""

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

from descend.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def number(
    flag: str, *, above: float | None = None, least: float | None = None, below: float | None = None
) -> Callable[[str], float]:
    """Return a reader of a finite number for ``flag``.

    Args:
        flag: its name, for the error.
        above: the number must be larger than this.
        least: the number must be at least this.
        below: the number must be smaller than this.
    """
    bounds = [
        f"{words} {bound:g}"
        for words, bound in (("above", above), ("of at least", least), ("below", below))
        if bound is not None
    ]
    expected = " ".join(["a number", " and ".join(bounds), f"for {flag}"]).replace("  ", " ")

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        right = (
            math.isfinite(value)
            and (above is None or value > above)
            and (least is None or value >= least)
            and (below is None or value < below)
        )
        if not right:
            raise UsageError(expected, repr(text), f"write it as {flag} {_example(above, least, below)}")
        return value

    return read


def _example(above: float | None, least: float | None, below: float | None) -> str:
    if below is not None:
        return f"{((above or least or 0.0) + below) / 10:g}"
    return "0.1" if above is not None or least is not None else "1.5"


def whole(flag: str, *, least: int) -> Callable[[str], int]:
    """Return a reader of a whole number for ``flag``: ``500``, ``10_000`` or ``1e4``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            try:
                as_float = float(text)
                value = int(as_float) if as_float.is_integer() else least - 1
            except (ValueError, OverflowError):
                value = least - 1
        if value < least:
            example = max(least, 100 if flag == "--steps" else 1)
            raise UsageError(
                f"a whole number of at least {least} for {flag}", repr(text), f"write it as {flag} {example}"
            )
        return value

    return read


def duration(flag: str, *, least: float | None = None) -> Callable[[str], float]:
    """Return a reader of a time for ``flag``, in seconds: ``90``, ``90s``, ``2m`` or ``1h``.

    Args:
        flag: its name, for the error.
        least: the time must be at least this; by default above 0.
    """
    bound = "above 0" if least is None else f"of at least {least:g}"

    def read(text: str) -> float:
        plain, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
        try:
            value = float(plain) * _UNITS[unit]
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (value <= 0 if least is None else value < least):
            raise UsageError(
                f"a time {bound} for {flag}", repr(text), f"write it as {flag} 60, 90s, 2m or 1h"
            )
        return value

    return read


def hyperparameters(flag: str, words: Sequence[str]) -> dict[str, Any]:
    """Read ``name=value`` words; a value is a number, true or false, several numbers, or a word.

    Example:
        >>> hyperparameters("--set", ["betas=0.9,0.95", "weight_decay=0.1", "nesterov=true"])
        {'betas': (0.9, 0.95), 'weight_decay': 0.1, 'nesterov': True}
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name, text = name.strip().replace("-", "_"), text.strip()
        if not equals or not name.isidentifier() or not text:
            raise UsageError(f"name=value for {flag}", repr(word), f"for example {flag} weight_decay=0.1")
        if name in values:
            raise UsageError(f"each name once for {flag}", f"{name} twice", "leave one of them out")
        values[name] = _value(text)
    return values


def starts(flag: str, words: Sequence[str]) -> dict[str, float]:
    """Read ``name=number`` words, also several in one, with commas between.

    Example:
        >>> starts("--start", ["b1=500,b2=1e-4", "c=2"])
        {'b1': 500.0, 'b2': 0.0001, 'c': 2.0}
    """
    found: dict[str, float] = {}
    for word in (part for words_ in words for part in words_.split(",")):
        name, _, text = word.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not name.strip().isidentifier() or not math.isfinite(value):
            raise UsageError(f"name=number for {flag}", repr(word), f"for example {flag} a=1,b=0.5")
        if name.strip() in found:
            raise UsageError(f"each name once for {flag}", f"{name.strip()} twice", "leave one of them out")
        found[name.strip()] = value
    return found


def _value(text: str) -> Any:
    plain = {"true": True, "yes": True, "false": False, "no": False, "none": None}
    if text.lower() in plain:
        return plain[text.lower()]
    parts = [part.strip() for part in text.split(",")]
    if any(part.lstrip("+-").lower() == "inf" for part in parts):
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            return text
        return tuple(numbers) if len(numbers) > 1 else numbers[0]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value
