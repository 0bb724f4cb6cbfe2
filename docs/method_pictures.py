"""Walk every method down the same valley, and draw its path; ``docs/write_methods.py`` calls it.

Rosenbrock's valley, from (-1.2, 1) to the minimum at (1, 1): a steep fall onto the floor of a curved, flat
valley, which then has to be followed. Every method takes the same number of steps in float64, with its
default hyperparameters, weight decay off; the learning rate alone is chosen, on one grid that is the same
for all. A method for matrices is given the point as a matrix of two rows and one column.
"""

import math
import re
from dataclasses import dataclass

import torch

from descend.functions.surfaces import SURFACES
from descend.methods.curvature.deterministic import Deterministic
from descend.methods.curvature.objective import Objective
from descend.methods.method import Method

VALLEY = SURFACES["rosenbrock"]
STEPS, LAST = 200, 20
GRID = tuple(c * 10.0**k for k in range(-5, 2) for c in (1, 2, 5))
(LEFT, RIGHT), (BOTTOM, TOP) = (-2.1, 2.1), (-0.75, 2.65)
WIDTH, HEIGHT = 640, 400
LEVELS = (0.05, 0.3, 1.5, 6, 24, 80, 240, 600)
OFF = {"weight_decay": 0.0}
Kind = type[Method] | type[Deterministic]


@dataclass(frozen=True)
class Walk:
    """One descent.

    Attributes:
        lr: the learning rate; ``None`` where the method has no rate to tune.
        path: the points at which it is evaluated, the start included.
        losses: the values there.
        done: whether it took every step; with a rate to tune it is stopped where it stands higher than it
            started.
    """

    lr: float | None
    path: list[tuple[float, float]]
    losses: list[float]
    done: bool

    @property
    def settled(self) -> float:
        """The mean loss over the last steps: what a learning rate is judged by."""
        return sum(self.losses[-LAST:]) / LAST if self.done else math.inf


def walk(cls: Kind, lr: float | None) -> Walk:
    """Descend the valley.

    Args:
        cls: the method.
        lr: the learning rate; ``None`` for the method's default.
    """
    start = torch.tensor(VALLEY.start, dtype=torch.float64)
    point = torch.nn.Parameter(start[:, None] if for_matrices(cls) else start.clone())
    chosen = {name: value for name, value in OFF.items() if name in cls.defaults}
    if lr is not None:
        chosen["lr"] = lr
    method = cls([point], **chosen)
    if isinstance(method, Deterministic):
        return walk_by_curvature(method, point)
    path, losses = [VALLEY.start], [float(VALLEY.function(start))]
    for _ in range(STEPS):
        value = VALLEY.function(point.reshape(2))
        (point.grad,) = torch.autograd.grad(value, point, create_graph=getattr(method, "needs_graph", False))
        method.step()
        with method.evaluation():
            here = point.detach().reshape(2)
            path.append(tuple(here.tolist()))
            losses.append(float(VALLEY.function(here)))
        if not (losses[-1] <= losses[0] or (lr is None and math.isfinite(losses[-1]))):
            return Walk(lr, path, losses, False)
    return Walk(lr, path, losses, True)


def residuals(point: torch.Tensor) -> torch.Tensor:
    """Return what the valley is the sum of squares of."""
    x, y = point.unbind()
    return torch.stack([10 * (y - x * x), 1 - x])


def walk_by_curvature(method: Deterministic, point: torch.nn.Parameter) -> Walk:
    """Descend the valley until the method says that it is at the minimum."""
    path, losses = [VALLEY.start], [float(VALLEY.function(point.detach()))]
    asked = Objective(
        [point],
        lambda: VALLEY.function(point),
        outputs=lambda: residuals(point),
        loss_of=lambda r: (r * r).sum(),
        residuals=lambda: residuals(point),
    )
    while method.ended is None and len(path) <= STEPS:
        method.step(asked)
        path.append(tuple(point.detach().tolist()))
        losses.append(float(VALLEY.function(point.detach())))
    return Walk(None, path, losses, True)


def tuned(cls: Kind) -> Walk:
    """Return the best walk over the grid, or with the default rate where there is none to tune."""
    if not has_a_rate(cls):
        return walk(cls, None)
    return min((walk(cls, lr) for lr in GRID), key=lambda w: w.settled)


def for_matrices(cls: Kind) -> bool:
    """Whether a method is walked with its point as a matrix."""
    return cls.takes is not None or (issubclass(cls, Method) and cls.rule.form is not None)


def has_a_rate(cls: Kind) -> bool:
    """Whether a method's learning rate is for its user to find, and not a factor that stays at one."""
    return cls.family not in ("no rate to tune", "curvature") or cls.defaults["lr"] != 1.0


