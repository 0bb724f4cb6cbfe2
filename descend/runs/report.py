"""The report of a run: one HTML file that opens offline and asks the network for nothing."""

from pathlib import Path
from typing import Any, Protocol

from descend.descent.files import write_file
from descend.runs.page.figures import Recorded, figures
from descend.runs.page.findings import finding_alarm, finding_section
from descend.runs.page.landscape import (
    as_json,
    kept_landscape,
    landscape_card,
    landscape_script,
    segmented,
)
from descend.runs.page.markup import Markup, moment, tag, text
from descend.runs.page.repeating import how_to_repeat
from descend.runs.page.sections import advice, key_figures, outcome, what_was_run
from descend.runs.page.tables import event_table, parameter_table

PAGE = Path(__file__).with_name("page")

# Everything is inline, and the browser is told so: whatever asked for a network would be refused.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)

# Runs before anything else, so that a test (or a person) sees on the page itself what went wrong.
WATCH = (
    "for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])"
    " window.addEventListener(kind, e => { document.documentElement.dataset.error ="
    " String(e.message || e.reason || e.blockedURI || kind); });"
)

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Cpath d='M3 5c5 19 12 22 26 22' fill='none' stroke='%232457d6' stroke-width='4' "
    "stroke-linecap='round'/%3E%3Ccircle cx='12' cy='15' r='5' fill='%23c2570c'/%3E%3C/svg%3E"
)

MARK = Markup(
    '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M3 5c5 19 12 22 26 22"/>'
    '<circle cx="13" cy="14.5" r="4.5"/></svg>'
)


class Reported(Recorded, Protocol):
    """What a report is made of: a :class:`descend.runs.run.Run`, or anything that reads like one."""

    @property
    def folder(self) -> Path:
        """Where the run lies, and where its report is written."""
        ...


def _header(facts: dict[str, Any], drawn: list[dict[str, Any]], found: list[dict[str, Any]]) -> Markup:
    name, sentence, tone = outcome(facts)
    what = [facts.get("function"), facts.get("method")]
    said = " · ".join(str(w) for w in [*what, moment(facts.get("started"))] if w and w != "–")
    cards = [
        tag(
            "div",
            tag("dt", title),
            tag("dd", value, class_="longer" if len(value) > 10 else "long" if len(value) > 7 else None),
            tag("dd", under, class_="under") if under else None,
            class_=f"key {kind}".strip(),
        )
        for title, value, under, kind in key_figures(facts, drawn)
    ]
    return text(
        tag(
            "header",
            tag(
                "p",
                tag("span", name, class_=f"pill {tone}"),
                tag("b", facts.get("name") or "run"),
                class_="over",
            ),
            tag("h1", sentence),
            tag("p", said, class_="said"),
            advice(facts),
            finding_alarm(found),
            class_="hero",
        ),
        tag("dl", cards, class_="keys", aria_label="Key figures") if cards else None,
    )


def _figure(figure: dict[str, Any]) -> Markup:
    key = figure["key"]
    scale = (
        segmented(
            f"Scale of {figure['title']}",
            [("linear", "linear"), ("log", "log")],
            "log" if figure["log"] else "linear",
            data_scale=key,
        )
        if figure["can_log"]
        else None
    )
    # Names were escaped for plotly, which reads its texts as HTML.
    legend = [tag("li", tag("i", class_=f"swatch {t['role']}"), Markup(t["name"])) for t in figure["lines"]]
    note = figure.get("note")
    return tag(
        "figure",
        tag(
            "div",
            tag("h3", figure["title"], tag("small", note) if note else None, id=f"title-{key}"),
            scale,
            class_="bar-head",
        ),
        tag("ul", legend, class_="legend") if len(legend) > 1 else None,
        tag("div", class_="plot", id=f"plot-{key}", role="img", aria_label=figure["caption"]),
        tag("figcaption", figure["caption"]),
        class_=" ".join(["card", *[c for c in ("wide", "tall") if figure.get(c)]]),
        aria_labelledby=f"title-{key}",
    )


