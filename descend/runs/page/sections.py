"""The parts of a report, each a piece of HTML made from a run's facts."""

import math
from typing import Any

from descend.runs.page.figures import finite, is_share, metric_name
from descend.runs.page.markup import Markup, duration, label, moment, number, percent, plain, tag, text

TONES = {
    "minimum": "good",
    "satisfied": "good",
    "out of steps": "done",
    "out of time": "done",
    "no more progress": "done",
    "interrupted": "warn",
    "diverged": "bad",
    "not finite": "bad",
}


MOST_ESTIMATES = 12
"""How many parameters with their standard errors stand at the head of a report."""


def outcome(facts: dict[str, Any]) -> tuple[str, str, str]:
    """Return how the descent ended: its name, its sentence, and its tone (good, done, warn or bad)."""
    ending = facts.get("outcome") or {}
    name = ending.get("name")
    if not name:
        taken = facts.get("steps")
        so_far = f" after {taken:,} steps" if isinstance(taken, int) else ""
        return "not finished", f"Not finished{so_far}: it is still going, or it was cut off.", "warn"
    return name, ending.get("sentence") or f"The descent ended: {name}.", TONES.get(name, "done")


def _metric_value(name: str, value: Any) -> str:
    return percent(value) if is_share(name) else number(value)


def _examples(facts: dict[str, Any], part: str) -> str | None:
    count = (facts.get("data") or {}).get(f"examples/{part}")
    return f"on {count:,} examples" if isinstance(count, int) else None