def caption(cls: Kind, found: Walk) -> str:
    """Say in a few sentences what the picture shows."""
    where = "The points it is evaluated at" if cls.evaluation_point is not None else "Its path"
    said = f"{where} on Rosenbrock's valley in {len(found.path) - 1} steps: "
    said += f"loss {found.losses[0]:.3g} at the start, {found.losses[-1]:.3g} at the end"
    if not found.done:
        said += ", where it stood higher than it started and was stopped"
    if issubclass(cls, Deterministic):
        said += ", where it knows that it is at the minimum."
    elif found.lr is None:
        said += f"; lr={cls.defaults['lr']:g} as always, for there is no rate to tune."
    else:
        said += (
            f"; lr={found.lr:g}, the best of 1, 2, 5 × 10⁻⁵ … 10¹: the lowest mean loss over the last {LAST} "
            "steps, of those that never stood higher than they started."
        )
    if for_matrices(cls):
        said += " The point is given as a matrix of two rows and one column."
    return said


def drawn(cls: Kind, found: Walk) -> str:
    """Return the picture of a walk as SVG; it carries its caption, its learning rate and the loss reached."""
    steps = [place(*point) for point in found.path]
    line = "".join(f"{'ML'[k > 0]}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(steps))
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in steps)
    (ax, ay), (bx, by), (cx, cy) = steps[0], steps[-1], place(*VALLEY.minimisers[0])
    text = caption(cls, found).replace("&", "&amp;").replace("<", "&lt;")
    rate = "default" if found.lr is None else f"{found.lr:g}"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" \
aria-labelledby="c" font-family="system-ui, sans-serif" font-size="14" data-lr="{rate}" \
data-loss="{found.losses[-1]:.6g}">
<desc id="c">{text}</desc>
<style>path{{fill:none;stroke-linecap:round;stroke-linejoin:round}}\
.c{{stroke:#8a939b;stroke-opacity:.55}}.p{{stroke:#d9622b}}text{{fill:#7a838b}}\
@media (prefers-color-scheme:dark){{.p{{stroke:#f08a4b}}text{{fill:#9aa4ad}}}}</style>
<path class="c" d="{_CONTOURS}"/>
<path class="p" stroke-width="1.4" stroke-opacity=".75" d="{line}"/>
<path class="p" stroke-width="4" d="{dots}"/>
<circle class="p" cx="{ax:.1f}" cy="{ay:.1f}" r="5" fill="none" stroke="#d9622b" stroke-width="2"/>
<text x="{ax - 10:.0f}" y="{ay - 12:.0f}" text-anchor="end">start</text>
<path stroke="#2f8f5b" stroke-width="2.5" d="M{cx - 6:.1f} {cy:.1f}h12m-6 -6v12"/>
<text x="{cx + 12:.0f}" y="{cy + 18:.0f}">minimum</text>
<circle cx="{bx:.1f}" cy="{by:.1f}" r="4.5" fill="#d9622b" stroke="#fff" stroke-width="1.2"/>
</svg>
"""


def told(picture: str) -> tuple[str, float | None, float]:
    """Return what a picture carries: its caption, the learning rate, the loss reached."""
    text = re.search(r"<desc[^>]*>(.*?)</desc>", picture, re.S)
    rate, loss = re.search(r'data-lr="([^"]+)"', picture), re.search(r'data-loss="([^"]+)"', picture)
    assert text and rate and loss
    said = text[1].replace("&lt;", "<").replace("&amp;", "&")
    return said, None if rate[1] == "default" else float(rate[1]), float(loss[1])


def place(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the valley lies in the picture."""
    return (x - LEFT) / (RIGHT - LEFT) * WIDTH, (TOP - y) / (TOP - BOTTOM) * HEIGHT


def contours() -> str:
    """Return the level lines: 100 (y − x²)² + (1 − x)² = L where y = x² ± √(L − (1 − x)²) / 10."""
    parts = []
    for level in LEVELS:
        low, high = max(LEFT, 1 - math.sqrt(level)), min(RIGHT, 1 + math.sqrt(level))
        # Closer together towards both ends, where a level line turns around.
        xs = [low + (high - low) * (1 - math.cos(math.pi * k / 60)) / 2 for k in range(61)]
        for side in (1, -1):
            pen = False
            for x in xs:
                y = x * x + side * math.sqrt(max(level - (1 - x) ** 2, 0.0)) / 10
                if inside := BOTTOM - 0.3 < y < TOP + 0.3:
                    px, py = place(x, y)
                    parts.append(f"{'L' if pen else 'M'}{px:.0f} {py:.0f}")
                pen = inside
    return "".join(parts)


_CONTOURS = contours()
