"""What was seen of a loss on a line or plane, in numbers and in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Way:
    """The way of a descent, as the plane shows it and as it is.

    Attributes:
        name: of the run.
        steps: of each point.
        at: (k, d): where the points' perpendiculars meet the plane.
        off: (k,): how far off the plane they lie, as a share of how far the way's end lies from its start.
        loss: (k,): where the points are.
        on_plane: (k,): where they are drawn.
        share: of the variance of the points that lies in the plane, 0 to 1.
        share_of_a_random_walk: what a random walk of the same steps has in its own principal components.
    """

    name: str
    steps: tuple[int, ...]
    at: Tensor
    off: Tensor
    loss: Tensor
    on_plane: Tensor
    share: float
    share_of_a_random_walk: float

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "steps": list(self.steps),
            "at": numbers(self.at),
            "off": numbers(self.off),
            "loss": numbers(self.loss),
            "loss_on_plane": numbers(self.on_plane),
            "share": number(self.share),
            "share_of_a_random_walk": number(self.share_of_a_random_walk),
        }


@dataclass(frozen=True)
class Curve:
    """A curve of low loss between two solutions.

    Attributes:
        t: (k,): from 0 at the first to 1 at the second.
        loss: (k,): along it.
    """

    t: Tensor
    loss: Tensor


@dataclass(frozen=True)
class Landscape:
    """A loss on a line or a plane through a function's parameters; made by :func:`descend.landscape`.

    Attributes:
        kind: path, random, curvature, between, through, axes or given.
        name: of the problem.
        labels: what a distance of 1 means along each axis.
        x: (columns,): the first coordinate.
        y: (rows,): the second one; ``None`` on a line.
        loss: (rows, columns), or (columns,).
        computed: of the same shape: which values were computed, and not interpolated.
        doubt: the greatest error of interpolation that was seen, as a share of the range.
        middle: the loss where all coordinates are 0.
        ways: of descents.
        curve: of low loss, beside a line between two solutions.
        examples: how many the loss is a mean over; 0 where the function needs none.
        data: which part they are of.
        noise: the standard error of the loss, from ten parts of the examples; NaN where it is not known.
        noise_of_differences: that of differences to the loss in the middle.
        evaluations: of the loss at a point.
        seconds: that all took.
        pace: how points were computed.
        notes: what else is to be known.
    """

    kind: str
    name: str
    labels: tuple[str, ...]
    x: Tensor
    y: Tensor | None
    loss: Tensor
    computed: Tensor
    doubt: float
    middle: float
    ways: tuple[Way, ...]
    curve: Curve | None
    examples: int
    data: str
    noise: float
    noise_of_differences: float
    evaluations: int
    seconds: float
    pace: str
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Say what the picture shows, and what it does not."""
        size = " × ".join(str(len(v)) for v in (self.x, self.y) if v is not None)
        of = f" over {self.examples:,} {self.data} examples" if self.examples else ""
        known = int(self.computed.sum())
        said = f"The loss at {size} points{of}"
        if known < self.loss.numel():
            said += (
                f": {known:,} of them computed, where it bends most, the others interpolated "
                f"(by {self.doubt:.2%} of the range at most, where that was tried)"
            )
        found = [said + f"; {self.middle:.4g} in the middle."]
        if not math.isnan(self.noise):
            found.append(
                f"With other examples it would differ by about ± {self.noise:.2g}, and its differences to "
                f"the middle by ± {self.noise_of_differences:.2g} (standard errors)."
            )
        for way in self.ways:
            if self.kind in ("axes",):
                break
            found.append(_of_way(way, self.kind, len(self.labels)))
        return [*found, *self.notes]

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend landscape --json`` prints it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "labels": list(self.labels),
            "x": numbers(self.x),
            "y": None if self.y is None else numbers(self.y),
            "loss": numbers(self.loss),
            "computed": self.computed.tolist(),
            "doubt": number(self.doubt),
            "middle": number(self.middle),
            "ways": [way.as_json() for way in self.ways],
            "curve": self.curve and {"t": numbers(self.curve.t), "loss": numbers(self.curve.loss)},
            "examples": self.examples,
            "data": self.data,
            "noise": number(self.noise),
            "noise_of_differences": number(self.noise_of_differences),
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "pace": self.pace,
            "said": self.sentences(),
        }

    def figure(self, surface: bool = False) -> Figure:
        """Return a plotly figure: contours with the ways on them, or a surface.

        Args:
            surface: whether to draw the loss as a height; only in two dimensions.
        """
        from descend.landscapes.figures import figure

        return figure(self, surface)

    def save(self, path: str | Path) -> Path:
        """Write a picture of it.

        Args:
            path: ``.html`` (contours, surface and ways, to be touched; opens offline), ``.svg``, ``.png``,
                ``.gif`` and ``.mp4`` (the descent as an animation) or ``.json``.

        Returns:
            The path.

        Raises:
            UsageError: where the suffix is another.
            MissingExtra: where the package for it is not installed.
        """
        from descend.landscapes.saving import save

        return save(self, Path(path))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Show the figure in a notebook."""
        return self.figure()._repr_mimebundle_(**options)


def _of_way(way: Way, kind: str, dimensions: int) -> str:
    where = "plane" if dimensions == 2 else "line"
    said = f"{way.share:.0%} of the variance of the way of {way.name} lies in this {where}"
    if kind == "path" and not math.isnan(way.share_of_a_random_walk):
        said += f" (a random walk of the same steps would have {way.share_of_a_random_walk:.0%} in its own)"
    wrong = (way.on_plane - way.loss).abs()
    worst = int(wrong.nan_to_num(0).argmax())
    return (
        f"{said}; its points lie up to {float(way.off.max()):.0%} of its length off it, where the loss "
        f"is {float(way.loss[worst]):.3g} and not {float(way.on_plane[worst]):.3g} as drawn."
    )


def number(value: float) -> float | None:
    """Return a number as JSON has it: ``None`` where it is not finite."""
    return float(f"{value:.8g}") if math.isfinite(value) else None


def numbers(tensor: Tensor) -> list[Any]:
    """Return a tensor's numbers as JSON has them."""

    def plain(x: Any) -> Any:
        return [plain(y) for y in x] if isinstance(x, Sequence) else number(x)

    return plain(tensor.tolist())
