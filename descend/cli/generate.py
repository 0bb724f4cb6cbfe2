"""``descend generate``: a trained language model writes on."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from descend.cli.flags import number
from descend.cli.options import AsJson, Length, Seed, Temperature
from descend.cli.terminal import say_json


def generate(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run on a text.")],
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="How it begins [default: with a new line].")
    ] = "",
    length: Length = None,
    temperature: Temperature = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            parser=number("--top-p", above=0),
            help="Choose among the likeliest alone, which together have this probability [default: 1].",
        ),
    ] = None,
    seed: Seed = None,
    json: AsJson = False,
) -> int:
    """Write on from a prompt, as the text that was learned from would."""
    from descend.functions.networks import Transformer
    from descend.functions.text import TextReader
    from descend.runs.predict import opened

    run, reader = opened(folder, TextReader, "learned from a text")
    options = {"length": length or 500, "temperature": temperature, "top_p": top_p, "seed": seed}
    model = run.model
    assert isinstance(model, Transformer)
    pieces = reader.write(model, prompt, **{k: v for k, v in options.items() if v is not None})
    began = time.perf_counter()
    if json:
        text = "".join(pieces)
        seconds = time.perf_counter() - began
        say_json({"run": str(folder), "prompt": prompt, "text": prompt + text, "seconds": round(seconds, 3)})
        return 0
    sys.stdout.write(prompt)
    try:
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:  # enough was read
        return 130
    finally:
        sys.stdout.write("\n")
        sys.stdout.flush()
    return 0
