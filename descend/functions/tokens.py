"""A text as numbers: one for each character, or one for each of the pieces that it is most often made of."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError, MissingExtra, UsageError

LEAST_VOCABULARY = 256
"""Byte pairs begin from each single byte."""


@dataclass(frozen=True)
class Characters:
    """Each character is a token.

    Attributes:
        alphabet: those known, in the order of their numbers.

    Example:
        >>> tokens, numbers = Characters.of("abba")
        >>> numbers.tolist(), tokens.written([1, 0])
        ([0, 1, 1, 0], 'ba')
    """

    alphabet: str
    kind: ClassVar[str] = "characters"

    @classmethod
    def of(cls, text: str) -> "tuple[Characters, Tensor]":
        """Return a text's characters, and the number of each in the smallest type that does, shape (n,)."""
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        there = np.zeros(sys.maxunicode + 1, dtype=bool)
        there[code_points] = True
        alphabet = np.flatnonzero(there)
        dtype = np.uint8 if len(alphabet) <= 256 else np.int32
        number = np.zeros(sys.maxunicode + 1, dtype=dtype)
        number[alphabet] = np.arange(len(alphabet))
        return cls("".join(map(chr, alphabet))), torch.from_numpy(number[code_points])

    def __len__(self) -> int:
        return len(self.alphabet)

    @property
    def lengths(self) -> Tensor:
        """How many characters each token stands for, float64, shape (tokens,)."""
        return torch.ones(len(self), dtype=torch.float64)

    def numbers(self, text: str) -> Tensor:
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

    def written(self, numbers: Sequence[int]) -> str:
        """Return the text that tokens stand for."""
        return "".join(self.alphabet[k] for k in numbers)

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, "alphabet": self.alphabet}


@dataclass(frozen=True)
class BytePairs:
    """Each token is a byte, or two tokens that often stand side by side (Gage 1994; Sennrich et al. 2016).

    Any text can be written, whatever was learned from.

    Attributes:
        saved: what the package ``tokenizers`` keeps of it.

    Source: Sennrich et al. 2016, Neural machine translation of rare words with subword units,
    arXiv:1508.07909; on bytes as in Radford et al. 2019, Language models are unsupervised multitask learners.
    """

    saved: str = field(repr=False)
    kind: ClassVar[str] = "byte-pairs"

    @classmethod
    def of(cls, text: str, vocabulary: int) -> "BytePairs":
        """Learn which pairs are most frequent.

        Args:
            text: what they are counted in.
            vocabulary: how many tokens there are to be at most, the 256 bytes among them.

        Raises:
            UsageError: where the vocabulary is smaller than that.
            MissingExtra: where ``tokenizers`` is not installed.
        """
        if vocabulary <= LEAST_VOCABULARY:
            raise UsageError(
                f"a vocabulary of more than {LEAST_VOCABULARY} byte pairs",
                f"{vocabulary}",
                "take a larger one, or characters",
            )
        package = _package()
        learned = package.Tokenizer(package.models.BPE())
        learned.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
        learned.decoder = package.decoders.ByteLevel()
        trainer = package.trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        learned.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(learned.to_str())

    @cached_property
    def _tokenizer(self) -> Any:
        return _package().Tokenizer.from_str(self.saved)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    @property
    def lengths(self) -> Tensor:
        """How many characters each token stands for, by those that begin in it, float64, shape (tokens,)."""
        # The package writes each byte as a letter of its own; the bytes 0x80 to 0xBF begin no character.
        letters = {letter: byte for byte, letter in _letters().items()}
        texts = [self._tokenizer.id_to_token(k) for k in range(len(self))]
        begun = [sum(not 0x80 <= letters[c] < 0xC0 for c in text) for text in texts]
        return torch.tensor(begun, dtype=torch.float64)

    def numbers(self, text: str) -> Tensor:
        """Return the text's tokens, int64, shape (n,)."""
        return torch.tensor(self._tokenizer.encode(text).ids, dtype=torch.long)

    def written(self, numbers: Sequence[int]) -> str:
        """Return the text that tokens stand for; a part of a character is written as �."""
        return self._tokenizer.decode(list(numbers), skip_special_tokens=False)

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, "saved": self.saved}


Tokens = Characters | BytePairs


def tokens_from_json(saved: dict[str, Any]) -> Tokens:
    """Rebuild what ``to_json`` returned."""
    if saved["kind"] == BytePairs.kind:
        return BytePairs(saved["saved"])
    return Characters(saved["alphabet"])


def has_byte_pairs() -> bool:
    """Whether byte pairs can be learned: whether ``tokenizers`` is installed."""
    return find_spec("tokenizers") is not None


def _letters() -> dict[int, str]:
    """Return the letter that stands for each byte: itself where it can be seen, else one from 256 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {**{b: chr(b) for b in seen}, **{b: chr(256 + k) for k, b in enumerate(hidden)}}


def _package() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise MissingExtra("tokenizers", "text", "byte pairs") from None
    return tokenizers
