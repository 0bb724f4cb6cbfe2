"""Where a ball can be dropped: surfaces, and small functions with parameters on real data.

Each is a problem and a plane through its parameters. Of a function of two parameters the plane is all there
is; of a network it is the one in which a descent of it varies most, and balls leave it as they go.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from descend.descent.descent import Descent
from descend.descent.trajectory import Trajectory
from descend.descent.until import Until
from descend.errors import UsageError, nearest
from descend.functions.curvature import Curvature
from descend.functions.data import Batch, Whole
from descend.functions.problem import Problem, Settings
from descend.functions.samples import sample_arrays
from descend.functions.surfaces import surface, surface_problem
from descend.landscapes.grid import every_point, where_it_bends
from descend.landscapes.losses import Losses, Pace
from descend.landscapes.planes import Plane, axes_plane, principal_plane
from descend.landscapes.vectors import Layout

SURFACES = (
    "quadratic",
    "sphere",
    "rosenbrock",
    "beale",
    "himmelblau",
    "three-hump-camel",
    "saddle",
    "monkey-saddle",
    "absolute",
    "rastrigin",
    "ackley",
)
SMALL = 64
"""Parameters up to which the whole Hessian is made."""


@dataclass
class Scene:
    """What a ball can be dropped on.

    Attributes:
        name: as the page names it.
        title: for a person.
        teaches: what a descent on it shows, in a sentence.
        problem: what is descended.
        plane: what is seen of its parameters.
        start: where a ball lies at first, in the plane.
        lr: a learning rate that is right for gradient descent.
        minimisers: known minima, in the plane.
        losses: the loss at any point, over all examples.
    """

    name: str
    title: str
    teaches: str
    problem: Problem
    plane: Plane
    start: tuple[float, float]
    lr: float
    minimisers: tuple[tuple[float, float], ...] = ()
    losses: Losses = field(init=False)

    def __post_init__(self) -> None:
        data = self.problem.train
        whole: Batch = ()
        if not isinstance(data, Whole):
            whole = next(iter(data.passes(len(data), torch.device("cpu"))))
        self.losses = Losses(self.problem, self.problem.function, whole, pace=Pace(stack=32))

    @property
    def exact(self) -> bool:
        """Whether the plane is all there is."""
        return self.plane.kind == "axes"

    @property
    def examples(self) -> int:
        """How many examples there are; 0 where the function needs none."""
        return len(self.problem.train) if self.problem.has_data else 0

    def at(self, x: float, y: float) -> Tensor:
        """Return the parameters (n,) that lie at coordinates."""
        at = torch.tensor([x, y], dtype=self.plane.axes.dtype)
        return self.plane.origin + at @ self.plane.axes

    def heights(self, points: int) -> Tensor:
        """Return the loss on a grid of ``points`` a side, (rows, columns)."""
        x, y = (torch.linspace(*span, points, dtype=torch.float64) for span in self.plane.spans)

        def on(at: Tensor) -> Tensor:
            return self.losses.on(self.plane.origin, self.plane.axes, at)

        return (every_point if self.exact else where_it_bends)(on, x, y).values

    def sharpness(self, points: Tensor) -> Tensor:
        """Return the largest eigenvalue of the Hessian at points (k, n): (k,); NaN where it is not known."""
        if self.losses.layout.count > SMALL:
            found = [self._largest(point) for point in points]
            return torch.tensor(found, dtype=torch.float64)
        problem, layout, module = self.problem, self.losses.layout, self.problem.function
        batch = self.losses._whole

        def of(point: Tensor) -> Tensor:
            inputs = batch if problem.loss is None else batch[:-1]
            output = functional_call(module, layout.values(point), inputs)
            return output if problem.loss is None else problem.loss(output, batch[-1])

        H = torch.vmap(torch.func.hessian(of))(points.to(layout.dtype)).double()
        bad = ~H.isfinite().all(-1).all(-1)
        largest = torch.linalg.eigvalsh(torch.where(bad[:, None, None], 0.0, H))[:, -1]
        return torch.where(bad, torch.nan, largest)

    def _largest(self, point: Tensor) -> float:
        if not bool(point.isfinite().all()):
            return math.nan
        layout = self.losses.layout
        hessian = Curvature(self.problem, at=layout.values(point), batch=None)
        return float(hessian.top(1, tolerance=1e-2, budget=40).values[0])


def scene(name: str) -> Scene:
    """Return a scene by its name; it is made once.

    Raises:
        UsageError: where there is none of this name.
    """
    if name not in SCENES:
        raise UsageError("the name of a scene", repr(name), nearest(name, list(SCENES)))
    return _made(name)


@cache
def _made(name: str) -> Scene:
    return SCENES[name]()


def _of_surface(name: str) -> Scene:
    options: dict[str, Any] = {"condition": 20.0} if name == "quadratic" else {}
    row = surface(name, **options)
    problem = surface_problem(name, **options)
    plane = axes_plane(Layout(problem.function), row.bounds)
    found = Scene(
        name,
        name.replace("-", " ").capitalize(),
        row.teaches,
        problem,
        plane,
        (row.start[0], row.start[1]),
        row.settings.lr or 0.01,
        tuple((x, y) for x, y, *_ in row.minimisers),
    )
    sharp = float(found.sharpness(found.at(*found.start)[None])[0])
    if sharp > 0:
        found.lr = float(f"{0.5 / sharp:.1g}")
    return found


def _line() -> Scene:
    """Return a straight line through real measurements: slope and height are the two parameters."""
    x, y = sample_arrays("diabetes")
    bmi = torch.from_numpy(x[:, 2]).double()
    disease = torch.from_numpy(y).double()
    bmi, disease = ((v - v.mean()) / v.std() for v in (bmi, disease))
    line = nn.Linear(1, 1).double()
    with torch.no_grad():
        line.weight.fill_(-1.5)
        line.bias.fill_(1.5)
    problem = Problem(line, "mse", train=(bmi[:, None], disease[:, None]), name="line")
    slope = float((bmi * disease).mean() / (bmi * bmi).mean())
    return Scene(
        "line",
        "A line through 442 patients",
        "Slope and height of a line: with all examples a bowl, with few of them a bowl that shakes.",
        problem,
        axes_plane(Layout(line), ((-2.0, 2.5), (-2.0, 2.0)), ("slope", "height")),
        (-1.5, 1.5),
        0.1,
        ((slope, 0.0),),
    )


def _switch() -> Scene:
    """Return a logistic regression of one input: weight and bias."""
    x, y = sample_arrays("breast-cancer")
    size = torch.from_numpy(x[:, 0]).double()
    size = (size - size.mean()) / size.std()
    benign = torch.from_numpy(y).double()
    function = nn.Linear(1, 1).double()
    with torch.no_grad():
        function.weight.fill_(4.0)
        function.bias.fill_(-3.0)
    problem = Problem(function, "binary_cross_entropy", train=(size[:, None], benign[:, None]), name="switch")
    return Scene(
        "switch",
        "Benign or not, by the size of cells",
        "Logistic regression: far out the slope is constant, near the minimum the bowl is long and flat.",
        problem,
        axes_plane(Layout(function), ((-8.0, 6.0), (-5.0, 5.0)), ("weight", "bias")),
        (4.0, -3.0),
        1.0,
    )


def _digits() -> Scene:
    """Return a small network that reads digits, on the plane of a descent of it."""
    x, y = sample_arrays("digits")
    inputs = torch.from_numpy(x).float() / 8 - 1
    targets = torch.from_numpy(y).long()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    settings = Settings("adamw", lr=1e-2, batch_size=128, steps=250, hyperparameters={"weight_decay": 0.0})
    problem = Problem(network, "cross_entropy", train=(inputs, targets), name="digits", settings=settings)
    descent = Descent(problem)
    way = Trajectory(descent.names, descent.parameters)
    descent.run(Until(steps=settings.steps), trajectory=way)
    points = torch.stack(way.points)
    plane = principal_plane([points], points[-1], 2)
    at, _ = plane.coordinates(points[:1])
    return Scene(
        "digits",
        "A network that reads digits",
        "1,210 parameters, of which a plane is seen: where a path leaves it, the picture does not show why.",
        problem,
        plane,
        (float(at[0, 0]), float(at[0, 1])),
        0.1,
    )


SCENES: dict[str, Callable[[], Scene]] = {
    **{name: (lambda name=name: _of_surface(name)) for name in SURFACES},
    "line": _line,
    "switch": _switch,
    "digits": _digits,
}
"""How each scene is made, by name."""
