"""Texts as sets: the words that stand in them, pairs of neighbours, how words begin, what is negated.

Each is hashed to a number (Weinberger et al., "Feature hashing", arXiv:0902.2206), so that there is no
vocabulary to be learned, kept or outgrown: a word that was never seen has a number too, whose weights are
still zero.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from descend.functions.cells import text_of

if TYPE_CHECKING:
    import polars as pl

WORD_SLOTS = 2**17
"""Numbers that single words share; 0 is none of them."""
SLOTS = 2**19
"""Numbers in all: pairs, beginnings and the like share those above the words'."""
SCALE = 10.0
"""How long the vector is that a text becomes: so long that rates which suit numbers suit words."""
MOST_WORDS = 512
"""Words and marks of a text that are read; of a longer one the first and the last half as many."""
BEGINNINGS = (4, 5)
"""Letters of a longer word that count by themselves: disappoint-ed, -ing and -ment begin alike."""
FEWEST_WORDS = 5
"""Words in the median cell from which a column is a text."""
FEWEST_TEXTS = 30
"""Different cells from which a column can be a text."""
NEGATIONS = {"not", "no", "never", "nothing", "hardly", "without", "cannot"} | {
    *("nicht", "kein", "keine", "nie", "pas", "jamais", "nunca", "non", "não"),
}
"""What turns the words behind it round, to the end of the clause; beside all that ends in n't."""
ENDS = set(".,;:!?")
"""What a clause ends with."""
SILENT = set(".,;:")
"""Of these, what is no word; what is exclaimed or asked counts."""
# Chinese and Japanese put no spaces between words: each sign is one.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff][\w'’]*|[.,;:!?]")


def tokens_of(text: str) -> list[str]:
    """Return a text's words in order, in small letters, and the marks between them.

    Example:
        >>> tokens_of("Don't buy it! 太好")
        ["don't", 'buy', 'it', '!', '太', '好']
    """
    return _TOKEN.findall(text.lower().replace("’", "'"))


def features_of(tokens: Sequence[str]) -> list[str]:
    """Return what is in a text, each once: its words, pairs of neighbours, beginnings, words behind a *not*.

    Example:
        >>> features_of(["never", "bitter", ".", "good"])
        ['never', 'bitter', 'good', 'never bitter', 'bitter good', 'neve*', 'bitt*', 'bitte*', 'not: bitter']
    """
    words = [token for token in tokens if token not in SILENT]
    features = dict.fromkeys(words)
    features |= dict.fromkeys(f"{a} {b}" for a, b in pairwise(words))
    features |= dict.fromkeys(f"{word[:k]}*" for word in words for k in BEGINNINGS if len(word) > k)
    negated = False
    for token in tokens:
        if token in ENDS:
            negated = False
        elif negated:
            features[f"not: {token}"] = None
        negated = negated or token in NEGATIONS or token.endswith("n't")
    return list(features)


