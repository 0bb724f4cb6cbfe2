"""The corpus: training programs with a known fault, and programs without one.

Each is one script in `faulty/` or `healthy/`; the header in its docstring says what it trains, how its
quality is read and, for a faulty one, the cause and the edits that repair it. What is in `practice/` is
only learned from.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("faulty", "healthy")
CAUSES = (
    "learning-rate-too-high",
    "learning-rate-too-low",
    "vanishing-gradients",
    "exploding-gradients",
    "dead-units",
    "saturated-units",
    "poor-initial-values",
    "symmetric-initial-values",
    "inputs-not-scaled",
    "targets-not-scaled",
    "missing-zero-grad",
    "softmax-before-cross-entropy",
    "missing-activation",
    "wrong-loss-sign",
    "loss-broadcast",
    "frozen-parameters",
    "parameters-not-in-optimizer",
    "optimizer-recreated",
    "training-in-eval-mode",
    "evaluating-in-train-mode",
    "labels-misaligned",
    "label-noise",
    "class-imbalance",
    "data-not-shuffled",
    "repeated-batch",
    "inputs-ignored",
    "not-finite",
    "gradient-clipped-away",
    "decay-too-strong",
    "learning-rate-decayed-to-zero",
    "momentum-too-high",
    "batch-too-small",
    "overfitting",
    "underfitting",
    "target-leak",
)


@dataclass(frozen=True)
class Edit:
    """Consecutive lines of a program, and the lines that replace them.

    Attributes:
        removed: the lines to find, without leading whitespace.
        added: what stands there instead, indented relative to the first removed line; may be empty.
    """

    removed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A program of the corpus, as its header describes it.

    Attributes:
        name: the file's name without `.py`.
        path: the file.
        kind: `faulty` or `healthy`.
        title: what is trained, one line.
        cause: the root cause, one of `CAUSES`; None for a healthy program.
        also: further causes that an expert would accept.
        begins: the first optimizer step, from 1, that the fault acts on; of evaluations, the one after the
            first that is made wrongly.
        family: the kind of model (`mlp`, `cnn`, ...).
        metric_name: what the last line that the program prints measures.
        higher_is_better: whether a higher metric is better.
        edits: the repair; empty for a healthy program.
    """

    name: str
    path: Path
    kind: str
    title: str
    cause: str | None
    also: tuple[str, ...]
    family: str
    metric_name: str
    higher_is_better: bool
    edits: tuple[Edit, ...]
    begins: int = 1


def programs(kind: str | None = None) -> list[Program]:
    """All programs, or those of one kind, sorted by kind and name.

    Args:
        kind: `faulty`, `healthy`, or None for both.

    Raises:
        ValueError: a header cannot be read; the message names the file.
    """
    return _read_all(HERE, kind)


def practice(kind: str | None = None) -> list[Program]:
    """Programs in `practice/`, which were written to learn from: no figure is measured on any of them."""
    return _read_all(HERE / "practice", kind)


def _read_all(folder: Path, kind: str | None) -> list[Program]:
    kinds = KINDS if kind is None else (kind,)
    return [read(path) for each in kinds for path in sorted((folder / each).glob("*.py"))]


@cache
def _set_aside() -> frozenset[str]:
    return frozenset((HERE / "set_aside.txt").read_text(encoding="utf-8").split())


def set_aside(name: str) -> bool:
    """Whether a program is kept for the final measurement, and no detector may be tuned on it.

    `set_aside.txt` was written once, before there was any detector: the programs of each cause, and the
    healthy ones, in the order of the SHA-256 digests of their names, every second one from the first (from
    the second in every other cause, so that causes with an odd number do not all favour one half). A program
    that comes later is added to it by the same rule among the new ones; none ever changes sides.
    """
    return name in _set_aside()


