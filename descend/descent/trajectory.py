"""The way that a descent takes: its parameters at some dozens of moments, closer together at the beginning.

What is kept lies at the moments u·k², k = 0, 1, 2, ...: a descent goes far at first and slowly later. When
there is no more room every second point is let go, and the others lie at 4u·k².
"""

import json
import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from descend.descent.state import load_tensors, save_tensors
from descend.errors import RunError

ROOMS = ((64, 4 << 20), (32, 8 << 20), (16, 64 << 20))
"""How many points are kept, and the bytes within which they must lie for that; the first that fits."""
FIRST = 1e-3
"""Seconds from the first point to the second."""
PATIENCE = 100
"""How many times longer than keeping a point takes it is waited before the next: one percent of the time."""


class Trajectory:
    """Points of a descent's way.

    Args:
        names: of the parameters.
        parameters: they are read wherever the descent is.

    Attributes:
        names: of the parameters.
        most: how many points have room; 0 where not even a few have: then none is kept.
        due: the time, in the descent's seconds, from which the next point is wanted.
        steps: the step of each point.
        points: each of shape (n,), on the CPU, all parameters one behind the other.

    Example:
        >>> w = torch.zeros(3)
        >>> way = Trajectory(["w"], [w])
        >>> way.keep(0, 0.0)
        >>> w += 1
        >>> way.keep(1, 0.01)
        >>> way.steps, way.points[1].tolist()
        ([0, 1], [1.0, 1.0, 1.0])
    """

    def __init__(self, names: Sequence[str], parameters: Sequence[Tensor]):
        self.names, self._parameters = list(names), list(parameters)
        size = sum(p.numel() * p.element_size() for p in parameters)
        real = all(p.is_floating_point() for p in parameters)
        self.most = next((count for count, room in ROOMS if real and count * size <= room), 0)
        self.due = 0.0 if self.most else math.inf
        self.steps: list[int] = []
        self.points: list[Tensor] = []
        self._unit, self._began = FIRST, math.nan
        self._costs: deque[float] = deque(maxlen=3)

    @torch.no_grad()
    def keep(self, step: int, seconds: float) -> None:
        """Keep where the parameters are.

        Args:
            step: of the descent.
            seconds: of the descent.
        """
        if not self.most or (self.steps and self.steps[-1] == step):
            return
        began = time.perf_counter()
        if len(self.points) >= self.most:
            self._thin()
        self.points.append(torch.cat([p.detach().reshape(-1) for p in self._parameters]).cpu())
        self.steps.append(step)
        k = len(self.points)
        if math.isnan(self._began):  # the first point, or the first after those of a file
            self._began = seconds - self._unit * (k - 1) ** 2
        # What was held up once must not leave a hole in the way; and the first time is no measure.
        self._costs.append(time.perf_counter() - began)
        cost = min(self._costs) if len(self._costs) > 1 else 0.0
        # However long a step took, the next point is not the next step.
        apart = max(self._unit * (k - 0.5), PATIENCE * cost)
        self.due = max(self._began + self._unit * k * k, seconds + apart)

    def _thin(self) -> None:
        self.points, self.steps = self.points[::2], self.steps[::2]
        self._unit *= 4

    def save(self, path: Path) -> None:
        """Write it to a file (safetensors), whole or not at all; nothing where nothing is kept.

        Raises:
            RunError: where it cannot be written.
        """
        if self.points:
            header = {"names": json.dumps(self.names), "unit": repr(self._unit)}
            tensors = {"points": torch.stack(self.points), "steps": torch.tensor(self.steps)}
            save_tensors(path, tensors, header)

    def load(self, path: Path, up_to: int) -> None:
        """Go on from a file, with the points up to a step.

        Raises:
            RunError: where the file is damaged or of other parameters.
        """
        names, steps, points, unit = read_trajectory(path)
        size = sum(p.numel() for p in self._parameters)
        if names != self.names or points.shape[1] != size:
            raise RunError(f"the way of this very function in {path}", "another's", "remove the file")
        kept = [k for k, step in enumerate(steps) if step <= up_to]
        if self.most:
            self.steps, self.points = [steps[k] for k in kept], [points[k].clone() for k in kept]
            self._unit = unit


def read_trajectory(path: Path) -> tuple[list[str], list[int], Tensor, float]:
    """Read a file that :meth:`Trajectory.save` wrote.

    Returns:
        The parameters' names; the steps; the points (k, n); the time from the first to the second, in
        seconds.

    Raises:
        RunError: where the file is missing or damaged.
    """
    tensors, header = load_tensors(path)
    try:
        names, unit = json.loads(header["names"]), float(header["unit"])
        steps, points = tensors["steps"].tolist(), tensors["points"]
        if points.ndim != 2 or len(steps) != len(points):
            raise ValueError(f"{len(steps)} steps and points of shape {tuple(points.shape)}")
        return names, steps, points, unit
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"the way of a descent in {path}", f"something else ({error!r})", "remove it"
        ) from None
