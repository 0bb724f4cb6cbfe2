"""A landscape on a page: the figures that were made of it, and the sentences that belong to them.

What draws it lies in the run's folder as ``landscape.json``: ``figures``, plotly's, by name; ``said``,
sentences; ``caption``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from descend.runs.page.markup import Markup, tag, text

KEPT = "landscape.json"
SCRIPT = Path(__file__).with_name("landscape.js")
_VIEWS = (("contours", "contours"), ("surface", "surface"))


def as_json(value: Any) -> Markup:
    """Return a value as JSON for a script element."""
    # "<" is written so that no name in the data can end the script element or open a comment.
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def segmented(name: str, choices: Sequence[tuple[str, str]], chosen: str, **more: str) -> Markup:
    """Return buttons of which one is pressed."""
    buttons = [
        tag(
            "button", shown, type="button", data_choice=key, aria_pressed="true" if key == chosen else "false"
        )
        for key, shown in choices
    ]
    return tag("div", buttons, class_="segmented", role="group", aria_label=name, **more)


def landscape_card(kept: Mapping[str, Any]) -> Markup:
    """Return a landscape's figures as a card."""
    figures, caption = kept["figures"], str(kept["caption"])
    return text(
        tag(
            "figure",
            segmented("Picture", _VIEWS, "contours", data_views="all") if "surface" in figures else None,
            tag("div", class_="plot landscape", id="landscape-plot", role="img", aria_label=caption),
            tag("figcaption", caption),
            class_="card",
        ),
        tag("script", as_json(figures), type="application/json", id="landscape-data"),
    )


def landscape_script() -> Markup:
    """Return what draws it; it comes behind plotly."""
    return tag("script", Markup(SCRIPT.read_text(encoding="utf-8")))


def kept_landscape(folder: Path) -> dict[str, Any] | None:
    """Return what is kept of a landscape in a run's folder; ``None`` where nothing is that can be drawn."""
    try:
        kept = json.loads((folder / KEPT).read_bytes())
        if isinstance(kept["figures"]["contours"], dict) and isinstance(kept["said"], list):
            return kept
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
