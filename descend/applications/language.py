"""Language: to write on in the manner of a text.

**The function** gives, at every place of a text, a probability to each piece that may come next, knowing
those before it: a decoder-only transformer (:class:`descend.functions.networks.Transformer`). A piece is a
character, or in a long text some characters that often stand together (byte pairs), so that the same steps
go over three times as much text.
**Its parameters** are the matrices of its blocks, some hundred thousand to some million numbers.
**The loss** is how much the piece that did come surprises it: the negative logarithm of its probability,
averaged (cross-entropy); in bits, the length that a character takes when the text is compressed with it.
**The data** are any text. Its last tenth is held back to the end, and some of what stands before it chooses
the best parameters.
**The descent** sees pieces of the text from random places, a few thousand characters a step.

Change first: the time (`--seconds`); then ``layers`` and ``width``, the function's size, which pays where
there are time and text enough; then ``vocabulary``, 0 for characters.
"""

from pathlib import Path

import torch

from descend.errors import DataError, UsageError
from descend.functions.measures import bits_per_character
from descend.functions.problem import Problem, Settings
from descend.functions.splits import seeded
from descend.functions.text import TextReader, python_text, read_text
from descend.functions.tokens import BytePairs, Characters, has_byte_pairs
from descend.functions.windows import Windows

LEAST = 1000
"""Characters below which there is nothing to learn from."""
MOST_VALIDATION = 65_536
"""Tokens that choose the best parameters, at most: they are gone over many times."""
LONG = 200_000
"""Characters from which a text is read in byte pairs, unless told otherwise."""
PAIRS = 1024
"""How many of them are learned then."""


def language_problem(
    path: str | Path | None = None,
    *,
    seed: int = 0,
    context: int | None = None,
    width: int = 192,
    layers: int = 4,
    heads: int = 4,
    vocabulary: int | None = None,
) -> Problem:
    """Make the problem of predicting each token of a text from those before it.

    Args:
        path: a text file in UTF-8, as it is or packed by gzip; ``None`` takes the reference of the language
            that every Python carries.
        seed: draws the initial parameters.
        context: tokens that the function looks back on; ``None`` takes 128, fewer for a short text.
        width: of the transformer.
        layers: of the transformer.
        heads: of the transformer.
        vocabulary: how many byte pairs to learn as tokens, or 0 for characters; ``None`` takes 1,024 for a
            text of 200,000 characters or more, if ``tokenizers`` is installed, and characters otherwise.

    Returns:
        The problem; its inputs and targets are int64 (n, context).

    Raises:
        DataError: where the file is no text, or too short.
        UsageError: where a size is out of its range.
        MissingExtra: where byte pairs are asked for and ``tokenizers`` is not installed.
    """
    text, digest = python_text() if path is None else read_text(Path(path))
    name, path = ("language", "Python's own reference") if path is None else (Path(path).name, path)
    if len(text) < LEAST:
        raise DataError(
            f"at least {LEAST} characters in {path}",
            f"{len(text)}" if text else "an empty file",
            "learn from a longer text",
        )
    characters, numbers = Characters.of(text)
    if len(characters) < 2:
        raise DataError(f"at least two different characters in {path}", "one", "learn from another text")
    last = len(text) - len(text) // 10
    tokens = characters
    if vocabulary is None and len(text) >= LONG and has_byte_pairs():
        vocabulary = PAIRS
    if vocabulary:
        # What is held back has no say in what the pieces are.
        tokens = BytePairs.of(text[:last], vocabulary)
        parts = tokens.numbers(text[:last]), tokens.numbers(text[last:])
        numbers, last = torch.cat(parts), len(parts[0])
    held = len(numbers) - last
    if context is None:
        context = max(1, min(128, len(numbers) // 40))
    if not 1 <= context < held:
        raise UsageError(
            f"a context of 1 to {held - 1} tokens for {path}, {held} of which are held out",
            f"{context}",
            "take a shorter context",
        )
    chosen = min(held, max(MOST_VALIDATION, context + 1))
    reader = TextReader(tokens, width, layers, heads, context)
    with seeded(seed):
        function = reader.model()
    return Problem(
        function,
        "cross_entropy",
        train=Windows(numbers[: last - chosen], context),
        validation=Windows(numbers[last - chosen : last], context),
        test=Windows(numbers[last:], context),
        metric=bits_per_character(tokens.lengths),
        name=name.split(".")[0],
        reader=reader,
        settings=Settings(
            "adamw",
            3e-3,
            16,
            2000,
            "cosine",
            0.03,
            1.0,
            {"weight_decay": 0.1, "betas": (0.9, 0.95)},
            precision="auto",
        ),
        facts={
            "source": str(path),
            "kind": "text",
            "rows": len(numbers),
            "classes": len(tokens),
            "characters": len(text),
            "context": context,
            "sha256": digest,
        },
    )
