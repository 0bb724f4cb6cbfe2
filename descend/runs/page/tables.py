"""The tables of a report: the parameters, and what happened on the way."""

import math
from typing import Any

from descend.runs.page.figures import finite
from descend.runs.page.markup import Markup, duration, number, percent, tag, text

ROWS = 400
"""How many rows of the parameter table are written out; a page of 10,000 rows helps nobody."""

EVENTS = 200
"""How many events are written out: the first half and the last half of them."""

_EVENT_COLUMNS = [("Time", "figure"), ("Step", "figure"), ("Kind", None), ("What happened", None)]


def _shape(shape: Any) -> str:
    return " × ".join(str(n) for n in shape) if shape else "one number"


def _bar(value: Any, greatest: float) -> Markup:
    if not finite(value):
        return Markup("")
    share = 100.0 * value / greatest if greatest > 0 else 0.0
    return tag("span", tag("span", style=f"width:{share:.1f}%"), class_="bar", aria_hidden="true")


def _cell(shown: str, value: Any, bar: Markup | None = None) -> Markup:
    # The number a column is sorted by; what is not a number goes last.
    key = value if finite(value) else (1e308 if value is not None and value > 0 else -1)
    return tag(
        "td", bar, tag("span", shown), data_value=f"{key:.9g}", class_="figure" if bar is None else "moved"
    )


def parameter_table(facts: dict[str, Any]) -> Markup | None:
    """Return the table of parameters: name, shape, count, norm, how far each moved; ``None`` without any."""
    rows: list[dict[str, Any]] = facts.get("parameters") or []
    if not rows:
        return None
    shown = rows
    if len(rows) > ROWS:
        largest = sorted(range(len(rows)), key=lambda i: -(rows[i].get("count") or 0))[:ROWS]
        shown = [rows[i] for i in sorted(largest)]
    far = max((r["moved"] for r in rows if finite(r.get("moved"))), default=0.0)
    far_relative = max((r["moved_relative"] for r in rows if finite(r.get("moved_relative"))), default=0.0)
    columns = [("Name", ""), ("Shape", ""), ("Count", "n"), ("Norm", "n"), ("Moved", "n")]
    columns += [("Moved / initial norm", "n")]
    head = [
        tag("th", tag("button", name, type="button"), scope="col", class_="figure" if kind else None)
        for name, kind in columns
    ]
    body = [
        tag(
            "tr",
            tag("th", tag("code", r.get("name", "")), scope="row"),
            tag("td", _shape(r.get("shape")), data_value=str(r.get("count") or 0), class_="shape"),
            _cell(number(r.get("count")), r.get("count")),
            _cell(number(r.get("norm")), r.get("norm")),
            _cell(number(r.get("moved")), r.get("moved"), _bar(r.get("moved"), far)),
            _cell(
                percent(r.get("moved_relative")),
                r.get("moved_relative"),
                _bar(r.get("moved_relative"), far_relative),
            ),
        )
        for r in shown
    ]
    count = facts.get("count") or sum(r.get("count") or 0 for r in rows)

    def whole(key: str) -> str:
        values = [r.get(key) for r in rows]
        known = [v for v in values if finite(v)]
        return number(math.hypot(*known)) if len(known) == len(values) else number(None)

    foot = tag(
        "tr",
        tag("th", "all together", scope="row"),
        tag("td", f"{len(rows):,} tensor{'' if len(rows) == 1 else 's'}"),
        *[tag("td", s, class_="figure") for s in (number(count), whole("norm"), whole("moved"), "")],
    )
    table = tag(
        "table",
        tag("caption", "Every parameter, and how far the descent moved it", class_="unseen"),
        tag("thead", tag("tr", head)),
        tag("tbody", body),
        tag("tfoot", foot),
        class_="sortable",
    )
    left = (
        f"The {ROWS} largest of {len(rows):,} tensors; all of them are in run.json."
        if shown != rows
        else None
    )
    return text(
        tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Parameter table"),
        tag("p", left, class_="note") if left else None,
    )


def event_table(events: list[tuple[int, float, str, str]]) -> Markup | None:
    """Return what happened on the way: seconds, step, kind, text; ``None`` where nothing did."""
    if not events:
        return None
    shown: list[Any] = list(events)
    if len(events) > EVENTS:
        shown = [*events[: EVENTS // 2], len(events) - EVENTS, *events[-(EVENTS // 2) :]]
    rows = []
    for event in shown:
        if isinstance(event, int):
            rows.append(tag("tr", tag("td", f"… {event:,} more …", colspan="4", class_="note")))
            continue
        step, seconds, kind, said = event
        rows.append(
            tag(
                "tr",
                tag("td", duration(seconds), class_="figure"),
                tag("td", number(step), class_="figure"),
                tag("td", tag("span", kind, class_="kind")),
                tag("td", said, class_="said"),
            )
        )
    head = tag("tr", *[tag("th", n, scope="col", class_=c) for n, c in _EVENT_COLUMNS])
    table = tag(
        "table",
        tag("caption", "What happened during the descent", class_="unseen"),
        tag("thead", head),
        tag("tbody", rows),
    )
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Events")
