"""Options that several commands have, written once."""

from typing import Annotated

import typer

from descend.cli.flags import number, whole

TargetColumn = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="The column of the table to predict.")
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", parser=whole("--seed", least=0), help="What all chance is drawn from [default: 0]."
    ),
]
Length = Annotated[
    int | None,
    typer.Option(metavar="N", parser=whole("--length", least=1), help="Text: tokens to write."),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        parser=number("--temperature", least=0),
        help="Text: how freely to choose the next token; 0 takes the likeliest [default: 0.8].",
    ),
]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="cpu, cuda or cuda:1.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")
]
