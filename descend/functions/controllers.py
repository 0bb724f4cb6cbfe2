"""Drivers written by hand: what a learned one has to be better than.

The first sees what the learned one sees. The others look up in the environment exactly where the car and its
lane are, which the learned one is never told.
"""

import math
from typing import Any

from torch import Tensor

from descend.functions.environments import Steer
from descend.functions.occupancy import CELL, CELLS
from descend.functions.simulated import SimulatedLane, SimulatedTrack
from descend.functions.vehicles import LENGTH


def wheels_for(curvature: float) -> float:
    """Return the front wheels' angle (rad) that lets a car roll with this curvature (1/m)."""
    slip = math.asin(max(-0.99, min(0.99, curvature * LENGTH / 2)))
    return math.atan(2 * math.tan(slip))


def by_sight(first: int = 2, last: int = 2, smooth: float = 0.3) -> Steer:
    """Return a driver of the racetrack who steers towards the lane's cells ahead (pure pursuit).

    From the cell before the car it goes along the lane's cells, row by row, to the nearest ones, and aims at
    the mean of some of them.

    Args:
        first: the first row ahead that it aims at.
        last: the last one.
        smooth: the share of its last steering that is kept: cells change in jumps.

    Source: Coulter 1992, Implementation of the pure pursuit path tracking algorithm, CMU-RI-TR-92-01.
    """
    steering = 0.0

    def steer(seen: Tensor, environment: Any) -> float:
        nonlocal steering
        grid = seen.view(CELLS, CELLS)
        middle = (CELLS - 1) / 2
        column, aimed = middle, []
        for ahead in range(last + 1):
            there = grid[CELLS // 2 + ahead].nonzero()[:, 0].float()
            near = there[(there - column).abs() <= 2]
            if len(near):  # of two as near, the mean
                gap = (near - column).abs()
                column = float(near[gap <= gap.min() + 0.01].mean())
                if ahead >= first:
                    aimed.append(((ahead + 0.5) * CELL, (column - middle) * CELL))
        if aimed:
            x, y = (sum(each) / len(aimed) for each in zip(*aimed, strict=True))
            now = wheels_for(2 * y / (x * x + y * y)) / SimulatedTrack.MOST_STEERING
            steering = smooth * steering + (1 - smooth) * max(-1.0, min(1.0, now))
        return steering

    return steer


def by_the_environment(lateral: float = 0.6, heading: float = 0.2, ahead: float = 0.1) -> Steer:
    """Return the driver that steers highway-env's other cars round a track, knowing exactly where it is.

    Args:
        lateral: seconds in which a distance from the lane's middle should shrink.
        heading: seconds in which an angle should.
        ahead: seconds ahead of which the lane's heading counts.

    Source: ``highway_env.vehicle.controller.ControlledVehicle.steering_control``.
    """
    from highway_env.vehicle.controller import ControlledVehicle

    def steer(seen: Tensor, environment: Any) -> float:
        car = environment.vehicle
        other = ControlledVehicle(environment.road, car.position, car.heading, car.speed)
        other.KP_LATERAL, other.KP_HEADING, other.TAU_PURSUIT = 1 / lateral, 1 / heading, ahead
        return other.steering_control(car.lane_index) / SimulatedTrack.MOST_STEERING

    return steer


def stanley(gain: float = 6.0, damping: float = 0.2) -> Steer:
    """Return a driver who keeps a lane by angle and distance, from the noisy numbers that lane-keeping shows.

    δ = −(ψ − ψ_lane) − atan(k e / v) − d r

    Args:
        gain: k, 1/s.
        damping: d, s: how much turning is held against itself.

    Source: Hoffmann et al. 2007, Autonomous automobile trajectory tracking for off-road driving, ACC.
    """

    def steer(seen: Tensor, environment: Any) -> float:
        y, heading, _, turning = (float(v) for v in seen[:4])
        lane_y, lane_heading = float(seen[8]), float(seen[9])
        wheels = lane_heading - heading - math.atan(gain * (y - lane_y) / SimulatedLane.SPEED)
        return max(-1.0, min(1.0, (wheels - damping * turning) / SimulatedLane.MOST_STEERING))

    return steer
