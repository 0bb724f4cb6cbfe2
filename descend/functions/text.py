"""A text as a problem: predict each character from those before it."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from descend.errors import DataError, UsageError
from descend.functions.answers import known_options
from descend.functions.data import Batch, Batches
from descend.functions.networks import Transformer
from descend.functions.problem import Problem, Settings
from descend.functions.splits import seeded

LEAST = 1000
"""Characters below which there is nothing to learn from."""
MOST_TEST = 262_144
"""Characters held out to the end, at most: bits a character are then known to about half a percent."""
MOST_VALIDATION = 65_536
"""Characters that choose the best parameters, at most: they are gone over many times."""


class Windows:
    """Pieces of one long row of tokens, as examples.

    A training batch is pieces from random places, a function of (seed, step) alone, so that a position is
    one integer. A pass goes over pieces that do not overlap; up to ``context`` tokens at the end are left
    out.

    Args:
        tokens: shape (n,), any integer type.
        context: tokens in a piece; each has the token after it as its target.

    Raises:
        DataError: where there is not even one piece.
    """

    def __init__(self, tokens: Tensor, context: int):
        if len(tokens) <= context:
            raise DataError(
                f"more than {context} tokens, the context", f"{len(tokens)}", "take a shorter context"
            )
        self.tokens, self.context = tokens, context

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Return batches of inputs and targets, each int64 of shape (size, context)."""
        return _RandomWindows(self.tokens.to(device), self.context, min(size, len(self)), seed, len(self))

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over the pieces once, in order."""
        n = len(self) * self.context
        x = self.tokens[:n].view(-1, self.context)
        y = self.tokens[1 : n + 1].view(-1, self.context)
        for inputs, targets in zip(x.split(size), y.split(size), strict=True):
            yield inputs.to(device).long(), targets.to(device).long()


class _RandomWindows:
    def __init__(self, tokens: Tensor, context: int, size: int, seed: int, pieces: int):
        self.tokens, self.context, self.size, self.seed = tokens, context, size, seed
        self.per_epoch = max(1, pieces // size)
        self.step = 0
        self._within = torch.arange(context + 1, device=tokens.device)

    def next(self) -> Batch:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.step) % 2**63)
        self.step += 1
        last = len(self.tokens) - self.context
        start = torch.randint(last, (self.size, 1), generator=generator).to(self.tokens.device)
        pieces = self.tokens[start + self._within].long()
        return pieces[:, :-1], pieces[:, 1:]

    def state(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        self.step = int(state["step"])


@dataclass(frozen=True)
class TextReader:
    """Reads a prompt, and answers by writing on.

    Attributes:
        alphabet: the characters known, in the order of their numbers.
        width: of the transformer.
        layers: of the transformer.
        heads: of the transformer.
        context: characters that it looks back on.
    """

    alphabet: str
    width: int
    layers: int
    heads: int
    context: int

    kind: ClassVar[str] = "text"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        # Not asdict: every field is a plain value already.
        return {"kind": self.kind, **vars(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TextReader":
        """Rebuild it."""
        return cls(saved["alphabet"], *(int(saved[k]) for k in ("width", "layers", "heads", "context")))

    def model(self) -> nn.Module:
        """Build the function afresh: int64 (n, length) → logits (n, length, characters)."""
        return Transformer(
            len(self.alphabet), width=self.width, layers=self.layers, heads=self.heads, context=self.context
        )

    def encode(self, text: str) -> Tensor:
        """Return the number of each character, int64, shape (length,).

        Raises:
            DataError: where the text has characters that are not in the alphabet.
        """
        number = {character: k for k, character in enumerate(self.alphabet)}
        unknown = sorted(set(text) - set(self.alphabet))
        if unknown:
            raise DataError(
                f"a prompt of the {len(self.alphabet)} characters learned",
                ", ".join(map(repr, unknown[:8])),
                "leave them out",
            )
        return torch.tensor([number[character] for character in text], dtype=torch.long)

    @torch.no_grad()
    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Write on from a prompt.

        Args:
            model: the function, trained.
            source: the prompt itself, or a file that holds it.
            options: ``length``, characters to write (200); ``temperature``, 0 for the most probable
                character each time, 1 for the function's own probabilities (0.8); ``seed`` (0).

        Returns:
            One answer, ``{"prompt": ..., "text": the prompt and what follows}``.

        Raises:
            DataError: where the prompt has characters that are not in the alphabet.
            UsageError: where an option is unknown or out of its range.
        """
        chosen = known_options(options, length=200, temperature=0.8, seed=0)
        length, temperature = int(chosen["length"]), float(chosen["temperature"])
        for name, value in (("length", length), ("temperature", temperature)):
            if not 0 <= value < float("inf"):
                raise UsageError(f"a {name} of at least 0", f"{chosen[name]}", f"give another {name}")
        prompt = _prompt(source)
        # With nothing to go on, a line begins.
        start = prompt or ("\n" if "\n" in self.alphabet else self.alphabet[0])
        device = next(model.parameters()).device
        tokens = self.encode(start).to(device)
        generator = torch.Generator().manual_seed(int(chosen["seed"]) % 2**63)
        training = model.training
        model.eval()
        try:
            for _ in range(length):
                logits = model(tokens[-self.context :][None])[0, -1].double().cpu()
                if temperature == 0:
                    following = logits.argmax()[None]
                else:
                    following = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
                tokens = torch.cat([tokens, following.to(device)])
        finally:
            model.train(training)
        written = "".join(self.alphabet[k] for k in tokens[len(start) :].tolist())
        return [{"prompt": prompt, "text": prompt + written}]


