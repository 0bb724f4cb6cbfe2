"""How a car moves, as a function that can be differentiated.

Two models of one car with two wheels in a line (a bicycle), as highway-env moves its cars
(``highway_env.vehicle``): one that goes where its wheels point, and one whose tyres slip.
"""

import torch
from torch import Tensor

LENGTH, WIDTH = 5.0, 2.0
"""Of every car, m."""
MASS = 1.0
INERTIA = MASS * (LENGTH**2 + WIDTH**2) / 12
"""Of a plate of that size about its middle, kg m²."""
FRICTION = 15.0 * MASS
"""Sideways force of a tyre for a radian of slip, N."""
MOST_TURNING = 2 * torch.pi
"""How fast a car that slips may turn, rad/s."""


def rolled(state: Tensor, steering: Tensor, seconds: float) -> Tensor:
    """Move a car whose wheels do not slip, by one Euler step.

    ẋ = v cos(ψ + β), ẏ = v sin(ψ + β), ψ̇ = v sin β / (L/2), where tan β = ½ tan δ.

    Args:
        state: (n, 4): x and y (m), heading ψ (rad), speed v (m/s).
        steering: (n,): the front wheels' angle δ (rad).
        seconds: the step's length.

    Returns:
        The state afterwards, (n, 4).

    Source: Polack et al. 2017, The kinematic bicycle model, IEEE Intelligent Vehicles.
    """
    x, y, heading, speed = state.unbind(-1)
    slip = torch.atan(0.5 * torch.tan(steering))
    return torch.stack(
        [
            x + seconds * speed * torch.cos(heading + slip),
            y + seconds * speed * torch.sin(heading + slip),
            heading + seconds * speed * torch.sin(slip) / (LENGTH / 2),
            speed,
        ],
        -1,
    )


def sliding(state: Tensor, steering: Tensor) -> Tensor:
    """Return how the state of a car changes whose tyres slip: by the second.

    A tyre pushes sideways in proportion to the angle between where it points and where it goes; the two
    pushes move the car sideways and turn it.

    Args:
        state: (n, 6): x and y (m), heading (rad), speed ahead (m/s, at least 1), speed sideways (m/s),
            turning (rad/s).
        steering: (n,): the front wheels' angle (rad).

    Returns:
        The state's derivative, (n, 6).

    Source: Rajamani 2011, Vehicle Dynamics and Control, equations 2.21 to 2.28.
    """
    _, _, heading, ahead, aside, turning = state.unbind(-1)
    arm = LENGTH / 2
    front = 2 * FRICTION * (steering - torch.atan2(aside + arm * turning, ahead))
    rear = -2 * FRICTION * torch.atan2(aside - arm * turning, ahead)
    cos, sin = torch.cos(heading), torch.sin(heading)
    return torch.stack(
        [
            cos * ahead - sin * aside,
            sin * ahead + cos * aside,
            turning,
            torch.zeros_like(ahead),
            (front + rear) / MASS - turning * ahead,
            arm * (front - rear) / INERTIA,
        ],
        -1,
    )


def slid(state: Tensor, steering: Tensor, seconds: float) -> Tensor:
    """Move a car whose tyres slip, by one Runge–Kutta step of fourth order.

    Args:
        state: (n, 6), as in :func:`sliding`.
        steering: (n,): the front wheels' angle (rad), the same during the whole step.
        seconds: the step's length.

    Returns:
        The state afterwards, (n, 6).
    """
    state = torch.cat([state[..., :5], state[..., 5:].clamp(-MOST_TURNING, MOST_TURNING)], -1)
    k1 = sliding(state, steering)
    k2 = sliding(state + seconds / 2 * k1, steering)
    k3 = sliding(state + seconds / 2 * k2, steering)
    k4 = sliding(state + seconds * k3, steering)
    return state + seconds / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
