"""A driver that learns: what it sees goes in, how far to steer comes out; and a drive in a simulation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.functions.measures import Metric
from descend.functions.simulated import Simulation
from descend.functions.sizes import at_least

EFFORT = 0.3
"""What steering fully costs, in highway-env's racetrack; a quarter of it costs a quarter."""
STEEP = 4.0
"""How steeply distance from the lane's middle costs there, 1/m²."""


def lane_senses(seen: Tensor) -> Tensor:
    """Turn lane-keeping's twelve numbers into ten of size one.

    Args:
        seen: (n, 12): of y (m), heading (rad), speed sideways (m/s) and turning (rad/s) first the values,
            then how they change by the second, then what they should be.

    Returns:
        (n, 10): how far each is off, how each changes, and where the lane is and goes.
    """
    is_, changes, should = seen.split(4, 1)
    off = (is_ - should) / seen.new_tensor([2.5, 0.3, 1.0, 0.5])
    changes = changes / seen.new_tensor([5.0, 0.5, 5.0, 2.5])
    return torch.cat([off, changes, should[:, :2] / seen.new_tensor([5.0, 0.3])], 1)


def cell_senses(seen: Tensor) -> Tensor:
    """Turn cells of 0 and 1 into numbers around zero."""
    return seen - 0.5


SENSES = {"lane-keeping": (10, lane_senses), "racetrack": (144, cell_senses)}
"""For each road: how many numbers a driver takes in, and how they are made of what is seen."""


class Driver(nn.Module):
    """A recurrent net that steers: h ← GRU(gelu(W seen + b), h), steering = tanh(w · h + c).

    One look at cells of 3 m tells little of where in its lane a car is. The memory h adds up many looks, and
    what was done between them.

    Args:
        road: ``lane-keeping`` or ``racetrack``.
        width: numbers that it remembers.

    Shapes: seen (n, inputs), memory (n, width) → steering (n,) from −1 to 1, memory (n, width).

    Source: Cho et al. 2014, arXiv:1406.1078.
    """

    def __init__(self, road: str, width: int = 64):
        super().__init__()
        at_least(1, width=width)
        inputs, self.senses = SENSES[road]
        self.width = width
        self.see = nn.Linear(inputs, width)
        self.remember = nn.GRUCell(width, width)
        self.steer = nn.Linear(width, 1)
        nn.init.normal_(self.steer.weight, std=1 / width)  # it begins by going nearly straight on
        nn.init.zeros_(self.steer.bias)

    def begin(self, n: int) -> Tensor:
        """Return the memory of a driver who has seen nothing yet, (n, width)."""
        return self.steer.weight.new_zeros(n, self.width)

    def forward(self, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the steering, and what is remembered."""
        memory = self.remember(F.gelu(self.see(self.senses(seen))), memory)
        return torch.tanh(self.steer(memory))[:, 0], memory


class Drive(nn.Module):
    """Drives through a simulation: from where cars start to what became of them.

    A gradient goes back through the whole drive, from each moment's place to every steering before it. It
    takes later steerings for given where it cannot see that the driver would look again and correct, so that
    it makes too much of what is far ahead; therefore it fades, by the simulation's share a moment (Zhang et
    al. 2024, arXiv:2407.10648).

    Args:
        driver: steers.
        simulation: moves the cars.

    Shapes: start (n, k), chance (n, moments + 1, noise) → (n, moments, 3): after each steering, how far the
    car is to the right of its lane's middle (m), how far it is turned from it (rad), and how it was steered
    (−1 to 1).
    """

    def __init__(self, driver: Driver, simulation: Simulation):
        super().__init__()
        self.driver, self.simulation = driver, simulation

    def forward(self, start: Tensor, chance: Tensor) -> Tensor:
        """Drive from each start."""
        state, memory = start, self.driver.begin(len(start))
        seen = self.simulation.look(state, chance[:, 0])
        told, fading = [], self.simulation.FADING
        for moment in range(1, chance.shape[1]):
            steering, memory = self.driver(seen, memory)
            state = fading * state + (1 - fading) * state.detach()
            state, seen = self.simulation.step(state, steering, chance[:, moment])
            told.append(torch.stack([*self.simulation.beside(state), steering], 1))
        return torch.stack(told, 1)


def discomfort(driven: Tensor, wanted: Tensor) -> Tensor:
    """Return what a drive costs: log(1 + 4 d²) + 0.3 |steering|, averaged over cars and moments.

    highway-env's racetrack rewards 1/(1 + 4 d²) − 0.3 |steering|, where d is the distance from the lane's
    middle. Its logarithm has its minimum at the same place, but far from there it still says which way is
    better.

    Args:
        driven: (n, moments, 3), of :class:`Drive`.
        wanted: (n,): where in its lane each car should be, m to the right of the middle.
    """
    distance, _, steering = driven.unbind(2)
    distance = distance - wanted[:, None]
    return torch.log1p(STEEP * distance**2).mean() + EFFORT * steering.abs().mean()


def _squares(driven: Tensor, wanted: Tensor) -> Tensor:
    off = (driven[..., 0] - wanted[:, None]).double()
    return torch.tensor([float((off**2).sum()), float(off.numel())], dtype=torch.float64)


lateral_error = Metric("lateral-error(m)", _squares, lambda s: (s[0] / s[1]) ** 0.5, larger_is_better=False)
"""How far from where it should be in its lane a car is: the root of the mean square, m."""
