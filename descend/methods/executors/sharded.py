"""Sharded parameters: each process works on its own part, and all meet where equations reach farther.

Elementwise words need nothing from elsewhere. A norm, a mean or a total is summed here and then over the
processes, one all-reduce for all tensors that go together. A function of whole tensors is given them
gathered, on every process alike, and each keeps its part of the result; ``matrix`` state is whole on every
process, and the same. So numbers that are one for all, or one a tensor, come out equal everywhere.

Processes must come to the same sums in the same order: they do, because tensors are sorted by step counts,
dtypes and forms, which are the same on all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from descend.errors import UsageError
from descend.methods.equations import share
from descend.methods.executors.formats import opened
from descend.methods.executors.program import _Writer
from descend.methods.executors.stages import ELEMENT, Stages
from descend.methods.rule import Batch, Rule
from descend.methods.trace import Graph, Value
from descend.parameters.formats import exponents_shape


@dataclass(frozen=True)
class Part:
    """How a parameter is shared out: over which processes, along which dimensions.

    Attributes:
        mesh: the processes.
        placements: for each dimension of the mesh, what of the parameter a process has.
        shape: of the whole parameter.
        stride: of the whole parameter.
    """

    mesh: Any
    placements: tuple[Any, ...]
    shape: torch.Size
    stride: tuple[int, ...]

    @classmethod
    def of(cls, w: Any) -> Part | None:
        """Return how ``w`` is shared out; ``None`` where this process has all of it."""
        if not sharded(w):
            return None
        if any(p.is_partial() for p in w.placements):
            raise UsageError("sharded or replicated parameters", f"one placed {w.placements}", "")
        return cls(w.device_mesh, tuple(w.placements), w.shape, w.stride())

    @property
    def kin(self) -> tuple[Any, ...]:
        """Return what tensors must have in common to go together."""
        return self.mesh, self.placements

    def local(self, x: Any, name: str) -> Tensor:
        """Return this process's part of a gradient, or of what is kept for each element."""
        if not sharded(x):
            raise UsageError(
                f"{name} sharded as its parameter",
                f"a tensor of its own, of shape {tuple(x.shape)}",
                "load the state with torch.distributed.checkpoint.state_dict.set_optimizer_state_dict",
            )
        if name == "g" and tuple(x.placements) != self.placements:
            x = x.redistribute(self.mesh, self.placements)
        found = x.to_local()
        return found.wait() if hasattr(found, "wait") else found

    def full(self, x: Tensor) -> Tensor:
        """Gather a tensor of which every process has its part."""
        from torch.distributed.tensor import DTensor

        shape, stride = self.shape, self.stride
        return DTensor.from_local(
            x, self.mesh, self.placements, run_check=False, shape=shape, stride=stride
        ).full_tensor()

    def share_out(self, x: Tensor) -> Any:
        """Shard a tensor that every process has whole."""
        from torch.distributed.tensor import DTensor, Replicate

        everywhere = [Replicate()] * self.mesh.ndim
        whole = DTensor.from_local(x, self.mesh, everywhere, run_check=False)
        return whole.redistribute(self.mesh, self.placements)

    def wrapped(self, x: Tensor) -> Any:
        """Return this process's part of something of the parameter's shape as a sharded tensor."""
        from torch.distributed.tensor import DTensor

        shape, stride = self.shape, self.stride
        return DTensor.from_local(x, self.mesh, self.placements, run_check=False, shape=shape, stride=stride)

    def exponents(self, w: Any) -> Any:
        """Return room for the exponents of a parameter's blocks, sharded by rows as it is.

        Raises:
            UsageError: where it is not sharded by rows: a process would have parts of blocks.
        """
        from torch.distributed.tensor import DTensor

        if any(p.is_shard() and p.dim != 0 for p in self.placements):
            raise UsageError(
                'parameters sharded by rows for state_format="8-bit"',
                f"one placed {self.placements}",
                'take state_format="bfloat16" for it',
            )
        shape = torch.Size(exponents_shape(tuple(self.shape)))
        local = torch.zeros((w.to_local().shape[0], shape[1]), dtype=torch.uint8, device=w.device)
        return DTensor.from_local(
            local, self.mesh, self.placements, run_check=False, shape=shape, stride=(shape[1], 1)
        )

    def indices(self, x: Tensor) -> Tensor:
        """Return the index, in the whole parameter, of each element of this process's part, as int32."""
        from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

        found = torch.zeros((), dtype=torch.int64, device=x.device)
        _, offset = compute_local_shape_and_global_offset(self.shape, self.mesh, self.placements)
        stride = 1
        for d in reversed(range(x.ndim)):
            places = (torch.arange(x.shape[d], device=x.device) + offset[d]) * stride
            found = found + places.view(-1, *[1] * (x.ndim - 1 - d))
            stride *= self.shape[d]
        return found.to(torch.int32).expand(x.shape)

    def offset(self) -> int | None:
        """Return the index of the first element of this process's part, where it is of whole rows."""
        from torch.distributed.tensor import Replicate, Shard
        from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

        if any(type(p) is not Replicate and not (type(p) is Shard and p.dim == 0) for p in self.placements):
            return None
        _, first = compute_local_shape_and_global_offset(self.shape, self.mesh, self.placements)
        return first[0] * self.shape[1:].numel()

    def own(self, x: Tensor) -> Tensor:
        """Return this process's part of a tensor that every process has whole."""
        return self.share_out(x).to_local()


