"""``descend applications``: what descent powers, and what it was measured to reach."""

from dataclasses import asdict
from typing import Any

from descend.applications.names import APPLICATIONS
from descend.applications.reached import figures
from descend.cli.options import AsJson
from descend.cli.terminal import console, is_terminal, say, say_json


def applications(json: AsJson = False) -> int:
    """List the applications: their data, how they are trained and used, and what they reach."""
    if json:
        say_json({"applications": table()})
    elif is_terminal():
        _show()
    else:
        say("name\ttitle\tdata\ttrain\tuse\treached")
        for row in table():
            reached = "; ".join(row["reached"])
            say("\t".join([row["name"], row["title"], row["data"], row["train"], row["use"], reached]))
    return 0


def table() -> list[dict[str, Any]]:
    """Return one row an application, as JSON values."""
    rows = []
    for name, one in APPLICATIONS.items():
        measured = figures(name)
        rows.append(
            {
                "name": name,
                "title": one.title,
                "data": one.data,
                "train": one.train,
                "use": one.use,
                "module": one.module,
                "reached": [str(figure) for figure in measured],
                "figures": [asdict(figure) for figure in measured],
            }
        )
    return rows


def _show() -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 1, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for row in table():
        what = Text(row["title"])
        what.append(f"\n{row['train']}\n{row['use']}", "cyan")
        what.append(f"\ndata: {row['data']}", "dim")
        for line in row["reached"]:
            what.append(f"\nreached: {line}", "green")
        grid.add_row(Text(row["name"], "bold"), what)
    console().print(grid)
    say("Each is one page to read and to copy: descend/applications/NAME.py")
