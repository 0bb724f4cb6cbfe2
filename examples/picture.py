"""Draw the README's picture: four methods walk down one valley, blindfolded.

    python examples/picture.py docs/descent.svg

Each feels only the slope under its feet. The valley is Beale's: steep walls, a flat floor, and its minimum
at (3, 0.5). The paths are taken by the very rules of descend.methods.
"""

import sys
from pathlib import Path

import torch

import descend
from descend.functions.surfaces import SURFACES

VALLEY = SURFACES["beale"]
START, MINIMUM = (0.7, 1.5), (3.0, 0.5)
(LEFT, RIGHT), (BOTTOM, TOP) = (-0.3, 4.1), (-1.05, 1.7)
WIDTH, HEIGHT, STEPS = 860, 470, 150
METHODS = {
    "sgd": ({"lr": 0.008}, "#d1495b"),
    "momentum": ({"lr": 0.003, "momentum": 0.9}, "#e09f1f"),
    "nesterov": ({"lr": 0.004, "momentum": 0.9}, "#2a9d8f"),
    "adamw": ({"lr": 0.1, "weight_decay": 0.0}, "#3d5a98"),
}


def walk(name: str, hyperparameters: dict[str, float]) -> list[tuple[float, float]]:
    """Return the points that a method steps on."""
    point = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    method = descend.optimizer(name, [point], **hyperparameters)
    path = [tuple(point.tolist())]
    for _ in range(STEPS):
        method.zero_grad()
        VALLEY.function(point).backward()
        method.step()
        path.append(tuple(point.tolist()))
    return path


def place(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the valley lies in the picture."""
    return (x - LEFT) / (RIGHT - LEFT) * WIDTH, (TOP - y) / (TOP - BOTTOM) * HEIGHT


def contours(levels: list[float], nx: int = 172, ny: int = 92) -> list[str]:
    """Return the valley's level lines as SVG paths, by marching squares."""
    xs = torch.linspace(LEFT, RIGHT, nx, dtype=torch.float64)
    ys = torch.linspace(BOTTOM, TOP, ny, dtype=torch.float64)
    z = VALLEY.function(torch.stack(torch.meshgrid(xs, ys, indexing="ij"), -1)).tolist()
    x, y, lines = xs.tolist(), ys.tolist(), []
    for level in levels:
        parts = []
        for i in range(nx - 1):
            for j in range(ny - 1):
                corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
                crossings = []
                for (a, b), (c, d) in zip(corners, corners[1:] + corners[:1], strict=True):
                    low, high = z[a][b] - level, z[c][d] - level
                    if (low < 0) != (high < 0):
                        t = low / (low - high)
                        crossings.append(place(x[a] + t * (x[c] - x[a]), y[b] + t * (y[d] - y[b])))
                for (px, py), (qx, qy) in zip(crossings[::2], crossings[1::2], strict=True):
                    parts.append(f"M{px:.0f} {py:.0f}L{qx:.0f} {qy:.0f}")
        lines.append("".join(parts))
    return lines


def draw(paths: dict[str, list[tuple[float, float]]]) -> str:
    """Return the picture as SVG."""
    levels = [0.04 * 2.1**k for k in range(13)]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Four methods descending Beale\'s valley" font-family="system-ui, sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#f7f5f0"/>',
    ]
    for k, line in enumerate(contours(levels)):
        shade = 150 + 6 * k
        out.append(f'<path d="{line}" stroke="rgb({shade - 20},{shade - 6},{shade})" fill="none"/>')
    for row, (name, path) in enumerate(paths.items()):
        color = METHODS[name][1]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(*p) for p in path))
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.2"/>')
        a, b = place(*path[-1])
        out.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="6" fill="{color}" stroke="#fff" stroke-width="1.5"/>'
        )
        value = float(VALLEY.function(torch.tensor(path[-1], dtype=torch.float64)))
        out.append(
            f'<text x="{WIDTH - 340}" y="{HEIGHT - 100 + 24 * row}" font-size="16" font-weight="600"'
            f' fill="{color}">'
            f"{name}: {value:.2g} after {STEPS} steps</text>"
        )
    a, b = place(*MINIMUM)
    out.append(f'<text x="{a + 12:.0f}" y="{b - 14:.0f}" font-size="16" fill="#333">minimum</text>')
    a, b = place(*next(iter(paths.values()))[0])
    out.append(f'<text x="{a - 14:.0f}" y="{b - 12:.0f}" font-size="16" fill="#333">start</text></svg>')
    return "\n".join(out) + "\n"


def main() -> None:
    """Walk, check that everybody came down, and draw."""
    paths = {name: walk(name, hyperparameters) for name, (hyperparameters, _) in METHODS.items()}
    for path in paths.values():
        first, last = (float(VALLEY.function(torch.tensor(path[k], dtype=torch.float64))) for k in (0, -1))
        assert last < first / 10
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "descent.svg")
    out.write_text(draw(paths), encoding="utf-8")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
