"""``descend methods``: the variants of gradient descent there are."""

from typing import Annotated, Any

import typer

from descend.cli.options import AsJson
from descend.cli.terminal import console, figure, is_terminal, say, say_json


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A method: everything there is to say about it.")
    ] = None,
    json: AsJson = False,
) -> int:
    """List the methods: equations, hyperparameters with their defaults, memory; or say all about one."""
    if name is not None:
        return _one(name, json)
    rows = table()
    if json:
        say_json({"methods": rows})
    elif is_terminal():
        _show(rows)
    else:
        say("name\tfamily\tbytes_per_parameter\tequation\thyperparameters\tsummary")
        for row in rows:
            fields = [row["name"], row["family"], row["bytes_per_parameter"], row["equation"]]
            say("\t".join(str(field) for field in [*fields, _defaults(row, "=", " "), row["summary"]]))
    return 0


def table() -> list[dict[str, Any]]:
    """Return one row a method, as JSON values, family by family."""
    import descend.methods as known
    from descend.methods.families import FAMILIES

    rows = [
        {
            "name": name,
            "family": one.family,
            "summary": one.summary,
            "equation": one.equation,
            "hyperparameters": dict(one.defaults),
            "bytes_per_parameter": one.bytes_per_parameter,
        }
        for name, one in ((name, known.method(name)) for name in known.names())
    ]
    order = list(FAMILIES)
    return sorted(rows, key=lambda row: order.index(row["family"]) if row["family"] in order else len(order))


def _one(name: str, json: bool) -> int:
    """Say everything about one method: the text of its page in the docs."""
    from descend.methods.page import page

    found = page(name)
    if json:
        say_json(found.as_json())
    elif is_terminal():
        from rich.markdown import Markdown

        console().print(Markdown(found.markdown(), code_theme="ansi_dark"))
    else:
        say(found.markdown().rstrip("\n"))
    return 0


def _defaults(row: dict[str, Any], equals: str, between: str) -> str:
    """Write a row's hyperparameters; which way is down is the same for all, and is left out."""
    return between.join(
        f"{name}{equals}{_plain(value)}"
        for name, value in row["hyperparameters"].items()
        if name != "maximize"
    )


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_plain(v) for v in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    screen = console()
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 1, 0))
    grid.add_column("method", no_wrap=True)
    grid.add_column("what it does, and its default hyperparameters")
    grid.add_column("bytes", justify="right", no_wrap=True)
    family = None
    for row in rows:
        if row["family"] != family:
            family = row["family"]
            grid.add_row("", Text(family, "bold magenta"), "")
        what = Text(row["summary"])
        what.append("\n" + row["equation"], "cyan")
        what.append("\n" + _defaults(row, " ", "   "), "dim")
        grid.add_row(Text(row["name"], "bold"), what, figure(row["bytes_per_parameter"]))
    screen.print(grid)
    screen.print(
        Text("bytes: what the method itself keeps for each parameter, in float32\n", "dim").append(
            "descend methods NAME says all there is to say about one", "dim"
        )
    )
