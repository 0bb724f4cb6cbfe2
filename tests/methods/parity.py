"""How near every method is to someone else's, as one page of figures.

``python tests/methods/parity.py --write`` computes every cell and writes ``docs/parity.md``; without
``--write`` it prints the page, and names of methods after it print their rows alone. A cell is the largest
relative difference after 200 steps; ``COLUMNS`` says of what.
"""

import argparse
import io
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from cases import CASES, compared, copies, gradients, has, laid_out, lr, together
from pairs import Pair, Parameters, Reference, distances, feed, give_some

from descend.methods import TABLE
from descend.methods.method import EXECUTORS

STEPS = 200
PAGE = Path(__file__).resolve().parents[2] / "docs" / "parity.md"

Tensors = list[torch.Tensor]


def series(parameters: Parameters, size: float = 1.0) -> list[Tensors]:
    """Return the gradients of every step."""
    return [[size * g for g in found] for _, found in zip(range(STEPS), gradients(parameters), strict=False)]


def ours(name: str, parameters: Parameters, found: Iterable[Tensors], executor: str = "foreach") -> Any:
    """Take a step of ours for each of these gradients."""
    method = TABLE[name](parameters, executor=executor, **lr(name))
    for g in found:
        feed(CASES[name], parameters, g)
        method.step()
    return method


def theirs(name: str, parameters: Parameters, found: Iterable[Tensors], **hyperparameters: Any) -> Parameters:
    """Take a step of the reference for each of these gradients; return its parameters."""
    sure = Reference(name, [(parameters, hyperparameters)])
    for g in found:
        sure.along(g)
    return sure.parameters


def largest(mine: Iterable[torch.Tensor], sure: Iterable[torch.Tensor], start: Parameters) -> float:
    """Return the largest difference, relative to the larger of a tensor's largest numbers then and now."""
    found = distances(mine, sure, start)
    return math.nan if any(map(math.isnan, found)) else max(found)


# The cells --------------------------------------------------------------------------------------
def in_double(name: str) -> float:
    start = laid_out(name)
    found = series(start)
    return largest(descended(name, "foreach"), theirs(name, start, found), start)


@cache
def descended(name: str, executor: str) -> tuple[torch.Tensor, ...]:
    """Return the parameters after 200 steps in float64."""
    parameters = laid_out(name)
    ours(name, parameters, series(parameters), executor)
    return tuple(parameters)


def in_narrow(name: str, dtype: torch.dtype) -> tuple[float, float | None]:
    """Ours, and the reference's where it can run in this format, from the reference in float64."""
    start = laid_out(name, dtype)
    found = series(start)
    wide = [torch.nn.Parameter(p.detach().double()) for p in start]
    truth = theirs(name, wide, ([x.double() for x in g] for g in found))
    other = theirs(name, start, found) if CASES[name].narrow or dtype != torch.bfloat16 else None
    mine = copies(start)
    ours(name, mine, found)
    return largest(mine, truth, start), None if other is None else largest(other, truth, start)


def tiny(name: str) -> float:
    parameters = [torch.nn.Parameter(1e-8 * p.detach()) for p in laid_out(name)]
    start, found = copies(parameters), series(parameters, 1e-8)
    sure = theirs(name, parameters, found)
    ours(name, parameters, found)
    return largest(parameters, sure, start)


def experts(name: str) -> float:
    """Parameter i has a gradient in every (i + 1)-th step alone."""
    parameters = laid_out(name)
    start = copies(parameters)
    one_for_all = together(name)
    apart = [parameters] if one_for_all else [[p] for p in parameters]
    sure = [Reference(name, [(some, {})]) for some in apart]
    method = TABLE[name](parameters, **lr(name))
    for step, found in enumerate(series(parameters)):
        some = [g if step % (i + 1) == i else None for i, g in enumerate(found)]
        give_some(CASES[name], parameters, some)
        method.step()
        for i, one in enumerate(sure):
            part = some if one_for_all else [some[i]]
            if any(g is not None for g in part):
                one.along(part)
    return largest(parameters, [p for one in sure for p in one.parameters], start)


def decayed(name: str) -> float:
    parameters = laid_out(name)
    start, found = copies(parameters), series(parameters)
    pair = Pair(name, parameters, weight_decay=0.1)
    for g in found:
        pair.step(g)
    return largest(parameters, pair.sure.parameters, start)


def by_closure(name: str) -> float:
    """Down Σ w², which the method asks for itself."""
    parameters = laid_out(name)
    start = copies(parameters)
    pair = Pair(name, parameters)

    def closure(tensors: Parameters) -> Callable[[], torch.Tensor]:
        def evaluated() -> torch.Tensor:
            for p in tensors:
                p.grad = None
            loss = torch.stack([(p**2).sum() for p in tensors]).sum()
            loss.backward(create_graph=pair.case.graph)
            return loss.detach()

        return evaluated

    for _ in range(STEPS):
        pair.mine.step(closure(parameters))
        pair.sure.go(closure(pair.sure.parameters))
    return largest(parameters, pair.sure.parameters, start)


