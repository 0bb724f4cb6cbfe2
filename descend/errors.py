"""Every error a person can meet, in one tree.

Each says three things: what was expected, what came, and what to do. The command line prints
that one sentence and nothing else; a program catches :class:`DescendError`.
"""


class DescendError(Exception):
    """The root of the tree.

    Args:
        expected: what would have been right, as a noun phrase.
        came: what was found instead.
        do: what the person can do about it, as an imperative.
    """

    exit_code = 2

    def __init__(self, expected: str, came: str = "", do: str = ""):
        self.expected, self.came, self.do = expected, came, do
        parts = [f"expected {expected}", f"came {came}" if came else "", do]
        super().__init__("; ".join(part for part in parts if part))


class UsageError(DescendError, ValueError):
    """A flag, a name or an argument that cannot be taken; a ``ValueError``, as torch's optimizers raise."""


class DataError(DescendError):
    """A file or a tensor that cannot be learned from or predicted on."""


class RunError(DescendError):
    """A run's folder that cannot be read, written or resumed."""


class MissingExtra(DescendError):
    """A part of descend whose package is not installed.

    Args:
        package: the package that is missing.
        extra: the name of descend's extra that brings it.
        purpose: what it is needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str):
        super().__init__(
            f"the package {package} for {purpose}",
            "none installed",
            f"install it with: pip install 'descend[{extra}]'",
        )


_MOST = 40
"""How many names an error lists."""


def nearest(name: str, known: "list[str]") -> str:
    """Name the closest known names, for the last part of an error.

    Args:
        name: what the person wrote.
        known: what they could have written.

    Returns:
        A clause such as ``did you mean adamw?``, or the whole list where nothing is close.
    """
    from difflib import SequenceMatcher, get_close_matches
    from itertools import takewhile

    spelled = {k.lower(): k for k in reversed(known)}
    wrote = name.lower()

    def likeness(k: str) -> float:  # people err at the end of a word more often than at its beginning
        same = takewhile(lambda pair: pair[0] == pair[1], zip(k, wrote, strict=False))
        return SequenceMatcher(None, k, wrote).ratio() + 0.05 * len(list(same))

    found = get_close_matches(wrote, spelled, n=9, cutoff=0.5)
    close = [spelled[k] for k in sorted(found, key=likeness, reverse=True)[:3]]
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
    return f"choose one of: {', '.join(known[:_MOST])}{more}"