def _curves(drawn: dict[str, Any]) -> Markup:
    if not drawn["figures"]:
        return tag("p", "Nothing is recorded: no step was taken.", class_="card note")
    axes = [("step", "steps")]
    if drawn["epoch"]:
        axes.append(("epoch", "epochs"))
    if drawn["clock"]:
        axes.append(("time", "time"))
    left = drawn["left_out"]
    return text(
        tag("div", segmented("Horizontal axis", axes, "step", data_axis="x"), class_="tools")
        if len(axes) > 1
        else None,
        tag(
            "noscript", tag("p", "The curves need JavaScript; their values are in record.db.", class_="card")
        ),
        tag("div", [_figure(f) for f in drawn["figures"]], class_="figures"),
        tag("p", f"Recorded too, without a figure: {', '.join(left)}.", class_="note") if left else None,
    )


def _landscape(kept: dict[str, Any]) -> Markup:
    return text(landscape_card(kept), [tag("p", sentence, class_="note") for sentence in kept["said"]])


def _section(key: str, title: str, body: Markup | None) -> Markup | None:
    return tag("section", tag("h2", title), body, id=key) if body else None


def page(run: Reported) -> str:
    """Return the whole report as HTML.

    Args:
        run: the run; only its facts, its series and its events are read.
    """
    from plotly.offline import get_plotlyjs

    from descend import __version__

    facts = run.facts
    drawn = figures(run)
    found, landscape = _findings(run.folder), kept_landscape(run.folder)
    sections = [
        ("findings", "Findings", finding_section(facts, found)),
        ("curves", "Curves", _curves(drawn)),
        ("landscape", "Landscape", None if landscape is None else _landscape(landscape)),
        ("parameters", "Parameters", parameter_table(facts)),
        ("what", "What was run", what_was_run(facts)),
        ("repeat", "How to repeat it", how_to_repeat(facts, run.folder)),
        ("events", "Events", event_table(_events(run.folder))),
    ]
    links = [tag("a", title, href=f"#{key}") for key, title, body in sections if body]
    name = facts.get("name") or run.folder.name
    made = f"Written by descend {__version__}"
    with_version = (facts.get("versions") or {}).get("descend") or facts.get("descend")
    if with_version:
        made += f" from a run made with descend {with_version}"
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Markup('<meta name="color-scheme" content="light dark"><meta name="generator" content="descend">'),
        Markup(f'<link rel="icon" href="{_ICON}">'),
        tag("title", f"{name}: {outcome(facts)[0]} · descend"),
        tag("script", Markup(WATCH)),
        tag("style", Markup((PAGE / "style.css").read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag("a", "Skip to the curves", href="#curves", class_="skip"),
        tag(
            "nav",
            tag(
                "div",
                tag("span", MARK, "descend", class_="brand"),
                tag("div", links, class_="links"),
                class_="in",
            ),
            aria_label="Sections",
        ),
        tag("main", _header(facts, drawn["figures"], found), *[_section(*section) for section in sections]),
        tag("footer", tag("p", made, ". One file, no network; the run itself is the folder it lies in.")),
        # The picture maker comes last: the words are on the screen while it is still being read.
        tag("script", as_json(drawn), type="application/json", id="data"),
        tag("script", Markup(get_plotlyjs())),
        tag("script", Markup((PAGE / "page.js").read_text(encoding="utf-8"))),
        landscape_script() if landscape is not None else None,
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _events(folder: Path) -> list[tuple[int, float, str, str]]:
    record = folder / "record.db"
    if not record.exists():
        return []
    from descend.descent.record import read_events

    return read_events(record)


def _findings(folder: Path) -> list[dict[str, Any]]:
    record = folder / "record.db"
    if not record.exists():
        return []
    from descend.descent.record_file import read_findings

    return read_findings(record)


def write_report(run: Reported) -> Path:
    """Write ``report.html`` into a run's folder.

    The file is whole at every moment: it is written beside its place and renamed into it.

    Args:
        run: the run, finished or not.

    Returns:
        Where the report is: one file, about 5 MB, that opens without a network.

    Raises:
        RunError: where the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from descend.runs.run import Run
        >>> run = Run.create(tempfile.mkdtemp(), {"name": "line"})
        >>> write_report(run).name
        'report.html'
    """
    # A file name may hold bytes that are no text; they are shown as "?".
    content = page(run).encode("utf-8", errors="replace")
    path = run.folder / "report.html"
    write_file(path, content)
    return path
