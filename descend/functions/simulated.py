"""highway-env's two tasks as functions to differentiate: what a car sees, and where its steering takes it.

They compute what the environments do (``tests/functions/test_simulated.py`` holds them to it), for many cars
at once, and a gradient can go back through every moment of a drive.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from descend.functions.occupancy import lane_cells
from descend.functions.roads import Road
from descend.functions.vehicles import rolled, slid, sliding


class Simulation(Protocol):
    """Cars on a road, each alone. A state is (n, k), of which x, y (m) and heading (rad) come first."""

    NOISE: ClassVar[int]
    """Numbers of chance that each look takes."""
    FADING: float
    """What is left of a gradient that goes back by a moment, see :class:`descend.functions.driver.Drive`."""

    def look(self, state: Tensor, chance: Tensor) -> Tensor:
        """Return what the cars see as they begin, (n, inputs)."""
        ...

    def step(self, state: Tensor, steering: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Steer for one moment; return the state afterwards, and what is seen before the next.

        Args:
            state: (n, k).
            steering: (n,), from −1, wholly to the left, to 1.
            chance: (n, NOISE), between −1 and 1.
        """
        ...

    def beside(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far the cars are to the right of their lane's middle (m) and turned from it (rad)."""
        ...

    def starts(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw places to start from, anywhere on the road: (n, k)."""
        ...


def _anywhere(road: Road, n: int, lateral: float, turned: float, generator: torch.Generator) -> Tensor:
    """Draw cars on lanes, as many a metre of each: x, y and heading, (n, 3)."""
    lane = torch.multinomial(road.length, n, replacement=True, generator=generator)[:, None]
    along, right, turn = torch.rand(3, n, generator=generator)
    right, turn = (2 * right - 1) * lateral, (2 * turn - 1) * turned
    along = along[:, None] * road.length
    x, y = (each[0].gather(1, lane)[:, 0] for each in road.middle(along[None]))
    heading = road.coordinates(x, y)[2].gather(1, lane)[:, 0]
    return torch.stack([x - right * heading.sin(), y + right * heading.cos(), heading + turn], 1)


class SimulatedTrack(nn.Module):
    """``racetrack``: a car of steady speed sees which cells around it a lane goes through.

    Args:
        lanes: the environment's.
        dtype: of all numbers.

    Its state is x, y, heading and speed; it steers five times a second.
    """

    NOISE: ClassVar[int] = 0
    FADING = 0.6
    SPEED = 10.0
    MOST_STEERING = torch.pi / 4

    def __init__(self, lanes: Sequence[Any], dtype: torch.dtype = torch.float32):
        super().__init__()
        self.road = Road(lanes, dtype)

    def look(self, state: Tensor, chance: Tensor) -> Tensor:
        """Return the cells, (n, 144)."""
        return lane_cells(self.road, *state.detach()[:, :3].unbind(1)).flatten(1)

    def step(self, state: Tensor, steering: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Roll on for a fifth of a second, in three steps."""
        for _ in range(3):
            state = rolled(state, self.MOST_STEERING * steering, 1 / 15)
        return state, self.look(state, chance)

    def beside(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance and the angle to the nearest lane."""
        _, _, right, turned = self.road.nearest(*state[:, :3].unbind(1))
        return right, turned

    def starts(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw places up to 1.5 m beside a lane's middle and turned by up to 0.3 rad."""
        place = _anywhere(self.road, n, 1.5, 0.3, generator)
        return torch.cat([place, torch.full((n, 1), self.SPEED)], 1)


class SimulatedLane(nn.Module):
    """``lane-keeping``: a car that slips knows, noisily, how it moves and where its lane is.

    Args:
        lanes: the environment's: the straight one that it begins on, then the wave.
        dtype: of all numbers.

    Its state is that of :func:`descend.functions.vehicles.sliding` and the number of its lane; it steers ten
    times a second. It sees how things were before its last steering took effect, as the environment has it.
    """

    NOISE: ClassVar[int] = 8
    FADING = 0.9
    NOISE_SIZE = 0.05
    SPEED = 8.3
    MOST_STEERING = torch.pi / 3
    SEEN = (1, 2, 4, 5)
    """Of the state and its derivative: y, heading, speed sideways, turning."""

    def __init__(self, lanes: Sequence[Any], dtype: torch.dtype = torch.float32):
        super().__init__()
        self.road = Road(lanes, dtype)

    def _see(self, state: Tensor, steering: Tensor, chance: Tensor) -> Tensor:
        moving = state[:, :6]
        right, heading = self._lane(state)
        noise = self.NOISE_SIZE * chance
        seen = moving[:, self.SEEN] + noise[:, :4]
        changing = sliding(moving, self.MOST_STEERING * steering)[:, self.SEEN] + noise[:, 4:]
        zero = torch.zeros_like(right)
        return torch.cat([seen, changing, torch.stack([state[:, 1] - right, heading, zero, zero], 1)], 1)

    def _lane(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far the cars are to the right of the lane that they should keep, and its heading."""
        _, right, heading = self.road.coordinates(state[:, 0], state[:, 1])
        own = state[:, 6:].detach().long()
        return right.gather(1, own)[:, 0], heading.gather(1, own)[:, 0]

    def look(self, state: Tensor, chance: Tensor) -> Tensor:
        """Return state, derivative and reference, (n, 12)."""
        return self._see(state, torch.zeros_like(state[:, 0]), chance)

    def step(self, state: Tensor, steering: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Slide on for a tenth of a second; what is seen is how it was before."""
        along, right, _ = self.road.coordinates(state[:, 0], state[:, 1])
        left = ~self.road.on(along, right)[:, :1]
        state = torch.cat([state[:, :6], torch.where(left, 1.0, state[:, 6:])], 1)
        seen = self._see(state, steering, chance)
        return torch.cat([slid(state[:, :6], self.MOST_STEERING * steering, 0.1), state[:, 6:]], 1), seen

    def beside(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance and the angle to the lane that should be kept."""
        right, heading = self._lane(state)
        return right, torch.remainder(state[:, 2] - heading + torch.pi, 2 * torch.pi) - torch.pi

    def starts(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw places up to 4 m beside a lane's middle, turned by up to 0.3 rad, sliding and turning."""
        place = _anywhere(self.road, n, 4.0, 0.3, generator)
        moving = (2 * torch.rand(2, n, generator=generator) - 1) * torch.tensor([[0.5], [0.3]])
        along, right, _ = self.road.coordinates(place[:, 0], place[:, 1])
        lane = torch.where(self.road.on(along, right)[:, 0], 0.0, 1.0)
        return torch.stack([*place.unbind(1), torch.full((n,), self.SPEED), *moving, lane], 1)
