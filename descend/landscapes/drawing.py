"""A landscape as a picture without a browser: SVG from level lines, PNG and animations from pixels."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import torch
from torch import Tensor

from descend.errors import MissingExtra
from descend.landscapes.colours import WAYS, Scale, pixels
from descend.landscapes.seen import Landscape

WIDTH, HEIGHT = 720, 540
LEVELS = 14
SECONDS, FRAMES_A_SECOND = 6, 12


def level_lines(height: Tensor, level: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return a level line as straight pieces in grid units, (column, row), by marching squares.

    Args:
        height: (rows, columns).
        level: of the line.
    """
    pieces = []
    above = height >= level
    h = height.tolist()
    mixed = above[:-1, :-1].int() + above[1:, :-1] + above[:-1, 1:] + above[1:, 1:]
    for j, i in ((mixed > 0) & (mixed < 4)).nonzero().tolist():
        corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
        cuts = []
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            a, b = h[y0][x0], h[y1][x1]
            if (a >= level) != (b >= level):
                t = (level - a) / (b - a)
                cuts.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))
        if len(cuts) == 4:  # a saddle: its middle says which corners belong together
            middle = (h[j][i] + h[j][i + 1] + h[j + 1][i] + h[j + 1][i + 1]) / 4
            if (middle >= level) == bool(above[j, i]):
                cuts = [cuts[0], cuts[1], cuts[2], cuts[3]]
            else:
                cuts = [cuts[3], cuts[0], cuts[1], cuts[2]]
        pieces += list(zip(cuts[::2], cuts[1::2], strict=False))
    return pieces


def svg(seen: Landscape) -> str:
    """Return a landscape of two dimensions as SVG; it carries its sentences."""
    assert seen.y is not None
    scale = Scale.of(seen.loss)
    height = scale.height(seen.loss)
    rows, columns = height.shape
    across, down = WIDTH / (columns - 1), HEIGHT / (rows - 1)
    ground = base64.b64encode(png(pixels(height.flip(0)))).decode()
    parts = [
        # A pixel a point, whose middle is where the point is; browsers blend between them.
        f'<image x="{-across / 2:.2f}" y="{-down / 2:.2f}" width="{WIDTH + across:.2f}" '
        f'height="{HEIGHT + down:.2f}" preserveAspectRatio="none" href="data:image/png;base64,{ground}"/>'
    ]
    lines = "".join(
        f"M{x0 * across:.1f} {HEIGHT - y0 * down:.1f}L{x1 * across:.1f} {HEIGHT - y1 * down:.1f}"
        for k in range(1, LEVELS)
        for (x0, y0), (x1, y1) in level_lines(height, k / LEVELS)
    )
    parts.append(f'<path fill="none" stroke="#fff" stroke-opacity=".4" stroke-width=".8" d="{lines}"/>')
    for k, way in enumerate(seen.ways):
        colour = WAYS[k % len(WAYS)]
        at = [_place(seen, x, y) for x, y in way.at.tolist()]
        drawn = "".join(f"{'ML'[n > 0]}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(at))
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in at)
        parts.append(f'<path fill="none" stroke="{colour}" stroke-width="2" d="{drawn}"/>')
        parts.append(
            f'<path fill="none" stroke="{colour}" stroke-width="5" stroke-linecap="round" d="{dots}"/>'
        )
        (ax, ay), (bx, by) = at[0], at[-1]
        parts.append(
            f'<circle cx="{ax:.1f}" cy="{ay:.1f}" r="7" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            f'<circle cx="{bx:.1f}" cy="{by:.1f}" r="6" fill="{colour}" stroke="#fff" stroke-width="1.5"/>'
        )
    said = escape(" ".join(seen.sentences()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="c"><desc id="c">{said}</desc>{"".join(parts)}</svg>\n'
    )


def _place(seen: Landscape, x: float, y: float) -> tuple[float, float]:
    """Return where coordinates lie in the picture."""
    assert seen.y is not None
    low, high = float(seen.x[0]), float(seen.x[-1])
    least, most = float(seen.y[0]), float(seen.y[-1])
    return (x - low) / (high - low) * WIDTH, HEIGHT - (y - least) / (most - least) * HEIGHT


def png(colours: Tensor) -> bytes:
    """Return colours (height, width, 3), uint8, as a PNG file."""
    high, wide, _ = colours.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = torch.cat([torch.zeros(high, 1, dtype=torch.uint8), colours.reshape(high, -1)], 1)
    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.numpy().tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def frames(seen: Landscape, count: int = SECONDS * FRAMES_A_SECOND) -> list[Tensor]:
    """Return an animation's frames, (height, width, 3), uint8: the ways as they grow.

    Args:
        seen: what was seen, in two dimensions.
        count: of frames; 1 for the whole picture alone.

    Raises:
        MissingExtra: where Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtra("pillow", "images", "pictures and animations") from None
    import numpy

    height = Scale.of(seen.loss).height(seen.loss)
    size = [HEIGHT, WIDTH]
    fine = torch.nn.functional.interpolate(
        height[None, None], size=size, mode="bilinear", align_corners=True
    )[0, 0].flip(0)
    ground = pixels(fine)
    lines = (fine * LEVELS).floor()
    edge = torch.zeros_like(lines, dtype=torch.bool)
    edge[:-1] |= lines[:-1] != lines[1:]
    edge[:, :-1] |= lines[:, :-1] != lines[:, 1:]
    ground[edge] = (ground[edge].double() * 0.65 + 255 * 0.35).to(torch.uint8)
    found = []
    for frame in range(1, count + 1):
        picture = Image.fromarray(ground.numpy())
        pen = ImageDraw.Draw(picture)
        for k, way in enumerate(seen.ways):
            colour = WAYS[k % len(WAYS)]
            upto = max(1, round(len(way.steps) * frame / count))
            at = [_place(seen, x, y) for x, y in way.at[:upto].tolist()]
            if len(at) > 1:
                pen.line(at, fill=colour, width=3, joint="curve")
            for x, y in at:
                pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
            (x, y), (ax, ay) = at[-1], at[0]
            pen.ellipse((ax - 7, ay - 7, ax + 7, ay + 7), outline=colour, width=3)
            pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour, outline="#ffffff", width=2)
        found.append(torch.from_numpy(numpy.asarray(picture).copy()))
    return found
