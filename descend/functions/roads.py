"""Where lanes lie: straight ones, waves and arcs, all of a road at once, as functions to differentiate."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

BEYOND = 5.0
"""How far (m) a lane counts beyond its ends, as highway-env has it."""


def wrapped(angle: Tensor) -> Tensor:
    """Return the same angles between −π and π."""
    return torch.remainder(angle + torch.pi, 2 * torch.pi) - torch.pi


class _Lanes(nn.Module):
    """Lanes of one kind: numbers that go where the function goes, but are not saved with it."""

    def __init__(self, **columns: Tensor):
        super().__init__()
        for name, column in columns.items():
            self.register_buffer(name, column, persistent=False)


class _Lines(_Lanes):
    """Straight lanes and waves; a straight one is a wave of no height."""

    x: Tensor
    y: Tensor
    angle: Tensor
    height: Tensor
    pulsation: Tensor
    phase: Tensor

    def coordinates(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dx, dy = x - self.x, y - self.y
        cos, sin = torch.cos(self.angle), torch.sin(self.angle)
        along = cos * dx + sin * dy
        wave = self.pulsation * along + self.phase
        right = cos * dy - sin * dx - self.height * torch.sin(wave)
        return along, right, self.angle + torch.atan(self.height * self.pulsation * torch.cos(wave))

    def middle(self, along: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = torch.cos(self.angle), torch.sin(self.angle)
        right = self.height * torch.sin(self.pulsation * along + self.phase)
        return self.x + cos * along - sin * right, self.y + sin * along + cos * right


class _Arcs(_Lanes):
    """Parts of circles; ``turn`` is 1 where the heading grows along it, and −1 where it falls."""

    x: Tensor
    y: Tensor
    radius: Tensor
    start: Tensor
    turn: Tensor

    def coordinates(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dx, dy = x - self.x, y - self.y
        turned = wrapped(torch.atan2(dy, dx) - self.start)
        heading = self.start + turned + torch.pi / 2 * self.turn
        return self.turn * turned * self.radius, self.turn * (self.radius - torch.hypot(dx, dy)), heading

    def middle(self, along: Tensor) -> tuple[Tensor, Tensor]:
        angle = self.start + self.turn * along / self.radius
        return self.x + self.radius * torch.cos(angle), self.y + self.radius * torch.sin(angle)


class Road(nn.Module):
    """The lanes of a road.

    A place on a lane is told by how far along its middle it is, and how far to its right (m).

    Args:
        lanes: highway-env's lanes: ``StraightLane``, ``SineLane`` or ``CircularLane``.
        dtype: of all numbers.

    Attributes:
        lanes: the same in the order of their numbers: straight lanes and waves first, then arcs.
        length: of each lane, (lanes,), m.
        width: of each lane, (lanes,), m.
    """

    length: Tensor
    width: Tensor

    def __init__(self, lanes: Sequence[Any], dtype: torch.dtype = torch.float32):
        super().__init__()
        lines = [lane for lane in lanes if not hasattr(lane, "radius")]
        arcs = [lane for lane in lanes if hasattr(lane, "radius")]
        self.lanes = [*lines, *arcs]

        def column(lanes: Sequence[Any], value: Callable[[Any], float]) -> Tensor:
            return torch.tensor([value(lane) for lane in lanes], dtype=torch.float64).to(dtype)

        self.register_buffer("length", column(self.lanes, lambda lane: lane.length), persistent=False)
        self.register_buffer("width", column(self.lanes, lambda lane: lane.width), persistent=False)
        self._lines = _Lines(
            x=column(lines, lambda lane: lane.start[0]),
            y=column(lines, lambda lane: lane.start[1]),
            angle=column(lines, lambda lane: lane.heading),
            height=column(lines, lambda lane: getattr(lane, "amplitude", 0.0)),
            pulsation=column(lines, lambda lane: getattr(lane, "pulsation", 0.0)),
            phase=column(lines, lambda lane: getattr(lane, "phase", 0.0)),
        )
        self._arcs = _Arcs(
            x=column(arcs, lambda lane: lane.center[0]),
            y=column(arcs, lambda lane: lane.center[1]),
            radius=column(arcs, lambda lane: lane.radius),
            start=column(arcs, lambda lane: lane.start_phase),
            turn=column(arcs, lambda lane: lane.direction),
        )

    @property
    def _kinds(self) -> "list[_Lines | _Arcs]":
        return [kind for kind in (self._lines, self._arcs) if len(kind.x)]

    def __len__(self) -> int:
        return len(self.lanes)

    def coordinates(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return where places are on every lane.

        Args:
            x: (n,), m.
            y: (n,), m.

        Returns:
            How far along, how far to the right of the middle, and the lane's heading there (rad), each
            (n, lanes).
        """
        x, y = x[:, None], y[:, None]
        told = zip(*(kind.coordinates(x, y) for kind in self._kinds), strict=True)
        along, right, heading = (torch.cat(each, 1) for each in told)
        return along, right, heading

    def middle(self, along: Tensor) -> tuple[Tensor, Tensor]:
        """Return places on the lanes' middles.

        Args:
            along: (k, n, lanes): how far along each lane, m.

        Returns:
            x and y, each (k, n, lanes).
        """
        parts = along.split([len(kind.x) for kind in self._kinds], -1)
        told = zip(*(kind.middle(part) for kind, part in zip(self._kinds, parts, strict=True)), strict=True)
        x, y = (torch.cat(each, -1) for each in told)
        return x, y

    def nearest(self, x: Tensor, y: Tensor, heading: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the lane that each car is on, in place and in heading.

        Args:
            x: (n,), m.
            y: (n,), m.
            heading: (n,), rad.

        Returns:
            The lane's number; how far along it, how far to its right, and how far turned from it
            (rad, −π to π), each (n,).
        """
        along, right, lane_heading = self.coordinates(x, y)
        turned = wrapped(heading[:, None] - lane_heading)
        beyond = (along - self.length).clamp(min=0) + (-along).clamp(min=0)
        lane = (right.abs() + beyond + turned.abs()).argmin(1)
        along, right, turned = (each.gather(1, lane[:, None])[:, 0] for each in (along, right, turned))
        return lane, along, right, turned

    def on(self, along: Tensor, right: Tensor) -> Tensor:
        """Whether places are on each lane; both (n, lanes), as :meth:`coordinates` returns them."""
        inside = (along >= -BEYOND) & (along < self.length + BEYOND)
        return inside & (right.abs() <= self.width / 2)