def _so_far(drawn: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    """Return what the record says of a run that has not ended: the last values of its curves."""
    found: list[tuple[str, str, str | None]] = []
    for line in next((f["lines"] for f in drawn if f["key"] == "loss"), []):
        known = [(s, v) for s, v in zip(line["x"], line["y"], strict=True) if v is not None]
        if known and line["role"] in ("training", "validation"):
            step, value = known[-1]
            name = "Loss so far" if line["role"] == "training" else "Validation loss so far"
            found.append((name, number(value), f"at step {step:,}"))
    return found


def key_figures(facts: dict[str, Any], drawn: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return the figures that come first.

    Args:
        facts: of the run.
        drawn: its figures, for what a run that has not ended does not say.

    Returns:
        For each: label, value, what stands under it, and its class: ``main`` for what the run is judged
        by, ``bad`` for what is no number, else nothing.
    """
    metrics, tone = facts.get("metrics") or {}, outcome(facts)[2]
    metric = (facts.get("metric") or {}).get("name")
    best = facts.get("best_step")
    found: list[tuple[str, str, str | None]] = []
    for part in ("test", "validation"):
        if metric and f"{metric}/{part}" in metrics:
            under = _examples(facts, part)
            if under and part == "test":
                under += " never learned from"
            value = _metric_value(metric, metrics[f"{metric}/{part}"])
            found.append((f"{part.capitalize()} {metric_name(metric)}", value, under))
    for one in (facts.get("estimates") or [])[:MOST_ESTIMATES]:
        under = f"± {one['error']:.4g}" if math.isfinite(one["error"]) else "not determined by the data"
        found.append((one["name"], f"{one['value']:.6g}", under))
    if "loss" in facts and facts.get("outcome"):
        loss, validation, name = facts["loss"], facts.get("validation_loss"), facts.get("loss_name")
        where = f"at the best step, {best:,}" if isinstance(best, int) else None
        if validation is not None:
            found.append(("Validation loss", number(validation), where if finite(validation) else None))
            where = None
        under = "training" if name in (None, "NoneType") else str(name)
        found.append(("Loss", number(loss), (where if finite(loss) else None) or under))
    else:
        found += _so_far(drawn)
    steps, seconds, epochs = facts.get("steps"), facts.get("seconds"), facts.get("epochs")
    if steps is not None:
        passes = None
        if finite(epochs) and epochs != steps:
            passes = f"{number(float(epochs), 3)} epoch{'' if epochs == 1 else 's'}"
        found.append(("Steps", number(steps), passes))
    if finite(seconds):
        rate = f"{number(float(steps / seconds), 3)} steps/s" if steps and seconds > 0 else None
        found.append(("Time", duration(seconds), rate))
    tensors, count = facts.get("parameters") or [], facts.get("count")
    if count is not None:
        under = f"in {len(tensors):,} tensor{'' if len(tensors) == 1 else 's'}" if tensors else None
        found.append(("Parameters", number(count), under))
    no_number = {number(v) for v in (math.nan, math.inf, -math.inf)}
    return [
        (
            name,
            value,
            under or "",
            "bad" if value in no_number else "main" if i == 0 and tone != "bad" else "",
        )
        for i, (name, value, under) in enumerate(found)
    ]


def advice(facts: dict[str, Any]) -> Markup | None:
    """Return what to do about a descent that failed or has not ended; ``None`` where all is well."""
    name, _, tone = outcome(facts)
    best = facts.get("best_step")
    if tone == "bad":
        lr = (facts.get("hyperparameters") or {}).get("lr")
        kept = f"those of step {best:,}" if isinstance(best, int) else "the last ones"
        try_this = tag("code", f"--lr {float(f'{lr / 10:.3g}'):g}") if finite(lr) and lr > 0 else None
        lower = text(" (", try_this, ")") if try_this else None
        body = text(
            f"The parameters that were kept are {kept}; look at the curves before you use them. ",
            "Try a lower learning rate",
            lower,
            ", a longer warm-up, or clipping the gradient.",
        )
    elif name == "interrupted":
        body = text("Its state is saved: it goes on from there with ", tag("code", "--resume"), ".")
    elif tone == "warn":
        body = text(
            "If no process is working on it any more, it goes on from its last saved state with ",
            tag("code", "--resume"),
            ".",
        )
    else:
        return None
    return tag("p", body, class_=f"advice {tone}", role="note")


def _pairs(facts: dict[str, Any]) -> Markup | None:
    """Return a dict as a list of terms and their values; ``None`` where it is empty."""
    rows = []
    for key, value in facts.items():
        shown: object = plain(value)
        if isinstance(value, str) and len(value) > 32 and " " not in value:
            shown = tag("code", value)  # a digest or a path: may break anywhere
        rows.append(tag("div", tag("dt", label(key)), tag("dd", shown)))
    return tag("dl", rows) if rows else None


def _card(title: str, *children: Markup | None) -> Markup | None:
    """Return a card; ``None`` where it would be empty."""
    kept = [child for child in children if child]
    return tag("section", tag("h3", title), kept, class_="card") if kept else None


def _split(data: dict[str, Any]) -> Markup | None:
    """Return how the examples were divided, as a bar and its legend."""
    parts = [(p, data.get(f"examples/{p}")) for p in ("train", "validation", "test")]
    known = [(p, n) for p, n in parts if isinstance(n, int) and n > 0]
    whole = sum(n for _, n in known)
    if not whole:
        return None
    bar = [tag("span", class_=f"part {p}", style=f"flex-grow:{n}") for p, n in known]
    legend = [tag("li", tag("i", class_=f"swatch {p}"), f"{p} ", tag("b", f"{n:,}")) for p, n in known]
    return text(
        tag("div", bar, class_="split", aria_hidden="true"),
        tag("ul", legend, class_="legend", aria_label="How the examples were divided"),
    )


def what_was_run(facts: dict[str, Any]) -> Markup | None:
    """Return the cards that say what was run: data, function, method, settings, machine, notes."""
    data = dict(facts.get("data") or {})
    split = _split(data)
    shown = {k: v for k, v in data.items() if k != "notes" and not (split and k.startswith("examples/"))}
    settings = dict(facts.get("settings") or {})
    until = {k: v for k, v in (settings.pop("until", None) or {}).items() if v is not None}
    metric = (facts.get("metric") or {}).get("name")
    function = {"function": facts.get("function"), "loss": facts.get("loss_name")}
    function |= {"metric": metric_name(metric) if metric else None, "parameters": facts.get("count")}
    method = {"method": facts.get("method"), **(facts.get("hyperparameters") or {})}
    machine = {**(facts.get("versions") or {}), **(facts.get("machine") or {})}
    machine |= {k: facts[k] and moment(facts[k]) for k in ("started", "finished") if k in facts}

    def known(pairs: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in pairs.items() if v not in (None, "NoneType")}

    cards = [
        _card("Data", split, _pairs(shown)),
        _card("Function", _pairs(known(function))),
        _card("Method", _pairs(known(method))),
        _card("Settings", _pairs(settings), tag("h4", "Until") if until else None, _pairs(until)),
        _card("Machine", _pairs(known(machine))),
    ]
    if "data" in facts and not data:
        cards[0] = _card("Data", tag("p", "No data: the function is its own loss.", class_="note"))
    if facts.get("notes"):
        cards.append(_card("Notes", tag("ul", [tag("li", note) for note in facts["notes"]], class_="notes")))
    kept = [card for card in cards if card]
    return tag("div", kept, class_="cards") if kept else None
