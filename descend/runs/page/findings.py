"""The findings of a run on its report: what is wrong, how sure that is, what was seen, and the proof."""

from typing import Any

from descend.runs.page.figures import finite
from descend.runs.page.markup import Markup, duration, number, percent, tag, text

TONES = {"error": "bad", "warning": "warn", "info": "done"}
WORDS = {"it helps": "helps", "it helps too little to be what is wrong": "helps too little"}
WIDTH, HEIGHT, SIDE = 320, 46, 12


def finding_alarm(found: list[dict[str, Any]]) -> Markup | None:
    """Return what the head of a report says of warnings and errors; ``None`` where there are none."""
    serious = _serious(found)
    if not serious:
        return None
    names = [text(", " if i else None, tag("code", one["cause"])) for i, one in enumerate(serious)]
    tone = "bad" if any(one["severity"] == "error" for one in serious) else "warn"
    said = text(
        "Something looks wrong: ",
        names,
        ". ",
        tag("a", "What was seen, and what helps", href="#findings"),
        ".",
    )
    return tag("p", said, class_=f"advice {tone}", role="note")


def finding_section(facts: dict[str, Any], found: list[dict[str, Any]]) -> Markup | None:
    """Return all findings with their proof, and what watching cost; ``None`` where nobody watched.

    Args:
        facts: of the run.
        found: its findings, as :func:`descend.descent.record_file.read_findings` returns them.
    """
    watching = facts.get("watching")
    if not found and not isinstance(watching, dict):
        return None
    from descend.diagnosing.finding import WORTH_TELLING

    serious = _serious(found)
    rest = [one for one in found if one not in serious]
    possible = [one for one in rest if one["confidence"] >= WORTH_TELLING or one.get("tried")]
    cards = [_finding(one) for one in serious]
    if not serious:
        cards.append(tag("p", "Nothing wrong was seen.", class_="card"))
    if possible:
        rows = [
            tag(
                "li",
                tag("code", one["cause"]),
                f"({percent(one['confidence'], 2)}) ",
                one["evidence"],
                _said(one),
            )
            for one in possible
        ]
        title = tag("h3", "Possible, without enough evidence")
        cards.append(tag("div", title, tag("ul", rows, class_="possible"), class_="card"))
    if isinstance(watching, dict):
        cards.append(tag("p", _cost(watching), class_="note"))
    return tag("div", cards, class_="found")


def _serious(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["severity"] in ("error", "warning")]


def _finding(one: dict[str, Any]) -> Markup:
    tone, sure = TONES.get(one["severity"], "done"), one["confidence"]
    share = 100.0 * min(1.0, max(0.0, sure)) if finite(sure) else 0.0
    meter = tag("span", tag("span", style=f"width:{share:.0f}%"), class_=f"sure {tone}", aria_hidden="true")
    where = [f"seen from step {one['step']:,}"] if one["step"] else []
    where = [*([f"at {one['where']}"] if one["where"] else []), *where]
    tried = one.get("tried") or []
    # What the pictures show is not said in words again.
    effect = None if tried else one["effect"]
    explains = one["explains"]
    return tag(
        "article",
        tag(
            "div",
            tag("span", one["severity"], class_=f"pill {tone}"),
            tag("h3", one["cause"]),
            tag("small", meter, f"{percent(sure, 2)} sure", f", {', '.join(where)}" if where else None),
            class_="over",
        ),
        tag("p", one["evidence"]),
        tag("p", tag("b", "Do:", class_="what"), one["remedy"]),
        tag("p", tag("b", "Proof:", class_="what"), effect) if effect else None,
        tag("ul", [_experiment(t) for t in tried], class_="tried", aria_label="Remedies that were tried")
        if tried
        else None,
        tag("p", f"It explains what looks like {', '.join(explains)}.", class_="note") if explains else None,
        _explanation(one["cause"]),
        class_=f"card finding {tone}",
    )


def _said(one: dict[str, Any]) -> Markup | None:
    effect = one["effect"]
    return text(" ", effect[:1].upper() + effect[1:]) if effect else None


