"""A landscape as a page: contours, surface and numbers, in one file that opens offline."""

from __future__ import annotations

import json
from typing import Any

from descend.landscapes.figures import figure
from descend.landscapes.seen import Landscape
from descend.runs.page.landscape import landscape_card, landscape_script
from descend.runs.page.markup import Markup, number, percent, tag
from descend.runs.report import MARK, PAGE, POLICY, WATCH


def drawn(seen: Landscape) -> dict[str, Any]:
    """Return what draws a landscape on a page: plotly's figures by name, sentences, and a caption."""
    figures = {"contours": json.loads(figure(seen).to_json() or "{}")}
    if seen.y is not None:
        figures["surface"] = json.loads(figure(seen, surface=True).to_json() or "{}")
    return {"figures": figures, "said": seen.sentences(), "caption": _caption(seen)}


def page(seen: Landscape) -> str:
    """Return a landscape as HTML."""
    from plotly.offline import get_plotlyjs

    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Markup('<meta name="color-scheme" content="light dark"><meta name="generator" content="descend">'),
        tag("title", f"{seen.name}: landscape · descend"),
        tag("script", Markup(WATCH)),
        tag("style", Markup((PAGE / "style.css").read_text(encoding="utf-8"))),
    )
    first, *others = seen.sentences()
    made = f"{seen.evaluations:,} evaluations in {seen.seconds:.1f} s, {seen.pace}. One file, no network."
    body = tag(
        "body",
        tag("nav", tag("div", tag("span", MARK, "descend", class_="brand"), class_="in")),
        tag(
            "main",
            tag(
                "header",
                tag("p", tag("span", seen.kind, class_="pill done"), tag("b", seen.name), class_="over"),
                tag("h1", first),
                [tag("p", sentence, class_="said") for sentence in others],
                class_="hero landscape-hero",
            ),
            landscape_card(drawn(seen)),
            _ways(seen),
        ),
        tag("footer", tag("p", made)),
        tag("script", Markup(get_plotlyjs())),
        landscape_script(),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _caption(seen: Landscape) -> str:
    axes = " and ".join(seen.labels)
    low, high = float(seen.loss.nan_to_num(0).min()), float(seen.loss.nan_to_num(0).max())
    said = f"The loss along {axes}: from {number(low)} to {number(high)}."
    return f"{said} A circle marks where a way starts, a star where it ends." if seen.ways else said


def _ways(seen: Landscape) -> Markup | None:
    """Return the points of the ways as a table: what is drawn, and what is true."""
    if not seen.ways:
        return None
    rows = [
        tag(
            "tr",
            tag("th", way.name, scope="row"),
            tag("td", f"{step:,}", class_="figure"),
            tag("td", number(loss), class_="figure"),
            tag("td", number(drawn), class_="figure"),
            tag("td", percent(off), class_="figure"),
        )
        for way in seen.ways
        for step, loss, drawn, off in zip(
            way.steps, way.loss.tolist(), way.on_plane.tolist(), way.off.tolist(), strict=True
        )
    ]
    titles = ("way", "step", "loss", "loss as drawn", "off the plane")
    head = tag(
        "tr",
        [tag("th", title, scope="col", class_="figure" if k else None) for k, title in enumerate(titles)],
    )
    return tag(
        "section",
        tag("h2", "The way in numbers"),
        tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll"),
    )