def _prompt(source: str | Path) -> str:
    try:
        is_file = Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or not one
        is_file = False
    if is_file:
        return _read(Path(source))[0]
    if isinstance(source, Path):
        raise DataError(
            f"a text file at {source}", "nothing there", "check the path, or give the prompt itself"
        )
    return source


def _read(path: Path) -> tuple[str, str]:
    """Read a text; return it and its file's SHA-256 digest."""
    try:
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if path.suffix.lower() == ".gz":
            import gzip

            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"text in UTF-8 in {path}",
            f"byte {error.object[error.start]:#04x} at {error.start}, which is none",
            "save it as UTF-8",
        ) from None
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"a readable text at {path}", why.lower(), "check the file") from None
    if "\0" in text:
        raise DataError(f"text in {path}", "a binary file", "name a text file")
    return text.replace("\r\n", "\n").replace("\r", "\n"), digest


def _numbered(text: str) -> tuple[str, Tensor]:
    """Return a text's alphabet and the number of each of its characters, in the smallest type that does."""
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    there = np.zeros(sys.maxunicode + 1, dtype=bool)
    there[code_points] = True
    alphabet = np.flatnonzero(there)
    dtype = np.uint8 if len(alphabet) <= 256 else np.int32
    number = np.zeros(sys.maxunicode + 1, dtype=dtype)
    number[alphabet] = np.arange(len(alphabet))
    return "".join(map(chr, alphabet)), torch.from_numpy(number[code_points])


def text_problem(
    path: str | Path,
    *,
    seed: int = 0,
    context: int | None = None,
    width: int = 96,
    layers: int = 3,
    heads: int = 4,
) -> Problem:
    """Make the problem of predicting each character of a text from those before it.

    The last tenth of the text is held out as the test, and the tenth before it chooses the best
    parameters (at most :data:`MOST_TEST` and :data:`MOST_VALIDATION` characters).

    Args:
        path: a text file in UTF-8.
        seed: draws the initial parameters.
        context: characters that the function looks back on; ``None`` takes 128, fewer for a short text.
        width: of the transformer.
        layers: of the transformer.
        heads: of the transformer.

    Returns:
        The problem; its inputs and targets are int64 (n, context).

    Raises:
        DataError: where the file is no text, or too short.
        UsageError: where a size is out of its range.
    """
    path = Path(path)
    text, digest = _read(path)
    if len(text) < LEAST:
        raise DataError(
            f"at least {LEAST} characters in {path}",
            f"{len(text)}" if text else "an empty file",
            "learn from a longer text",
        )
    alphabet, tokens = _numbered(text)
    if len(alphabet) < 2:
        raise DataError(f"at least two different characters in {path}", "one", "learn from another text")
    if context is None:
        context = min(128, len(text) // 40)
    held = min(len(tokens) // 10, MOST_TEST)
    if not 1 <= context < held:
        raise UsageError(
            f"a context of 1 to {held - 1} characters for {path}, {held} of which are held out",
            f"{context}",
            "take a shorter context",
        )
    chosen = min(held, max(MOST_VALIDATION, context + 1))
    rest = len(tokens) - held
    reader = TextReader(alphabet, width, layers, heads, context)
    with seeded(seed):
        function = reader.model()
    return Problem(
        function,
        "cross_entropy",
        train=Windows(tokens[: rest - chosen], context),
        validation=Windows(tokens[rest - chosen : rest], context),
        test=Windows(tokens[rest:], context),
        metric="bits-per-character",
        name=path.name.split(".")[0],
        reader=reader,
        settings=Settings("adamw", 3e-3, 8, 3000, "cosine", 0.05, 1.0, {"weight_decay": 0.1}),
        facts={
            "source": str(path),
            "kind": "text",
            "rows": len(tokens),
            "classes": len(alphabet),
            "characters": len(tokens),
            "context": context,
            "sha256": digest,
        },
    )