def _read(text: str | None) -> tuple[list[str], bool]:
    """Return the words and marks that are read, and whether there are more."""
    tokens = tokens_of(text or "")
    if len(tokens) <= MOST_WORDS:
        return tokens, False
    return tokens[: MOST_WORDS // 2] + tokens[-MOST_WORDS // 2 :], True


def _slot(column: str, feature: str) -> int:
    code = crc32(f"{column}\0{feature}".encode("utf-8", "surrogatepass"))
    if feature[-1] != "*" and " " not in feature:
        return 1 + code % (WORD_SLOTS - 1)
    return WORD_SLOTS + code % (SLOTS - WORD_SLOTS)


@dataclass(frozen=True)
class Words:
    """A column of texts.

    Attributes:
        name: the column's name; one word in two columns has two numbers.
    """

    kind: ClassVar[str] = "text"
    slots: ClassVar[int] = 0
    width: ClassVar[int] = 0
    name: str

    @classmethod
    def fit(cls, name: str, cells: "pl.Series") -> "Words | None":
        """Return the column, or nothing where the training cells are no texts: few, short, the same."""
        import polars as pl

        if cells.dtype != pl.String:
            return None
        there = text_of(cells).drop_nulls()
        different = there.n_unique()
        if different < FEWEST_TEXTS or 2 * different < len(there):
            return None
        sample = there.gather_every(max(1, len(there) // 200)).to_list()
        return (
            cls(name)
            if np.median([len(set(tokens_of(text)) - SILENT) for text in sample]) >= FEWEST_WORDS
            else None
        )

    def numbers(self, cells: "pl.Series") -> list[np.ndarray]:
        """Return of each cell the numbers of what is in it, each once, int32; none of a missing cell."""
        known: dict[str, int] = {}
        rows = []
        for text in text_of(cells):
            features = features_of(_read(text)[0])
            for feature in features:
                if feature not in known:
                    known[feature] = _slot(self.name, feature)
            rows.append(np.unique(np.fromiter(map(known.__getitem__, features), np.int32, len(features))))
        return rows

    def unknown(self, cells: "pl.Series", known: Tensor) -> list[int]:
        """Return how many different words of each cell have a number that is not ``known``, (SLOTS,)."""
        yes = known.tolist()
        return [
            sum(not yes[_slot(self.name, word)] for word in set(_read(text)[0]) - SILENT)
            for text in text_of(cells)
        ]

    def notes(self, cells: "pl.Series") -> list[str]:
        """Return what a person should know of these texts: how many are empty, how many are cut."""
        text = text_of(cells)
        empty = sum(not set(tokens_of(one or "")) - SILENT for one in text)
        cut = sum(_read(one)[1] for one in text)
        said = [f"{empty} of {len(text)} texts in {self.name} are empty"] if empty else []
        half = MOST_WORDS // 2
        longer = f"{cut} of {len(text)} texts in {self.name} are longer than {MOST_WORDS} words"
        return said + ([f"{longer}: their first and last {half} are read"] if cut else [])


def bags(columns: "Sequence[Words]", table: "pl.DataFrame") -> Tensor:
    """Return what is in the texts of each row.

    Args:
        columns: those that hold texts.
        table: a table that has them all.

    Returns:
        The numbers, int32 of shape (rows, most in a row), each row filled up with zeros.
    """
    parts = [column.numbers(table[column.name]) for column in columns]
    rows = [torch.from_numpy(np.concatenate(own)) for own in zip(*parts, strict=True)]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


class BagOfWords(nn.Module):
    """A linear function of what is in a text: (n, most) numbers as of :func:`bags` → (n, outputs).

    A text is a vector of length ``scale`` in which the rare weighs more (TF-IDF). In training a share of what
    is in it is left out by chance, anew each time, so that no single word decides. All weights are zero at
    first; what :meth:`weigh` was not shown has no weight at all.

    Args:
        outputs: numbers an answer.
        dropout: the share that is left out.
        scale: of the vector.

    Sources: Spärck Jones 1972, A statistical interpretation of term specificity, J. Documentation 28;
    Joachims 1998, Text categorization with support vector machines, ECML; Iyyer et al. 2015, Deep unordered
    composition rivals syntactic methods, ACL (leaving out words).
    """

    rarity: Tensor

    def __init__(self, outputs: int, dropout: float = 0.0, scale: float = SCALE):
        super().__init__()
        self.weights = nn.EmbeddingBag(SLOTS, outputs, mode="sum", padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("rarity", torch.zeros(SLOTS))
        self.dropout, self.scale = nn.Dropout(dropout), scale
        nn.init.zeros_(self.weights.weight)

    def weigh(self, bag: Tensor) -> None:
        """Learn from n texts how rare each thing in them is: 1 + log((1 + n) / (1 + texts that have it))."""
        counts = torch.bincount(bag.flatten().long(), minlength=SLOTS)
        rarity = 1 + ((1 + len(bag)) / (1 + counts)).log()
        self.rarity.copy_(torch.where(counts > 0, rarity, 0.0))
        self.rarity[0] = 0

    @property
    def known(self) -> Tensor:
        """Which numbers were in the texts to learn from, bool of shape (SLOTS,)."""
        return self.rarity > 0

    def forward(self, bag: Tensor) -> Tensor:
        """Return the outputs."""
        bag = bag[:, : max(1, int((bag > 0).sum(1).max()))]
        shares = self.rarity[bag]
        length = shares.square().sum(1, keepdim=True).clamp(min=1e-6).rsqrt()
        shares = self.dropout(self.scale * length * shares)
        return self.weights(bag, per_sample_weights=shares) + self.bias


class RowsAndWords(nn.Module):
    """A function of a row in which there are texts: that of its other columns, plus that of its words.

    Args:
        words: of the texts.
        rows: of the other columns; ``None`` where there are none.
        outputs: numbers an answer; 0 gives a bare number, of shape (rows,).
    """

    def __init__(self, words: BagOfWords, rows: nn.Module | None, outputs: int):
        super().__init__()
        self.words, self.rows, self.outputs = words, rows, outputs

    def forward(self, bag: Tensor, *others: Tensor) -> Tensor:
        """Return (rows,) or (rows, outputs), from a bag and what the other columns' function takes."""
        output = self.words(bag) if self.outputs else self.words(bag).squeeze(-1)
        return output if self.rows is None else output + self.rows(*others)
