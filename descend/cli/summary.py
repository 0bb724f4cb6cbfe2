"""What stands in the terminal, or in the log, once a descent has ended."""

import shlex
from typing import TYPE_CHECKING, Any

from descend.cli.terminal import can_draw, console, figure, is_terminal, say, share, span
from descend.functions.readers import use_of

if TYPE_CHECKING:
    from rich.text import Text

    from descend.diagnosing.finding import Finding
    from descend.runs.run import Run


def as_json(run: "Run") -> dict[str, Any]:
    """Return the object that ``descend fit --json`` prints."""
    facts = run.facts
    return {
        "outcome": facts["outcome"]["name"],
        "method": facts["method"],
        "lr": facts["hyperparameters"].get("lr"),
        "steps": facts["steps"],
        "seconds": facts["seconds"],
        "loss": facts["loss"],
        "validation_loss": facts["validation_loss"],
        "metrics": facts["metrics"],
        "parameters": facts["count"],
        "seed": facts["settings"]["seed"],
        **({"estimates": facts["estimates"]} if facts.get("estimates") else {}),
        "run": str(run.folder),
        "findings": [one.as_json() for one in run.findings],
    }


_WRITTEN = {"r2": "R²", "rmse": "RMSE", "mae": "MAE"}


def next_commands(run: "Run") -> list[str]:
    """Return what a person may want to type next."""
    folder = shlex.quote(str(run.folder))
    commands = []
    reader = run.facts.get("reader")
    if reader and not run.outcome.failed:
        commands.append(use_of(reader.get("kind"), run.folder))
    return [*commands, f"descend report {folder} --open"]


def serious(run: "Run") -> "list[Finding]":
    """Return the findings of a run that count as an alarm."""
    return [one for one in run.findings if one.severity != "info"]


def _advised(one: "Finding") -> str:
    """Return what to do about a finding, and what that was measured to do."""
    return one.remedy + (f" {one.effect[0].upper()}{one.effect[1:]}" if one.effect else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def summarise(run: "Run", resume: str | None = None) -> None:
    """Print how a descent ended: for a person in a terminal, as plain ``name value`` lines elsewhere.

    Args:
        run: the run that ended.
        resume: the command that goes on with it, where it was interrupted.
    """
    if is_terminal():
        _for_a_person(run, resume)
    else:
        _for_a_log(run, resume)


def _for_a_log(run: "Run", resume: str | None) -> None:
    result = as_json(run)
    metrics, _ = result.pop("metrics"), result.pop("findings")
    for one in result.pop("estimates", ()):
        say(f"{one['name']}\t{one['value']!r}\t± {one['error']:.6g}")
    for name, value in {**result, **metrics}.items():
        if value is not None:
            say(f"{name}\t{value}")
    for one in serious(run):
        say(f"{one.severity}\t{one.cause} ({one.confidence:.0%} sure): {_one_line(one.evidence)}")
        say(f"remedy\t{_one_line(_advised(one))}")
    say(f"report\t{run.folder / 'report.html'}")
    if resume:
        say(f"resume\t{resume}")


def _metric_rows(run: "Run") -> list[tuple[str, str, str]]:
    """Return (name, value, remark) of each metric, the test's first: it is the one to be believed."""
    metrics: dict[str, float] = run.facts["metrics"] or {}
    data = run.facts.get("data") or {}
    rows = []
    for base in dict.fromkeys(name.split("/")[0] for name in metrics if name.split("/")[0] != "loss"):
        for part in ("test", "validation"):
            if f"{base}/{part}" in metrics:
                examples = data.get(f"examples/{part}")
                on = f"on {examples:,} {part} examples" if examples else f"{part} examples"
                rows.append((base, share(base, metrics[f"{base}/{part}"]), on))
                break
        else:
            rows.append((base, share(base, metrics[base]), ""))
    return rows


def _for_a_person(run: "Run", resume: str | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from descend.methods import CURVATURE

    facts, screen, signs = run.facts, console(), can_draw()
    outcome = facts["outcome"]
    mark, colour = ("✓", "green") if not run.outcome.failed else ("✗", "red")
    if resume:
        mark, colour = "■", "yellow"
    screen.print()
    screen.print(Text.assemble((f"{mark} " if signs else "", colour), (outcome["sentence"], "bold")))
    screen.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, justify="left")
    table.add_column(style="dim")
    for name, value, remark in _metric_rows(run):
        table.add_row(f"  {_WRITTEN.get(name, name)}", Text(value, style=f"bold {colour}"), remark)
    for one in facts.get("estimates") or ():
        value = Text(f"{one['value']:.10g}", style=f"bold {colour}")
        table.add_row(f"  {one['name']}", value, f"± {one['error']:.4g}")
    losses = {"validation": facts["validation_loss"], "test": (facts["metrics"] or {}).get("loss/test")}
    others = [f"{part} {figure(value)}" for part, value in losses.items() if value is not None]
    table.add_row("  loss", figure(facts["loss"]), ", ".join(others))
    epochs = facts.get("epochs")
    passes = (
        f", {figure(epochs, 3)} passes over the data" if epochs and facts.get("data", {}).get("rows") else ""
    )
    table.add_row("  steps", f"{facts['steps']:,}", f"in {span(facts['seconds'])}{passes}")
    lr = facts["hyperparameters"].get("lr")
    searched = facts["method"] in CURVATURE  # its rate is found in every step
    rate = f"learning rate {lr:g}" if isinstance(lr, int | float) and not searched else ""
    table.add_row("  method", facts["method"], rate)
    table.add_row("  parameters", f"{facts['count']:,}", "")
    screen.print(table)
    screen.print()
    for one in serious(run):
        colour = "red" if one.severity == "error" else "yellow"
        sure = f" ({one.severity}, {one.confidence:.0%} sure): "
        mark = "! " if not signs else "▲ "
        screen.print(Text.assemble((f"  {mark}", colour), (one.cause, f"bold {colour}"), sure, one.evidence))
        screen.print(Text.assemble(("    do  ", "dim"), _advised(one)))
        screen.print()
    following = [resume] if resume else next_commands(run)
    screen.print(_lines("report", [str(run.folder / "report.html")], "cyan"))
    screen.print(_lines("go on" if resume else "next", following, "cyan"))
    screen.print()


def _lines(label: str, lines: list[str], style: str) -> "Text":
    from rich.text import Text

    text = Text()
    for i, line in enumerate(lines):
        text.append("\n" if i else "")
        text.append(f"  {label if i == 0 else '':<8}", "dim")
        text.append(line, style)
    text.overflow, text.no_wrap = "ignore", True  # a command that is broken in two cannot be copied
    return text