def read(path: Path) -> Program:
    """A program from the header in its docstring; its folder says its kind.

    Raises:
        ValueError: no docstring, a field that is missing or unknown, or a cause that is not of the list.
    """
    kind = path.parent.name
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path}: expected a docstring with the corpus's header, found none")
    title, *lines = docstring.splitlines()
    fields: dict[str, str] = {}
    repair: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("repair:"):
            repair = lines[number + 1 :]
            break
        if line.strip():
            key, _, value = line.partition(":")
            fields[key.strip()] = value.strip()
    required = {"family", "metric"} | ({"cause"} if kind == "faulty" else set())
    if missing := sorted(required - set(fields)):
        raise ValueError(f"{path}: the header lacks {', '.join(missing)}")
    if unknown := sorted(set(fields) - required - ({"also", "begins"} if kind == "faulty" else set())):
        raise ValueError(f"{path}: the header has the unknown field {unknown[0]!r}")
    also = tuple(name.strip() for name in fields.get("also", "").split(",") if name.strip())
    cause = fields.get("cause")
    for name in (*also, *([cause] if cause is not None else [])):
        if name not in CAUSES:
            raise ValueError(f"{path}: {name!r} is not among the causes")
    metric, _, better = (part.strip() for part in fields["metric"].rpartition(","))
    if not metric or better not in ("higher", "lower"):
        raise ValueError(f"{path}: expected `metric: NAME, higher|lower`, found {fields['metric']!r}")
    begins = fields.get("begins", "1")
    if not begins.isdigit() or int(begins) < 1:
        raise ValueError(f"{path}: expected `begins: STEP`, a whole number from 1, found {begins!r}")
    edits = _edits(repair, path)
    if (kind == "faulty") != bool(edits):
        raise ValueError(f"{path}: a faulty program has a repair, a healthy one has none")
    higher, family = better == "higher", fields["family"]
    return Program(path.stem, path, kind, title, cause, also, family, metric, higher, edits, int(begins))


def repaired(program: Program) -> str:
    """The program's source with its edits applied.

    Every edit is looked for in the file as it stands, below the docstring.

    Raises:
        ValueError: the removed lines of an edit are not found, are found twice, or two edits overlap.
    """
    source = program.path.read_text(encoding="utf-8")
    lines = source.splitlines()
    first = ast.parse(source).body[0].end_lineno or 0
    stripped = [line.strip() for line in lines]
    places: list[tuple[int, Edit]] = []
    for edit in program.edits:
        size = len(edit.removed)
        found = [
            i for i in range(first, len(lines) - size + 1) if tuple(stripped[i : i + size]) == edit.removed
        ]
        if len(found) != 1:
            text = " / ".join(edit.removed)
            raise ValueError(f"{program.path}: {text!r} occurs {len(found)} times, expected exactly once")
        places.append((found[0], edit))
    end = len(lines)
    for place, edit in sorted(places, key=lambda item: item[0], reverse=True):
        if place + len(edit.removed) > end:
            raise ValueError(f"{program.path}: two edits overlap at {lines[place].strip()!r}")
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines[place : place + len(edit.removed)] = [(indent + line).rstrip() for line in edit.added]
        end = place
    return "\n".join(lines) + "\n"


def _edits(lines: list[str], path: Path) -> tuple[Edit, ...]:
    """The blocks of a repair: removed lines, then added lines; an empty line also ends a block."""
    blocks: list[tuple[list[str], list[str]]] = []
    fresh = True
    for line in map(str.strip, lines):
        sign, text = line[:1], line[2:]
        if sign == "-":
            if fresh or blocks[-1][1]:
                blocks.append(([], []))
            blocks[-1][0].append(text.strip())
            fresh = False
        elif sign == "+" and not fresh:
            blocks[-1][1].append(text)
        elif line:
            raise ValueError(f"{path}: expected `- ` or `+ ` lines in the repair, found {line!r}")
        else:
            fresh = True
    return tuple(Edit(tuple(removed), tuple(added)) for removed, added in blocks)