def _explanation(cause: str) -> Markup | None:
    """Return what the documentation says of a cause: the page opens without a network."""
    from descend.diagnosing.causes import CAUSES

    known = CAUSES.get(cause)
    if known is None:
        return None
    parts = [("Seen by:", known.signal), ("Told apart:", known.unlike), ("Remedy:", known.remedy)]
    page = text("More, with a picture: docs/diagnosing.md#", cause, " of descend.")
    return tag(
        "details",
        tag("summary", f"What {cause} is"),
        tag("p", known.meaning),
        [tag("p", tag("b", name, class_="what"), words) for name, words in parts if words],
        tag("p", page),
    )


# The proof ---------------------------------------------------------------------------------------------
def _experiment(tried: dict[str, Any]) -> Markup:
    """Return one remedy that was tried: its effect in words, and as a picture."""
    verdict = str(tried.get("verdict", ""))
    tone = {"it helps": "good"}.get(verdict, "bad" if finite(tried.get("low")) and tried["low"] > 0 else "")
    figures = (
        f"{tried.get('measured', 'loss')} {number(tried.get('before'))} → {number(tried.get('after'))}"
        f" after {number(tried.get('steps'))} steps, {number(tried.get('seeds'))} seeds"
    )
    worse = "makes it worse" if tone == "bad" else "does not help"
    said = WORDS.get(verdict, worse)
    words = tag(
        "div",
        "With ",
        tried.get("remedy", "a remedy"),
        ": ",
        tag("span", said, class_=f"verdict {tone}".strip()),
        tag("small", figures),
    )
    return tag("li", words, _interval(tried, tone))


def _interval(tried: dict[str, Any], tone: str) -> Markup | None:
    """Return the difference that a remedy makes with its 95% interval, beside zero, as a picture."""
    ends = [tried.get(name) for name in ("low", "difference", "high")]
    if not all(finite(x) for x in ends):
        return None
    low, mean, high = (float(x) for x in ends if x is not None)
    least, most = min(low, 0.0), max(high, 0.0)
    room = 0.08 * (most - least) or 1.0
    least, most = least - room, most + room

    def at(value: float) -> float:
        return SIDE + (value - least) / (most - least) * (WIDTH - 2 * SIDE)

    zero = at(0.0)
    label = f"Difference {number(mean, 3)}, 95% interval {number(low, 3)} to {number(high, 3)}"
    middle = min(max(at(mean), 70), WIDTH - 70)
    if zero > middle + 105:
        side, where = "end", WIDTH - 2
    elif zero < middle - 105:
        side, where = "start", 2
    else:  # the two texts would meet
        side, where = "", 0
    # Every figure is a number of ours: nothing in here needs to be escaped but the label.
    shapes = (
        f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="4" y2="27"/>'
        f'<line class="reach" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="15" y2="15"/>'
        f'<line class="reach" x1="{at(low):.1f}" x2="{at(low):.1f}" y1="10" y2="20"/>'
        f'<line class="reach" x1="{at(high):.1f}" x2="{at(high):.1f}" y1="10" y2="20"/>'
        f'<circle class="middle" cx="{at(mean):.1f}" cy="15" r="4.5"/>'
        f'<text x="{middle:.1f}" y="42" text-anchor="middle">{number(mean, 3)}'
        f" ({number(low, 3)} to {number(high, 3)})</text>"
        + (f'<text x="{where}" y="42" text-anchor="{side}">no effect</text>' if side else "")
    )
    return tag(
        "svg",
        Markup(shapes),
        class_=f"interval {tone}".strip(),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=label,
    )


# The cost ----------------------------------------------------------------------------------------------
def _cost(watching: dict[str, Any]) -> str:
    """Say what watching looked at and took."""
    said = (
        f"{number(watching.get('steps'))} steps watched, {number(watching.get('windows'))} of them looked at"
        f" closely; that took {percent(watching.get('overhead'), 2)} of the descent's time"
        f" (at most {percent(watching.get('budget'), 2)} were allowed)"
    )
    if finite(watching.get("concluding(s)")):
        said += f", and what was seen {duration(watching['concluding(s)'])} to conclude from"
    said += "."
    proof = watching.get("proof") or {}
    if proof.get("seconds"):
        said += f" Trying remedies took {duration(proof['seconds'])}"
        said += f" of {duration(proof['given'])}." if finite(proof.get("given")) else "."
    if missing := watching.get("not_measured"):
        said += f" Not measured: {'; '.join(map(str, missing))}."
    return said
