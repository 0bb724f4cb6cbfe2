"""highway-env's two tasks themselves: opened, seen through, and driven in, one car at a time."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from descend.errors import MissingExtra, UsageError
from descend.functions.simulated import SimulatedLane, SimulatedTrack, Simulation

Steer = Callable[[Tensor, Any], float]
"""From what is seen (inputs,), and the environment for those who may look, to the steering, −1 to 1."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        environment: its name in gymnasium.
        simulation: the same as a function that can be differentiated.
        moments: steerings that a drive takes at most, unless told otherwise.
        config: what is set there other than by default.
    """

    environment: str
    simulation: Callable[[Sequence[Any], torch.dtype], Simulation]
    moments: int
    config: dict[str, Any] = field(default_factory=dict)


TASKS = {
    "lane-keeping": Task("lane-keeping-v0", SimulatedLane, 600),
    "racetrack": Task("racetrack-v1", SimulatedTrack, 1500, {"other_vehicles": 0}),
}
"""Alone on the road in both."""


def opened(road: str) -> Any:
    """Open a road's environment, as itself, without gymnasium's wrappers around it.

    Args:
        road: one of :data:`TASKS`.

    Raises:
        MissingExtra: where highway-env is not installed.
        UsageError: where it is too old.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it greets on standard output
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")  # it complains on standard error
    try:
        import gymnasium
        import highway_env  # noqa: F401 - registers its environments
    except ImportError:
        raise MissingExtra("highway-env", "driving", "driving") from None
    task = TASKS[road]
    try:
        return gymnasium.make(task.environment, config=dict(task.config)).unwrapped
    except gymnasium.error.Error as error:
        came = str(error).splitlines()[0]
        do = "upgrade it with: pip install -U 'descend[driving]'"
        raise UsageError(f"a highway-env with {task.environment}", f"“{came}”", do) from None


def simulated(road: str, dtype: torch.dtype = torch.float32) -> Simulation:
    """Return a road's simulation, with the lanes of its environment.

    Args:
        road: one of :data:`TASKS`.
        dtype: of all numbers.

    Raises:
        MissingExtra: where highway-env is not installed.
    """
    environment = opened(road)
    environment.reset(seed=0)
    network = environment.road.network
    lanes = network.lanes_list()
    if road == "lane-keeping":  # the two that are to be kept; a third one only joins them
        lanes = [network.get_lane(("c", "d", 0)), network.get_lane(("a", "b", 0))]
    return TASKS[road].simulation(lanes, dtype)


def seen(observation: Any) -> Tensor:
    """Turn what an environment shows into what a driver takes in, (inputs,).

    That is of lane-keeping all twelve numbers, and of the racetrack the cells with a lane in them; its other
    cells say where cars are, of which there is only one.
    """
    if isinstance(observation, dict):
        parts = [observation[name] for name in ("state", "derivative", "reference_state")]
        return torch.cat([torch.as_tensor(part, dtype=torch.float32).flatten() for part in parts])
    return torch.as_tensor(observation[1], dtype=torch.float32).flatten()


@dataclass
class Driven:
    """One drive.

    Attributes:
        seed: of the environment.
        left: whether the car left the road, or crashed.
        laps: how often it went round; on a road that ends, 1 where it came there.
        seconds: driven.
        reward: the environment's own, a moment.
        error: root mean square distance from the middle of the lane, m.
    """

    seed: int
    left: bool = False
    laps: int = 0
    seconds: float = 0.0
    reward: float = 0.0
    error: float = 0.0


def drive(
    environment: Any, seed: int, steer: Steer, laps: int = 1, moments: int | None = None, film: Any = None
) -> Driven:
    """Drive once, until the road is left, or so many laps are done.

    Args:
        environment: of :func:`opened`.
        seed: where the car starts, and what noise is in what it sees.
        steer: the driver.
        laps: when it is enough.
        moments: steerings at most; by default the task's.
        film: is told to ``take()`` a picture after each steering.
    """
    observation, _ = environment.reset(seed=seed)
    around = Rounds(environment)
    done, distance = Driven(seed), 0.0
    most = moments or next(t.moments for t in TASKS.values() if t.environment == environment.spec.id)
    taken = 0
    while taken < most and done.laps < laps and not done.left:
        action = torch.tensor([steer(seen(observation), environment)]).numpy()
        observation, reward, ended, _, _ = environment.step(action)
        taken += 1
        lane = environment.lane if around.ends else environment.vehicle.lane
        distance += float(lane.local_coordinates(environment.vehicle.position)[1]) ** 2
        done.reward += float(reward)
        done.left = bool(ended or environment.vehicle.crashed or not on_road(environment))
        done.laps = around.count(environment)
        if film is not None:
            film.take()
    done.seconds = taken / environment.config["policy_frequency"]
    done.reward, done.error = done.reward / max(taken, 1), (distance / max(taken, 1)) ** 0.5
    return done


def on_road(environment: Any) -> bool:
    """Whether the car's middle is on any lane."""
    place = environment.vehicle.position
    return any(lane.on_lane(place) for lane in environment.road.network.lanes_list())


class Rounds:
    """Counts how often a car went all the way.

    Args:
        environment: just begun.

    Attributes:
        ends: whether the road does; all the way is then within 10 m of there.
    """

    def __init__(self, environment: Any):
        graph = environment.road.network.graph
        self.parts = {(a, b) for a in graph for b in graph[a]}
        self.ends = any(b not in graph for _, b in self.parts)
        self.first = environment.vehicle.lane_index[:2]
        self.start = environment.vehicle.lane.local_coordinates(environment.vehicle.position)[0]
        self.passed = {self.first}
        self.rounds = 0

    def count(self, environment: Any) -> int:
        """Look where the car is, and return how often it has been round."""
        lane, place = environment.vehicle.lane, environment.vehicle.position
        part, along = environment.vehicle.lane_index[:2], lane.local_coordinates(place)[0]
        if self.ends:
            last = part[1] not in environment.road.network.graph
            return int(last and along > lane.length - 10)
        self.passed.add(part)
        if self.passed == self.parts and part == self.first and along >= self.start:
            self.passed, self.rounds = {self.first}, self.rounds + 1
        return self.rounds
