"""A rule over lists of tensors, for any device: one call for all tensors of an operation.

Each path through a rule's branches is compiled once (:mod:`.program`). Here tensors are brought into
lists that one run of a program can take.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from descend.methods.executors import sharded
from descend.methods.executors.formats import widest
from descend.methods.executors.paths import on_path
from descend.methods.executors.program import Program
from descend.methods.rule import Batch, Rule
from descend.methods.trace import trace

_programs: dict[tuple[Rule, str | None, bool], list[Program]] = {}


def program(
    rule: Rule,
    hyperparameters: Mapping[str, Any],
    step: int = 1,
    form: str | None = None,
    parts: bool = False,
) -> Program:
    """Return the program of a rule under these hyperparameters in this step, compiled once.

    Args:
        rule: the equations.
        hyperparameters: by torch's names; they and ``step`` decide which branches it takes.
        step: the parameters' own count.
        form: the parameters' form.
        parts: whether it is for parts of tensors, which meet those of other processes.
    """
    paths = _programs.setdefault((rule, form, parts), [])
    writer = sharded.Writer if parts else None
    make = lambda: Program(trace(rule, hyperparameters, step, form), writer)  # noqa: E731
    return on_path(paths, hyperparameters, step, make)


def run(
    rule: Rule, batches: Sequence[Batch], running: Sequence[Generator[Tensor, Tensor, None]] = ()
) -> None:
    """Take one step, writing into what the batches hold.

    Args:
        rule: the equations.
        batches: one a parameter group.
        running: programs of another executor for other tensors of the same step, to meet at totals.
    """
    running = list(running)
    here, closing = sharded.local_and_opened(rule, batches)
    jobs = [job for batch in here for job in _jobs(rule, batch)]
    for job in jobs:
        h = job.batch.hyperparameters
        over = job.over
        compiled = program(rule, h, job.step, job.batch.form, bool(over))
        result = compiled.step(*job.lists.values(), compiled.constants(h, job.step), *over)
        if compiled.cuts:
            running.append(result)
    if running:
        together(running)
    for job in jobs:
        for place, values in job.stores:
            torch._foreach_copy_(place, values)
    for close in closing:
        close()


@dataclass(slots=True)
class _Job:
    """Tensors of a batch that one run of a program can take.

    Attributes:
        batch: where they are from.
        step: the step count of each.
        lists: what the program is given: ``w``, ``g``, and what is kept.
        stores: (where to, what) is still to be copied afterwards.
        index: which tensors of the batch they are.
    """

    batch: Batch
    step: int
    lists: dict[str, list[Tensor]]
    stores: list[tuple[list[Tensor], list[Tensor]]]
    index: Sequence[int]

    @property
    def over(self) -> tuple[sharded.Meeting, ...]:
        """Where parts of tensors meet those of other processes; nothing where tensors are whole."""
        if not isinstance(self.batch, sharded.LocalBatch):
            return ()
        return (sharded.Meeting([self.batch.parts[i] for i in self.index]),)


def _jobs(rule: Rule, batch: Batch) -> Iterator[_Job]:
    """Group tensors by step count, device and number formats.

    An expert that was not used for a while is corrected for its own steps, not for the others'.
    """
    lists = {"w": batch.w, "g": batch.g, **batch.kept}
    everything = [x for values in lists.values() for x in values]
    if (
        len(set(batch.steps)) == 1
        and len({x.dtype for x in everything}) == 1
        and len({x.device for x in everything}) == 1
    ):
        yield _Job(batch, batch.steps[0], lists, [], range(len(batch.w)))
        return
    for_all = {name for name in batch.kept if rule.kept[name].kind == "all"}
    groups: dict[Any, list[int]] = {}
    for i, w in enumerate(batch.w):
        dtypes = tuple(values[i].dtype for name, values in lists.items() if name not in for_all)
        groups.setdefault((batch.steps[i], w.device, dtypes), []).append(i)
    for (step, device, _), index in groups.items():
        places = {n: v if n in for_all else [v[i] for i in index] for n, v in lists.items()}
        dtype = widest(values[0] for values in places.values())
        job = _Job(batch, step, {}, [], index)
        for name, place in places.items():
            # Each group needs the old numbers for all, whichever is done first, and one writes the new.
            own = name in for_all
            job.lists[name] = values = [x.to(device, dtype, copy=own) for x in place]
            if name != "g" and (index[0] == 0 if own else place[0].dtype != dtype):
                job.stores.append((place, values))
        yield job


def together(running: list[Generator[Tensor, Tensor, None]]) -> None:
    """Drive programs with totals side by side: at each cut, all shares are summed and handed back."""
    shares = [next(r) for r in running]
    while shares:
        whole = torch.stack([x.to(shares[0].device) for x in shares]).sum()
        following = []
        for r, part in zip(running, shares, strict=True):
            try:
                following.append(r.send(whole.to(part.device)))
            except StopIteration:
                continue
        shares = following
