"""A landscape as plotly figures: contours with the ways on them, a surface, or a line."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from descend.landscapes.colours import WAYS, Scale, plotly_scale
from descend.landscapes.seen import Landscape, Way

TICKS = 6
LEVELS = 16
FRAMES = 60


def figure(seen: Landscape, surface: bool = False) -> go.Figure:
    """Return a figure.

    Args:
        seen: what was seen.
        surface: whether to draw the loss as a height, where there are two dimensions.
    """
    if seen.y is None:
        return _line(seen)
    return _surface(seen) if surface else _contours(seen)


def _contours(seen: Landscape) -> go.Figure:
    assert seen.y is not None
    scale = Scale.of(seen.loss)
    height = scale.height(seen.loss)
    found = go.Figure(
        go.Contour(
            x=seen.x.tolist(),
            y=seen.y.tolist(),
            z=height.tolist(),
            text=_told(seen),
            hovertemplate="%{text}<extra></extra>",
            colorscale=plotly_scale(),
            contours={"start": 1 / LEVELS, "end": 1 - 1 / LEVELS, "size": 1 / LEVELS, "coloring": "heatmap"},
            line={"width": 0.7, "color": "rgba(255,255,255,0.35)"},
            colorbar=_bar(scale),
            zmin=0,
            zmax=1,
            name="loss",
        )
    )
    for k, way in enumerate(seen.ways):
        colour = WAYS[k % len(WAYS)]
        x, y = way.at[:, 0].tolist(), way.at[:, 1].tolist()
        name = escape(way.name)
        found.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"size": 5, "color": colour},
                name=name,
                text=_of_points(way),
                hovertemplate="%{text}<extra></extra>",
            )
        )
        found.add_trace(_mark(x[0], y[0], "circle-open", colour, f"{name}: start"))
        found.add_trace(_mark(x[-1], y[-1], "star", colour, f"{name}: end"))
    if not seen.ways and seen.kind != "axes":
        found.add_trace(_mark(0.0, 0.0, "star", WAYS[0], "the solution"))
    if seen.ways:
        _animate(found, seen)
    _lay_out(found, seen)
    found.update_yaxes(title=escape(seen.labels[1]))
    return found


def _mark(x: float, y: float, symbol: str, colour: str, name: str) -> go.Scatter:
    return go.Scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"size": 12, "symbol": symbol, "color": colour, "line": {"width": 2, "color": colour}},
        name=name,
        hovertemplate=f"{name}<extra></extra>",
        showlegend=False,
    )


def _animate(found: go.Figure, seen: Landscape) -> None:
    """Let the walker walk: each frame draws the ways up to a point."""
    longest = max(len(way.steps) for way in seen.ways)
    # Of each way three traces: its line, where it starts and where it ends; the ground comes first.
    places = [1 + 3 * k for k in range(len(seen.ways))]
    ends = sorted({round(t * (longest - 1) / FRAMES) for t in range(FRAMES + 1)})
    frames = []
    for end in ends:
        traces = []
        for way in seen.ways:
            upto = min(len(way.steps), end + 1)
            traces.append({"type": "scatter", "x": way.at[:upto, 0].tolist(), "y": way.at[:upto, 1].tolist()})
        step = max(way.steps[min(end, len(way.steps) - 1)] for way in seen.ways)
        frames.append(go.Frame(data=traces, traces=places, name=f"{step:,}"))
    found.frames = frames
    play = {
        "frame": {"duration": 60, "redraw": False},
        "fromcurrent": True,
        "transition": {"duration": 0},
    }
    still = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    found.update_layout(
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "x": 0,
                "y": -0.14,
                "xanchor": "left",
                "yanchor": "top",
                "pad": {"t": 0, "r": 8},
                "buttons": [
                    {"label": "Walk", "method": "animate", "args": [None, play]},
                    {"label": "Stop", "method": "animate", "args": [[None], still]},
                ],
            }
        ],
        sliders=[
            {
                "x": 0.2,
                "y": -0.12,
                "len": 0.8,
                "yanchor": "top",
                "active": len(frames) - 1,
                "currentvalue": {"prefix": "step "},
                "steps": [
                    {"label": frame.name, "method": "animate", "args": [[frame.name], still]}
                    for frame in frames
                ],
            }
        ],
    )


def _surface(seen: Landscape) -> go.Figure:
    assert seen.y is not None
    scale = Scale.of(seen.loss)
    found = go.Figure(
        go.Surface(
            x=seen.x.tolist(),
            y=seen.y.tolist(),
            z=scale.height(seen.loss).tolist(),
            text=_told(seen),
            hovertemplate="%{text}<extra></extra>",
            colorscale=plotly_scale(),
            cmin=0,
            cmax=1,
            colorbar=_bar(scale),
            contours={"z": {"show": True, "start": 0, "end": 1, "size": 1 / LEVELS, "color": "#ffffff"}},
            opacity=0.96,
            name="loss",
        )
    )
    for k, way in enumerate(seen.ways):
        colour = WAYS[k % len(WAYS)]
        found.add_trace(
            go.Scatter3d(
                x=way.at[:, 0].tolist(),
                y=way.at[:, 1].tolist(),
                # Where the surface is, not where the points are: those lie off the plane.
                z=(scale.height(way.on_plane) + 0.01).tolist(),
                mode="lines+markers",
                line={"color": colour, "width": 5},
                marker={"size": 3, "color": colour},
                name=escape(way.name),
                text=_of_points(way),
                hovertemplate="%{text}<extra></extra>",
            )
        )
    at = [k / (TICKS - 1) for k in range(TICKS)]
    found.update_layout(
        scene={
            "xaxis": {"title": {"text": escape(seen.labels[0])}},
            "yaxis": {"title": {"text": escape(seen.labels[1])}},
            "zaxis": {
                "title": {"text": "loss"},
                "tickvals": at,
                "ticktext": [_short(scale.loss(h)) for h in at],
            },
            "aspectratio": {"x": 1, "y": 1, "z": 0.7},
        },
    )
    _lay_out(found, seen)
    return found


def _line(seen: Landscape) -> go.Figure:
    found = go.Figure(
        go.Scatter(
            x=seen.x.tolist(),
            y=_plain(seen.loss),
            mode="lines",
            line={"color": "#2457d6", "width": 2},
            name="along the line",
        )
    )
    if not math.isnan(seen.noise_of_differences):
        error = seen.noise_of_differences
        low, high = (seen.loss - error).tolist(), (seen.loss + error).tolist()
        found.add_trace(
            go.Scatter(
                x=[*seen.x.tolist(), *seen.x.flip(0).tolist()],
                y=[*high, *low[::-1]],
                fill="toself",
                line={"width": 0},
                fillcolor="rgba(36,87,214,0.15)",
                hoverinfo="skip",
                name="± standard error of differences",
            )
        )
    if seen.curve is not None:
        found.add_trace(
            go.Scatter(
                x=seen.curve.t.tolist(),
                y=_plain(seen.curve.loss),
                mode="lines",
                line={"color": "#c2570c", "width": 2, "dash": "dash"},
                name="along the curve",
            )
        )
    for k, way in enumerate(seen.ways):
        found.add_trace(
            go.Scatter(
                x=way.at[:, 0].tolist(),
                y=_plain(way.on_plane),
                mode="lines+markers",
                marker={"size": 5, "color": WAYS[k % 2]},
                name=escape(way.name),
                text=_of_points(way),
                hovertemplate="%{text}<extra></extra>",
            )
        )
    _lay_out(found, seen)
    found.update_yaxes(title="loss")
    return found


def _lay_out(found: go.Figure, seen: Landscape) -> None:
    found.update_layout(
        template="plotly_white",
        margin={"l": 60, "r": 20, "t": 30, "b": 60},
        legend={"orientation": "h", "y": 1.08, "x": 0},
        font={"size": 13},
    )
    found.update_xaxes(title=escape(seen.labels[0]))


def _told(seen: Landscape) -> list[list[str]]:
    """Return what hovering says of each point."""
    assert seen.y is not None
    rows = []
    for j, y in enumerate(seen.y.tolist()):
        row = []
        for i, x in enumerate(seen.x.tolist()):
            how = "" if bool(seen.computed[j, i]) else " (interpolated)"
            row.append(f"({x:.3g}, {y:.3g})<br>loss {float(seen.loss[j, i]):.5g}{how}")
        rows.append(row)
    return rows


def _of_points(way: Way) -> list[str]:
    return [
        f"{escape(way.name)}<br>step {step:,}<br>loss {loss:.5g}<br>as drawn {drawn:.5g}"
        f"<br>{off:.1%} off the plane"
        for step, loss, drawn, off in zip(
            way.steps, way.loss.tolist(), way.on_plane.tolist(), way.off.tolist(), strict=True
        )
    ]


def _bar(scale: Scale) -> dict[str, Any]:
    at = [k / (TICKS - 1) for k in range(TICKS)]
    return {
        "title": {"text": "loss"},
        "tickvals": at,
        "ticktext": [_short(scale.loss(h)) for h in at],
        "thickness": 14,
    }


def _short(value: float) -> str:
    return f"{value:.3g}"


def _plain(values: Tensor) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in torch.as_tensor(values).tolist()]
