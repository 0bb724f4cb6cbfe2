"""The live line: where the descent is, redrawn at most ten times a second.

It is an observer: it only looks. It draws from within :meth:`LiveLine.look` and starts no thread, for
on a machine with two cores a second thread that redraws costs more than it shows.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from descend.cli.terminal import can_draw, console, figure, share, span

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from descend.descent.observe import Progress

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """Draw the course of a series in one line of text.

    Args:
        values: the series; what is not finite is left out.
        width: signs to draw at most; a longer series is thinned evenly, its last value kept.

    Returns:
        One sign a value, on a logarithmic scale where a positive series spans more than a decade.

    Example:
        >>> sparkline([8, 7, 6, 5, 4, 3, 2, 1])
        '█▇▆▅▄▃▂▁'
    """
    finite = [v for v in values if math.isfinite(v)]
    if not finite or width < 1:
        return ""
    if len(finite) > width:
        stride = (len(finite) - 1) / max(width - 1, 1)
        finite = [finite[-1 - round(i * stride)] for i in range(width)][::-1]
    low, high = min(finite), max(finite)
    if low > 0 and high > 10 * low:
        finite = [math.log(v) for v in finite]
        low, high = min(finite), max(finite)
    if high == low:
        return _BARS[0] * len(finite)
    return "".join(_BARS[round((v - low) / (high - low) * (len(_BARS) - 1))] for v in finite)


def bar(fraction: float, width: int = 20) -> tuple[str, str]:
    """Return the done and the open part of a bar."""
    done = round(min(max(fraction, 0.0), 1.0) * width)
    return "━" * done, "─" * (width - done)


class LiveLine(AbstractContextManager["LiveLine"]):
    """One line in the terminal that follows a descent.

    Args:
        name: what is descended.
        on: the terminal; by default standard output.
    """

    every_seconds = 0.1

    def __init__(self, name: str, on: "Console | None" = None):
        from rich.live import Live

        self.name = name
        self._console = on or console()
        self._signs = can_draw()
        self._losses: list[float] = []
        self._every = 1
        self._looks = 0
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> "LiveLine":
        from rich.text import Text

        self._live.start()
        self._live.update(Text(f"{self.name}: reading, building ...", style="dim"), refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def look(self, descent: Any, now: "Progress") -> None:
        """Redraw the line."""
        self._remember(now.loss)
        self._live.update(self.line(now), refresh=True)

    def _remember(self, loss: float) -> None:
        # The whole course stays visible in a bounded list: where it is full, every second value goes.
        if self._looks % self._every == 0:
            self._losses.append(loss)
            if len(self._losses) >= 128:
                self._losses, self._every = self._losses[::2], self._every * 2
        self._looks += 1

    def line(self, now: "Progress") -> "Text":
        """Return the line for this moment, cut to the terminal's width by leaving out the least telling."""
        from rich.text import Text

        # Each piece: how soon it is left out (0: never), and its text.
        pieces: list[tuple[int, Text]] = [(0, Text(self.name, style="bold"))]
        if now.fraction is not None:
            done, still = bar(now.fraction) if self._signs else ("", "")
            pieces.append((3, Text.assemble((done, "green"), (still, "dim"))))
            pieces.append((1, Text(f"{now.fraction:4.0%}")))
        pieces.append((0, Text.assemble(("step ", "dim"), f"{now.step:,}")))
        pieces.append((0, Text.assemble(("loss ", "dim"), (figure(now.loss), "bold cyan"))))
        if self._signs:
            pieces.append((4, Text(sparkline([*self._losses, now.loss]), style="cyan")))
        for name, value in _telling(now.validation):
            pieces.append((2, Text.assemble((f"{name} ", "dim"), share(name, value))))
        pieces.append((6, Text.assemble(("rate ", "dim"), f"{now.lr:.2g}")))
        pieces.append((5, Text(f"{figure(now.rate, 3)} steps/s", style="dim")))
        if now.time_left is not None:
            pieces.append((1, Text(f"{span(now.time_left)} left", style="dim")))
        return _fit(pieces, self._console.width)


def _telling(validation: Mapping[str, float]) -> list[tuple[str, float]]:
    """The validation values worth the room: the metric where there is one, the loss otherwise."""
    plain = {name.removesuffix("/validation"): value for name, value in validation.items()}
    metrics = [(name, value) for name, value in plain.items() if name != "loss"]
    if metrics:
        return metrics[:1]
    return [("validation", plain["loss"])] if "loss" in plain else []


def _fit(pieces: list[tuple[int, "Text"]], width: int) -> "Text":
    from rich.text import Text

    pieces = [piece for piece in pieces if piece[1].cell_len]
    while sum(text.cell_len + 2 for _, text in pieces) - 2 > width:
        dispensable = max(rank for rank, _ in pieces)
        if dispensable == 0:
            break
        pieces = [piece for piece in pieces if piece[0] != dispensable]
    line = Text("  ").join(text for _, text in pieces)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