def resumed(name: str) -> float:
    """Ours, saved to a file half-way and loaded into a new one, from ours that went on."""
    parameters = laid_out(name)
    start, found = copies(parameters), series(parameters)
    method = ours(name, parameters, found[: STEPS // 2])
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    method = TABLE[name](parameters, executor="foreach")
    method.load_state_dict(torch.load(file, weights_only=True))
    for g in found[STEPS // 2 :]:
        feed(CASES[name], parameters, g)
        method.step()
    return largest(parameters, descended(name, "foreach"), start)


def between_executors(name: str) -> float:
    """The largest difference between any two executors."""
    results = [descended(name, executor) for executor in EXECUTORS]
    return max(largest(a, b, laid_out(name)) for a, b in itertools.combinations(results, 2))


COLUMNS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    # the column: its cell, the exception that a row may name, what it is
    "float64": (in_double, "", "both in float64, the same random gradients"),
    "float32": (
        lambda name: in_narrow(name, torch.float32),
        "float32",
        "ours in float32 from the reference **in float64** that starts from the same numbers and is given "
        "the same gradients; in brackets the reference's own distance, in float32, from that truth",
    ),
    "bfloat16": (
        lambda name: in_narrow(name, torch.bfloat16),
        "bfloat16",
        "the same with bfloat16 parameters, gradients and state: what is shown is mostly bfloat16, the "
        "brackets say how much",
    ),
    "tiny": (tiny, "tiny", "parameters and gradients near 1e-8, in float64"),
    "experts": (experts, "experts", "parameter i has a gradient in every (i + 1)-th step alone, in float64"),
    "decay": (decayed, "decay", "weight_decay 0.1, in float64"),
    "closure": (by_closure, "closure", "down Σ w² by a closure, in float64"),
    "resume": (
        resumed,
        "",
        "ours, saved half-way with `torch.save`, loaded with `torch.load(weights_only=True)`, from ours that "
        "went on",
    ),
    "executors": (between_executors, "", "the largest difference between any two of " + ", ".join(EXECUTORS)),
}


def why_not(name: str, column: str) -> str | None:
    """Return why a column does not apply to a method; ``None`` where it does."""
    if column == "decay" and not has(name, "weight_decay"):
        return "it has no weight decay"
    return CASES[name].without.get(COLUMNS[column][1])


def cells(name: str) -> dict[str, float | tuple[float, float | None] | None]:
    """Compute a method's row."""
    return {column: COLUMNS[column][0](name) if why_not(name, column) is None else None for column in COLUMNS}


# The page ---------------------------------------------------------------------------------------
def written(value: float) -> str:
    """Write a figure in one digit."""
    return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-").replace("e+00", "")


def read(text: str) -> list[float]:
    """Read the figures of a cell back; none of a dash."""
    return [float(x.strip("()")) for x in text.split() if not x.startswith("—")]


HEAD = """# How near every method is to someone else's

{intro}

```console
$ python tests/methods/parity.py --write
```

{versions}

| column | largest difference, relative |
|---|---|
{columns}

"""

INTRO = f"""\
Each row is a method of descend beside the same method from someone else's code, or from its paper's
equations written out as plain torch in `tests/methods/references/`; each cell is the largest difference
between their parameters after {STEPS} steps, relative to the tensor's largest number. `0` is equal bit for
bit. The five tensors are a matrix, a vector, a number, one without elements and one that is not contiguous
(five matrices, for methods that take nothing else); the gradients are random, and those of the last tensor
near 1e-8. Learning rates, bounds and exceptions stand in each method's row, `tests/methods/cases_*.py`.
Where nothing else is said, the portable executor runs ours."""

CHECKED = """\
`tests/methods/test_parity_page.py` computes every cell again, holds it within its row's bound, and fails
where a figure here is smaller than a tenth of what it finds."""

PACKAGES = (
    "pytorch_optimizer",
    "torch-optimi",
    "schedulefree",
    "prodigyopt",
    "lion-pytorch",
    "dadaptation",
    "dog-optimizer",
    "came-pytorch",
    "adam-mini",
    "psgd-torch",
    "kron-torch",
    "heavyball",
    "adan-pytorch",
    "muon-optimizer",
    "galore-torch",
    "torch_optimizer",
    "optax",
)
"""Packages that a row's source may name."""


def used() -> list[str]:
    """Return the packages that some row is compared with."""
    return [p for p in PACKAGES if any(p in CASES[name].source.split() for name in compared)]


def rows(names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        try:
            yield name, cells(name)
        except Exception as error:
            error.add_note(f"in the row of {name}")
            raise


def page(computed: Iterable[tuple[str, dict[str, Any]]]) -> str:
    """Write the page from computed rows."""
    notes: dict[str, int] = {}
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ["torch", *used()])
    columns = "\n".join(f"| {column} | {what} |" for column, (_, _, what) in COLUMNS.items())
    lines = [f"| method | reference | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, found in computed:
        texts = []
        for column, value in found.items():
            if (reason := why_not(name, column)) is not None:
                texts.append(f"—[^{notes.setdefault(reason, len(notes) + 1)}]")
            elif isinstance(value, tuple):
                mine, other = value
                texts.append(written(mine) + (f" ({written(other)})" if other is not None else ""))
            else:
                texts.append(written(value))
        lines.append(f"| {TABLE[name].__name__} | {CASES[name].source} | {' | '.join(texts)} |")
    versions = f"Printed with {versions.replace('+cpu', '')}. {CHECKED}".replace("\n", " ")
    head = HEAD.format(intro=INTRO.replace("\n", " "), versions=versions, columns=columns)
    table = "\n".join(lines)
    footnotes = "".join(f"\n[^{n}]: {reason.rstrip('.')}." for reason, n in notes.items())
    return f"{head}{table}\n" + (f"{footnotes}\n" if notes else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="methods whose rows to print; all by default")
    parser.add_argument("--write", action="store_true", help="write docs/parity.md")
    given = parser.parse_args()
    torch.set_num_threads(1)
    text = page(rows(given.names or compared))
    if given.write:
        PAGE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
