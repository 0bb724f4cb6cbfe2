"""Options that several commands have, written once."""

from typing import Annotated

import typer

from descend.cli.flags import whole

TargetColumn = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="The column of the table to predict.")
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", parser=whole("--seed", least=0), help="What all chance is drawn from [default: 0]."
    ),
]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")
]
