"""Driving: to steer a car, and to keep it in its lane.

**The function** is a drive: from where a car starts, through dozens of moments in which a driver looks and
steers and the car moves on, to where it has been (:class:`descend.functions.driver.Drive`). Each moment is
simple; what the driver remembers and where the car is go from one to the next.
**Its parameters** are the driver's alone: a recurrent net of some thirty thousand numbers, which sees what
`highway-env`'s environment shows and says how far to turn the wheel.
**The loss** is what a drive costs: distance from the lane's middle, and steering. As the car's motion is made
of sines, arcs and sums, it can be differentiated: the gradient goes back through the road, the tyres and the
driver, moment by moment, and says of each parameter how the drive would have been better.
**The data** are places to start from: anywhere on the road, off the middle, turned, moving sideways. How
the car should have been steered is in none of them.
**The descent** sees a few dozen short drives a step. Longer ones from other places choose the best
parameters. It ends in the environment itself, which the function has never met: how often does the car leave
the road?

Two roads: ``driving``, highway-env's racetrack, where the driver sees only which cells of 3 m around it a
lane goes through; and ``lane-keeping``, where the tyres slip and all that is seen is noisy.

Change first: the time (`--seconds`); then ``width``, what a driver can remember; then ``moments``, how far
ahead what is steered now is judged.
"""

import torch
from torch import Tensor

from descend.functions.data import InMemory
from descend.functions.driver import Drive, Driver, discomfort, lateral_error
from descend.functions.driving import DrivingReader
from descend.functions.environments import simulated
from descend.functions.problem import Problem, Settings
from descend.functions.simulated import Simulation
from descend.functions.sizes import at_least
from descend.functions.splits import seeded

STARTS = 4096
"""To learn from."""
CHOOSING = 64
"""That choose the best parameters."""
EXAMINED = {"lane-keeping": 20, "racetrack": 10}
"""That are looked at once, at the end, and as many drives in the environment."""
LONGER = {"lane-keeping": 200, "racetrack": 180}
"""Moments of the drives that choose and of those that are looked at: a lap of the track."""


def driving_problem(source: None = None, *, seed: int = 0, width: int = 64, moments: int = 25) -> Problem:
    """Make the problem of driving round a track of nine bends by what is seen of it.

    Args:
        source: nothing: the track is part of highway-env.
        seed: draws the places to start from and the initial parameters.
        width: of the driver.
        moments: of each drive that is learned from, five a second.

    Returns:
        The problem; its inputs are starts (n, 4) and no chance (n, moments + 1, 0), its targets (n,), where
        in its lane the car should be: 0, the middle.

    Raises:
        UsageError: where a size is less than 1.
        MissingExtra: where highway-env is not installed.
    """
    settings = Settings("adamw", 8e-3, 64, 800, "cosine", 0.05, 1.0, {"weight_decay": 0.01})
    return _problem("racetrack", seed, width, moments, settings)


def lane_keeping_problem(
    source: None = None, *, seed: int = 0, width: int = 64, moments: int = 30
) -> Problem:
    """Make the problem of keeping a car that slips in a winding lane, by what is seen of it noisily.

    Args:
        source: nothing: the road is part of highway-env.
        seed: draws the places to start from, the noise and the initial parameters.
        width: of the driver.
        moments: of each drive that is learned from, ten a second.

    Returns:
        The problem; its inputs are starts (n, 7) and chance (n, moments + 1, 8), its targets as in
        :func:`driving_problem`.

    Raises:
        UsageError: where a size is less than 1.
        MissingExtra: where highway-env is not installed.
    """
    settings = Settings("adamw", 8e-3, 64, 250, "cosine", 0.05, 1.0, {"weight_decay": 0.01})
    return _problem("lane-keeping", seed, width, moments, settings)


def _problem(road: str, seed: int, width: int, moments: int, settings: Settings) -> Problem:
    at_least(1, width=width, moments=moments)
    simulation = simulated(road)
    generator = torch.Generator().manual_seed(seed % 2**63)
    with seeded(seed):
        driver = Driver(road, width)
    return Problem(
        Drive(driver, simulation),
        discomfort,
        train=InMemory(*_drives(simulation, STARTS, moments, generator)),
        validation=InMemory(*_drives(simulation, CHOOSING, LONGER[road], generator)),
        test=InMemory(*_drives(simulation, EXAMINED[road], LONGER[road], generator)),
        metric=lateral_error,
        name="driving" if road == "racetrack" else road,
        reader=DrivingReader(road, width),
        settings=settings,
        facts={"source": "highway-env", "kind": "driving", "road": road, "rows": STARTS, "moments": moments},
    )


def _drives(simulation: Simulation, n: int, moments: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Draw starts, the chance of each moment, and where each car should be."""
    starts = simulation.starts(n, generator)
    chance = 2 * torch.rand(n, moments + 1, simulation.NOISE, generator=generator) - 1
    return starts, chance, torch.zeros(n)
