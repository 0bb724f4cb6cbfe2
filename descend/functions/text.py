"""A text: read from a file, and written on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.errors import DataError, UsageError
from descend.functions.answers import known_options
from descend.functions.networks import Transformer
from descend.functions.tokens import Tokens, tokens_from_json
from descend.functions.writing import tokens_after


@dataclass(frozen=True)
class TextReader:
    """Reads a prompt, and answers by writing on.

    Attributes:
        tokens: what a text is split into.
        width: of the transformer.
        layers: of the transformer.
        heads: of the transformer.
        context: tokens that it looks back on.
    """

    tokens: Tokens
    width: int
    layers: int
    heads: int
    context: int

    kind: ClassVar[str] = "text"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **vars(self), "tokens": self.tokens.to_json()}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TextReader":
        """Rebuild it."""
        sizes = (int(saved[name]) for name in ("width", "layers", "heads", "context"))
        return cls(tokens_from_json(saved["tokens"]), *sizes)

    def model(self) -> Transformer:
        """Build the function afresh: int64 (n, length) → logits (n, length, tokens)."""
        return Transformer(
            len(self.tokens), width=self.width, layers=self.layers, heads=self.heads, context=self.context
        )

    def write(self, model: Transformer, prompt: str, **options: Any) -> Iterator[str]:
        """Write on from a prompt, piece by piece.

        Args:
            model: the function, trained.
            prompt: how the text begins; where it is empty, a line begins.
            options: ``length``, tokens to write (200); ``temperature``, 0 for the most probable one each
                time, 1 for the function's own probabilities (0.8); ``top_p``, the probability that those
                drawn from have together (1); ``seed`` (0).

        Yields:
            What follows the prompt, a character or a few at a time.

        Raises:
            DataError: where the prompt has characters that were never seen.
            UsageError: where an option is unknown or out of its range.
        """
        chosen = known_options(options, length=200, temperature=0.8, top_p=1.0, seed=0)
        length, temperature, top_p = (
            int(chosen["length"]),
            float(chosen["temperature"]),
            float(chosen["top_p"]),
        )
        for name, value in (("length", length), ("temperature", temperature)):
            if not 0 <= value < float("inf"):
                raise UsageError(f"a {name} of at least 0", f"{chosen[name]}", f"give another {name}")
        if not 0 < top_p <= 1:
            raise UsageError(
                "a top_p above 0 and up to 1", f"{chosen['top_p']}", "1 draws from all, 0.9 from the best"
            )
        numbers = self._start(prompt)
        seed = int(chosen["seed"])
        return self._pieces(
            tokens_after(model, numbers, length, temperature=temperature, top_p=top_p, seed=seed)
        )

    def _start(self, prompt: str) -> Tensor:
        if prompt:
            return self.tokens.numbers(prompt)
        try:  # with nothing to go on, a line begins
            return self.tokens.numbers("\n")
        except DataError:
            return torch.zeros(1, dtype=torch.long)

    def _pieces(self, numbers: Iterator[int]) -> Iterator[str]:
        """Yield the text of tokens as soon as it is whole: a character may take several of them."""
        waiting: list[int] = []
        for number in numbers:
            waiting.append(number)
            text = self.tokens.written(waiting)
            if not text.endswith("\ufffd") or len(waiting) > 4:  # no character has more than four bytes
                yield text
                waiting = []
        if waiting:
            yield self.tokens.written(waiting)

    def predict(self, model: Transformer, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Write on from a prompt; see :meth:`write`.

        Args:
            model: the function, trained.
            source: the prompt itself, or a file that holds it.
            options: as for :meth:`write`.

        Returns:
            One answer, ``{"prompt": ..., "text": the prompt and what follows}``.
        """
        prompt = _prompt(source)
        return [{"prompt": prompt, "text": prompt + "".join(self.write(model, prompt, **options))}]


def _prompt(source: str | Path) -> str:
    try:
        is_file = Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or not one
        is_file = False
    if is_file:
        return read_text(Path(source))[0]
    if isinstance(source, Path):
        raise DataError(
            f"a text file at {source}", "nothing there", "check the path, or give the prompt itself"
        )
    return source


def python_text() -> tuple[str, str]:
    """Return the reference of the language that Python itself carries, and the SHA-256 digest of it.

    Raises:
        DataError: where this Python came without it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "Python's own reference (the module pydoc_data)", "a Python without it", "name a text file"
        ) from None
    text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    return text, hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path) -> tuple[str, str]:
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
