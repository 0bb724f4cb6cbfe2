"""How to repeat a run, go on with it, and use what it learned: the commands, and their Python."""

import json
import shlex
from pathlib import Path
from typing import Any

from descend.functions.readers import use_of
from descend.runs.page.markup import Markup, tag, text
from descend.runs.page.sections import outcome


def _code(title: str, code: str, lang: str) -> Markup:
    return tag(
        "div",
        tag("div", tag("h3", title), tag("button", "Copy", type="button", class_="copy"), class_="bar-head"),
        tag("pre", tag("code", code, class_=lang), tabindex="0", aria_label=title),
        class_="code card",
    )


def _words(command: object) -> list[str]:
    try:
        return shlex.split(str(command or ""))
    except ValueError:  # an open quote: not written by descend
        return str(command).split()


def _resume(words: list[str], folder: Path) -> str:
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words = [*words, "--out", str(folder)]
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _python(value: Any) -> str:
    """Return a JSON value as Python source, with tuples for lists and the quotes that ruff writes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        inside = ", ".join(map(_python, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(k)}: {_python(v)}" for k, v in value.items()) + "}"
    return repr(value)


def python_equivalent(facts: dict[str, Any], folder: Path) -> str:
    """Return the Python program that repeats the run, into another folder."""
    settings, until = facts.get("settings") or {}, (facts.get("settings") or {}).get("until") or {}
    seed = settings.get("seed", 0)
    target, saved = facts.get("target"), facts.get("problem")
    if not target and saved:
        target = f"{saved.get('file')}:{saved.get('name')}"
    lines = ["import descend"]
    if target:
        options = (facts.get("data") or {}).get("options") or {}
        words = "".join(f", {name}={_python(value)}" for name, value in options.items())
        lines += [
            "from descend.applications.targets import problem_from_target",
            "",
            f"problem = problem_from_target({_python(target)}{words}, seed={seed!r})",
        ]
    else:
        lines += ["", "problem = ...  # the descend.Problem that this run was given"]
    others = dict(facts.get("hyperparameters") or {})
    given = {"method": facts.get("method"), "lr": others.pop("lr", None)}
    given |= {k: settings[k] for k in ("batch_size", "schedule", "warmup", "clip") if k in settings}
    if settings.get("accumulate", 1) != 1:
        given["accumulate"] = settings["accumulate"]
    if settings.get("precision", "float32") != "float32":
        given["precision"] = settings["precision"]
    arguments = [f"    {k}={_python(v)}," for k, v in given.items() if v is not None]
    if others:
        arguments.append(f"    hyperparameters={_python(others)},")
    bounds = ", ".join(f"{k}={v!r}" for k, v in until.items() if v is not None)
    if bounds:
        arguments.append(f"    until=descend.Until({bounds}),")
    again = str(folder.with_name(folder.name + "-again"))
    arguments += [f"    seed={seed!r},", f"    out={_python(again)},"]
    lines += ["run = descend.fit(", "    problem,", *arguments, ")"]
    return "\n".join(lines)


def how_to_repeat(facts: dict[str, Any], folder: Path) -> Markup:
    """Return the command, its Python equivalent, how to go on, and how to use the result."""
    command = facts.get("command")
    until = (facts.get("settings") or {}).get("until") or {}
    name, _, tone = outcome(facts)
    blocks = []
    if command:
        blocks.append(_code("Command", str(command), "shell"))
        if tone == "warn":
            blocks.append(_code("Go on with it", _resume(_words(command), folder), "shell"))
    blocks.append(_code("Python", python_equivalent(facts, folder), "python"))
    if facts.get("reader") and facts.get("outcome"):
        blocks.append(_code("Use it on new inputs", use_of(facts["reader"].get("kind"), folder), "shell"))
    said = "The seed chooses the initial parameters, the order of the examples and how they are divided."
    if until.get("seconds") is not None and name != "out of steps":
        said += " The bound is a time: on another machine the descent takes another number of steps."
    return text(tag("p", said, class_="note"), tag("div", blocks, class_="blocks"))