def sharded(x: Any) -> bool:
    """Whether a tensor is one of ``torch.distributed.tensor``."""
    return hasattr(x, "to_local")


def here(x: Any) -> Tensor:
    """Return this process's part of a tensor, which may be all of it."""
    return x.to_local() if sharded(x) else x


PLAIN = {Tensor, Parameter}
"""What a tensor is that holds its own numbers, in memory that it may be taken by the address of."""


def whole_here(tensors: Sequence[Tensor]) -> bool:
    """Whether this process has all of each of these tensors."""
    return set(map(type, tensors)) <= PLAIN or not any(map(sharded, tensors))


@dataclass(slots=True)
class LocalBatch(Batch):
    """The parts that this process has of a batch's tensors.

    Attributes:
        parts: how each parameter is shared out.
    """

    parts: list[Part] = field(default_factory=list)


def local(rule: Rule, batch: Batch) -> list[Batch]:
    """Take a batch apart into plain tensors: those that are whole here, and parts of those that are not."""
    if whole_here(batch.w):
        return [batch]
    parts = [Part.of(w) for w in batch.w]
    groups: dict[Any, list[int]] = {}
    for i, part in enumerate(parts):
        groups.setdefault(None if part is None else part.kin, []).append(i)
    found: list[Batch] = []
    for key, index in groups.items():
        lists = {"w": batch.w, "g": batch.g, **batch.kept}
        for name, values in lists.items():
            kind = rule.kept[name].kind if name in batch.kept else "elementwise"
            if kind == "all":  # all need the old numbers, whichever is done first, and one writes the new
                lists[name] = [x.clone() for x in values] if found else values
            elif kind == "elementwise" and key is not None:
                lists[name] = [part.local(values[i], name) for i in index if (part := parts[i])]
            else:
                lists[name] = [values[i] for i in index]
        kept = {name: lists[name] for name in batch.kept}
        steps = [batch.steps[i] for i in index]
        stored = batch.stored and batch.stored.at(index)
        common = (lists["w"], lists["g"], kept, steps, batch.hyperparameters, batch.form, stored)
        if key is None:
            found.append(Batch(*common))
        else:
            if stored:
                stored.beside = {n: list(map(here, values)) for n, values in stored.beside.items()}
            found.append(LocalBatch(*common, parts=[part for i in index if (part := parts[i])]))
    return found


def offsets(batch: Batch) -> list[int] | None:
    """Return where each part begins in its parameter; ``None`` where some part's rows are not whole ones."""
    if not isinstance(batch, LocalBatch):
        return [0] * len(batch.w)
    found = [part.offset() for part in batch.parts]
    return None if None in found else [n for n in found if n is not None]


def local_and_opened(rule: Rule, batches: Sequence[Batch]) -> tuple[list[Batch], list[Callable[[], None]]]:
    """Take batches apart as :func:`local`, and open places in other number formats.

    Returns:
        The batches, and what stores their results again, each to be called after the step.
    """
    found, closing = [], []
    for part in [part for batch in batches for part in local(rule, batch)]:
        parts = part.parts if isinstance(part, LocalBatch) else None
        plain, close = opened(part, None if parts is None else lambda i, x, parts=parts: parts[i].indices(x))
        found.append(plain)
        closing.append(close)
    return found, closing


def gathered(rule: Rule, batches: Sequence[Batch]) -> tuple[list[Batch], list[tuple[Part, Tensor, Tensor]]]:
    """Return batches of whole tensors, and what is to be written back: (how, where to, what).

    Args:
        rule: the equations.
        batches: from :func:`local_and_opened`.
    """
    found: list[Batch] = []
    back: list[tuple[Part, Tensor, Tensor]] = []
    for batch in batches:
        if isinstance(batch, LocalBatch):
            lists = {"w": batch.w, "g": batch.g, **batch.kept}
            for name, values in lists.items():
                if name in ("w", "g") or rule.kept[name].kind == "elementwise":
                    lists[name] = [part.full(x) for part, x in zip(batch.parts, values, strict=True)]
                    if name != "g":
                        back += zip(batch.parts, values, lists[name], strict=True)
            kept = {name: lists[name] for name in batch.kept}
            batch = Batch(lists["w"], lists["g"], kept, batch.steps, batch.hyperparameters, batch.form)
        found.append(batch)
    return found, back


