"""The table of the parameters: each layer's output, and how many numbers it has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from descend.diagnosing.inspecting.calls import Look, layers


@dataclass
class Row:
    """One module that is called, or that has parameters of its own.

    Attributes:
        name: as ``named_modules`` has it; empty for the function itself.
        kind: its class.
        output: the shape of what it gave for the first batch; ``None`` where it was not called.
        parameters: numbers it has; one that several modules share counts where it comes first.
        trainable: how many of them are descended on.
        buffers: numbers that are kept and not descended on.
        dtype: of its parameters; empty where it has none.
        bytes: of parameters and buffers.
        calls: how often it was called.
        unused: whether it is a layer that was never called.
        flops: of one forward of the batch, as far as they are counted.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None = None
    parameters: int = 0
    trainable: int = 0
    buffers: int = 0
    dtype: str = ""
    bytes: int = 0
    calls: int = 0
    unused: bool = False
    flops: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**vars(self), "output": None if self.output is None else list(self.output)}


@dataclass
class Shapes:
    """The table, and its sums.

    Attributes:
        rows: in the function's order.
        batch: examples of the batch that the outputs are of.
    """

    rows: list[Row] = field(default_factory=list)
    batch: int = 0

    @property
    def parameters(self) -> int:
        """All parameters, each once."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """Those that are descended on."""
        return sum(row.trainable for row in self.rows)

    @property
    def bytes(self) -> int:
        """Of all parameters and buffers."""
        return sum(row.bytes for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "layers": [row.as_json() for row in self.rows],
            "parameters": self.parameters,
            "trainable": self.trainable,
            "bytes": self.bytes,
            "batch": self.batch,
        }

    def alike(self) -> list[tuple[Row, int]]:
        """Return rows without those that differ from another in the numbers of their names alone.

        Returns:
            A row for each kind of them, named ``blocks.*.mix``, and how many there are.
        """
        found: dict[tuple[Any, ...], tuple[Row, int]] = {}
        for row in self.rows:
            pattern = re.sub(r"(?<![^.])\d+(?![^.])", "*", row.name)
            rest = {k: v for k, v in vars(row).items() if k != "name"}
            key = (pattern, *rest.values())
            first, count = found.get(key, (row, 0))
            found[key] = first, count + 1
        named = {key: re.sub(r"(?<![^.])\d+(?![^.])", "*", key[0]) for key in found}
        # One alone keeps its number; several are one only where they lie in parts that are repeated.
        return [
            (Row(**{**vars(row), "name": named[key] if count > 1 else row.name}), count)
            for key, (row, count) in found.items()
        ]


def shapes(seen: Look, flops: dict[str, int], examples: int) -> Shapes:
    """Make the table.

    Args:
        seen: what was seen.
        flops: by module's name, of one forward.
        examples: of the batch.
    """
    function, called = seen.function, layers(seen.function)
    outputs = {call.name: call.shape for call in seen.calls if call.module is not None}
    if seen.output is not None:
        outputs[""] = tuple(seen.output.shape)
    counted: set[Tensor] = set()
    found = Shapes(batch=examples)
    for name, module in function.named_modules():
        own = [p for p in module.parameters(recurse=False) if p not in counted]
        if not (module in called or own or list(module.buffers(recurse=False))):
            continue
        calls = sum(call.module is module for call in seen.calls)
        buffers = [b for b in module.buffers(recurse=False) if b not in counted]
        counted.update(own, buffers)
        found.rows.append(
            Row(
                name,
                type(module).__name__,
                outputs.get(name),
                sum(p.numel() for p in own),
                sum(p.numel() for p in own if p.requires_grad),
                sum(b.numel() for b in buffers),
                ", ".join(sorted({str(p.dtype).removeprefix("torch.") for p in own})),
                sum(x.numel() * x.element_size() for x in (*own, *buffers)),
                calls,
                module in called and not calls,
                flops.get(name, 0),
            )
        )
    return found
