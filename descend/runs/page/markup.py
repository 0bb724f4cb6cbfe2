"""HTML whose every string is escaped unless it is markup already, and numbers as people read them."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any


class Markup(str):
    """Text that is HTML already; any other string is escaped where it enters a tag."""

    __slots__ = ()


def text(*children: object) -> Markup:
    """Return children as one piece of HTML.

    Args:
        children: strings (escaped), markup (kept), ``None`` (left out), or iterables of these.
    """
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, Iterable) and not isinstance(child, str):
            parts.append(text(*child))
        else:
            parts.append(escape(str(child)))
    return Markup("".join(parts))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: its name: ``p``, ``table``, ...
        children: as in :func:`text`.
        attributes: ``class_`` is ``class``, ``aria_label`` is ``aria-label``; ``None`` and ``False``
            leave the attribute out, ``True`` writes its name alone.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    head = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            head.append(key)
        elif value is not None and value is not False:
            head.append(f'{key}="{escape(str(value))}"')
    return Markup(f"<{' '.join(head)}>{text(*children)}</{name}>")


def number(value: Any, digits: int = 4) -> str:
    """Return a number as people read it: 12,345, 0.04983, 3.1e-7, ∞, or a dash for ``None``.

    Args:
        value: a number; anything else is returned as its text.
        digits: how many significant digits a number with a fraction keeps.
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−") if abs(value) < 1e15 else number(float(value), digits)
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e7 or size < 1e-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    # 123,456.7 keeps all its whole digits: cutting them to four would read as a rounder number.
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    shown = f"{value:,.{decimals}f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return shown.replace("-", "−")


def percent(value: Any, digits: int = 3) -> str:
    """Return a share as a percentage; 12 times and more as a multiple; a dash for ``None``."""
    if value is None or not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    if abs(value) >= 10:
        return f"{number(float(value), 3)} ×"
    return f"{number(100.0 * value, digits)}%"


def duration(seconds: Any) -> str:
    """Return a time in seconds as people read it: 320 ms, 12.3 s, 2 min 05 s, 3 h 20 min, 2 d 4 h."""
    if seconds is None or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return number(seconds)
    if seconds < 1:
        return f"{number(1000.0 * seconds, 3)} ms"
    if seconds < 59.95:
        return f"{number(float(seconds), 3)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def moment(iso: Any) -> str:
    """Return an ISO time as ``23 November 2026, 10:00 UTC``; what is none, as it came."""
    try:
        at = datetime.fromisoformat(str(iso))
    except ValueError:
        return "–" if iso is None else str(iso)
    zone = ""
    if at.tzinfo is not None:
        at, zone = at.astimezone(UTC), " UTC"
    return f"{at.day} {at:%B %Y, %H:%M}{zone}"


def plain(value: Any, most: int = 12) -> str:
    """Return any JSON value as one line of words.

    Args:
        value: a number, a text, a list or a dict, nested or not.
        most: how many items of a list or a dict are written out; the rest are counted.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        parts = [f"{label(k)} {plain(v, most)}" for k, v in list(value.items())[:most]]
    elif isinstance(value, list | tuple):
        parts = [plain(v, most) for v in value[:most]]
    else:
        return number(value, 6)
    if len(value) > most:
        parts.append(f"… and {len(value) - most:,} more")
    return ", ".join(parts) if parts else "none"


def label(key: Any) -> str:
    """Return a key of ``run.json`` as words: ``batch_size`` is batch size, ``memory(GiB)`` memory (GiB)."""
    return str(key).replace("_", " ").replace("(", " (").replace("  (", " (")