class Meeting:
    """Where processes meet in a program: sums of the parts of tensors that go together.

    Args:
        parts: how each is shared out; mesh and placements are the same.
    """

    def __init__(self, parts: Sequence[Part]):
        self.parts = parts
        first = parts[0]
        self._groups = [
            first.mesh.get_group(i) for i, p in enumerate(first.placements) if not p.is_replicate()
        ]

    def _summed(self, numbers: Tensor) -> Tensor:
        """Sum over the processes. A few numbers cost nothing: they are summed in double."""
        numbers = numbers.double()
        for group in self._groups:
            torch.distributed.all_reduce(numbers, group=group)
        return numbers

    def _squares(self, x: list[Tensor]) -> Tensor:
        wide = torch.promote_types(x[0].dtype, torch.float32)
        return self._summed(torch.stack(torch._foreach_norm(x, 2, wide)).double().square())

    def _sizes(self, like: Tensor) -> Tensor:
        return torch.tensor([part.shape.numel() for part in self.parts], dtype=like.dtype, device=like.device)

    def norm(self, x: list[Tensor]) -> list[Tensor]:
        """Return the norm of each whole tensor."""
        return list(self._squares(x).sqrt().to(x[0].dtype).unbind())

    def mean(self, x: list[Tensor]) -> list[Tensor]:
        """Return the mean of each whole tensor."""
        sums = self._summed(torch.stack([share(a) for a in x]))
        return list((sums / self._sizes(sums)).to(x[0].dtype).unbind())

    def mean_square(self, x: list[Tensor]) -> list[Tensor]:
        """Return the mean of the squares of each whole tensor."""
        squares = self._squares(x)
        return list((squares / self._sizes(squares)).to(x[0].dtype).unbind())

    def total(self, x: list[Tensor]) -> Tensor:
        """Return these tensors' share of a total."""
        here = torch.stack([share(a) for a in x]).sum()
        return self._summed(here).to(here.dtype)


class Writer(_Writer):
    """Chooses the calls for parts of tensors; ``over`` is the :class:`Meeting`."""

    parameters = ", over"

    def __init__(self, graph: Graph):
        self._stages = Stages(graph)
        for name, kept in graph.kept.items():
            if kept.kind == "matrix" and self._stages.shape_class(graph.input(name)) == "w":
                raise UsageError(
                    f"elementwise state of the parameter's shape as {name}",
                    "a matrix beside a sharded parameter",
                    "declare it as elementwise",
                )
        super().__init__(graph)

    def _here(self, v: Value) -> bool:
        """Whether this process has but its part of ``v``: of what has the parameter's own shape."""
        return self._level(v) == ELEMENT and self._stages.shape_class(v) == "w"

    def _emit_mean_square(self, v: Value) -> None:
        squared = v.args[0].args
        if not self._here(squared[0]):
            super()._emit_mean_square(v)
            return
        self._take(*squared)
        self._name(v, f"over.mean_square({self.names[id(squared[0])]})")

    def _emit_other(self, v: Value) -> None:
        a = v.args[0]
        if v.op.startswith(("whole", "reduce")) and any(map(self._here, (v, *v.args))):
            self._emit_whole(v)
        elif v.op in ("norm", "mean") and self._here(a):
            self._name(v, f"over.{v.op}({self.names[id(a)]})")
        elif v.op == "total" and self._here(a):
            self.cuts = True
            self._name(v, f"[(yield over.total({self.names[id(a)]}))]", owned=False)
        else:
            super()._emit_other(v)

    def _emit_whole(self, v: Value) -> None:
        """A function of tensors that are gathered one after the other, never all at once."""
        function = self._function(v)
        gathers = not getattr(function, "of_any_part", False)  # where only the number format counts
        xs = [f"x{i}" for i in range(len(v.args))]
        given = ", ".join(
            f"p.full({x})" if gathers and self._here(a) else x for x, a in zip(xs, v.args, strict=True)
        )
        operands = ", ".join(self._operand(a, self._level(v)) for a in v.args)
        first = v.args[0]
        in_place = hasattr(function, "in_place") and self._free(first) and not self._here(first)
        host = self._host(v.host) if v.host is not None else "()"
        call = f"{v.op}{'.in_place' if in_place else ''}({given}, *{host})"
        if self._here(v):
            call = f"p.own({call})"
        results = f"[{call} for p, {', '.join(xs)} in zip(over.parts, {operands})]"
        if in_place:  # it hands back its first argument
            self.lines.append(results)
            self.names[id(v)], self.owned[id(v)] = self.names[id(first)], False
        else:
            self._name(v, results, owned=False)
