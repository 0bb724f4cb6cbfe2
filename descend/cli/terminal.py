"""Where the command line speaks: one JSON object, plain lines, or a terminal's colours."""

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def is_terminal() -> bool:
    """Whether standard output is a terminal that can redraw a line."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def can_draw() -> bool:
    """Whether standard output takes signs such as ━ and ▇."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "━▇✓".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def console() -> "Console":
    """Return rich's console on standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def say(text: str = "") -> None:
    """Print plain text on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object; numbers that JSON does not know (not finite) become null."""
    say(json.dumps(_strict(value), ensure_ascii=False, allow_nan=False))


def complain(sentence: str, *, as_json: bool = False) -> None:
    """Print one line on standard error, and with ``--json`` ``{"error": ...}`` on standard output."""
    line = " ".join(sentence.split())
    sys.stderr.write(f"descend: {line}\n")
    sys.stderr.flush()
    if as_json:
        say_json({"error": line})


def survive_any_encoding() -> None:
    """Let a sign that the terminal cannot show become ``?`` instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def silence() -> None:
    """Send what is still to be written nowhere: whoever was reading has left (a broken pipe).

    Otherwise Python complains once more when it flushes standard output at its end.
    """
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file: nothing is left to be flushed
        pass


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def figure(value: float | None, digits: int = 4) -> str:
    """Write a number as a person would: few digits, thousands apart.

    Example:
        >>> figure(0.0123456), figure(1234567), figure(1.5e-9), figure(None)
        ('0.01235', '1,234,567', '1.5e-09', '-')
    """
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"


def share(name: str, value: float | None) -> str:
    """Write a metric's value: a share of correct answers in percent, anything else as a number.

    Example:
        >>> share("accuracy/test", 0.98498), share("r2", 0.851)
        ('98.5%', '0.851')
    """
    if value is not None and math.isfinite(value) and name.split("/")[0] == "accuracy":
        return f"{value:.1%}"
    return figure(value)


def span(seconds: float) -> str:
    """Write a time: ``8 s``, ``2 min 5 s``, ``3 h 12 min``.

    Example:
        >>> span(0.42), span(8.04), span(125), span(11520)
        ('0.42 s', '8.0 s', '2 min 5 s', '3 h 12 min')
    """
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
