"""The sizes that a network can have."""

from numbers import Integral

from descend.errors import UsageError


def at_least(least: int, **sizes: object) -> None:
    """Refuse sizes that are no whole number, or less than ``least``.

    Raises:
        UsageError: naming the first such size.

    Example:
        >>> at_least(1, width=32, layers=4)
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral) or size < least:
            raise UsageError(f"{name} as a whole number ≥ {least}", repr(size), f"give another {name}")


def check_dropout(dropout: object) -> None:
    """Refuse a share outside [0, 1).

    Raises:
        UsageError: always then.
    """
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise UsageError("dropout as a share in [0, 1)", repr(dropout), "give another dropout")
