"""What a car sees of its road: which cells of a grid around it a lane goes through."""

import math

import torch
from torch import Tensor

from descend.functions.roads import Road

CELLS, CELL = 12, 3.0
"""Cells a side, and how long one is (m): what highway-env's racetrack shows."""
SEEN = 100.0
"""How far (m) ahead and back along each lane it looks."""


def lane_cells(road: Road, x: Tensor, y: Tensor, heading: Tensor) -> Tensor:
    """Return the cells in which a lane's middle is, looked at every 3 m.

    The grid turns with the car: its first index counts from behind to ahead, its second from left to
    right. It is the layer ``on_road`` of highway-env's ``OccupancyGrid``; it does not depend smoothly on
    where the car is, so no gradient goes through it.

    Args:
        road: the lanes.
        x: (n,), m.
        y: (n,), m.
        heading: (n,), rad.

    Returns:
        (n, cells, cells), 1 where there is a lane and 0 elsewhere.
    """
    with torch.no_grad():
        along, _, _ = road.coordinates(x, y)
        # It looks at along − 100, along − 97, ... along + 98, and at a lane's end where that is beyond it:
        # so only from one before the lane begins to one after it ends.
        first = ((SEEN - along) / CELL).ceil() - 1
        count = math.ceil(float(road.length.max()) / CELL) + 2
        number = first + torch.arange(count, dtype=x.dtype, device=x.device)[:, None, None]
        places = along - SEEN + CELL * number.clamp(0, math.ceil(2 * SEEN / CELL) - 1)
        at_x, at_y = road.middle(places.clamp(min=0).minimum(road.length))
        dx, dy = (at_x - x[:, None]).flatten(), (at_y - y[:, None]).flatten()
        near = (dx * dx + dy * dy < 2 * (CELLS * CELL / 2) ** 2).nonzero()[:, 0]
        dx, dy, car = dx[near], dy[near], near // len(road) % len(x)
        cos, sin = torch.cos(heading)[car] / CELL, torch.sin(heading)[car] / CELL
        row = (cos * dx + sin * dy + CELLS / 2).floor()
        column = (cos * dy - sin * dx + CELLS / 2).floor()
        inside = (row >= 0) & (row < CELLS) & (column >= 0) & (column < CELLS)
        last = len(x) * CELLS * CELLS  # where what is outside goes
        cell = torch.where(inside, (car * CELLS + row.long()) * CELLS + column.long(), last)
        grid = x.new_zeros(last + 1)
        grid[cell] = 1.0
        return grid[:-1].unflatten(0, (len(x), CELLS, CELLS))
