"""A rule in as few passes over memory as its equations allow, on the CPU.

Each path through a rule's branches is compiled once for the number formats at hand (:mod:`.stages`,
:mod:`.cpu.machine`, :mod:`.cpu.compiled`). Here a step's tensors are sorted into jobs that one such code can
take, and the code is run on threads, torch's own. Numbers narrower than float32 are computed with in float32
and rounded once, when they are stored. What has no such code (another device, another format) is run by
:mod:`.foreach`, in the same step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from operator import attrgetter
from typing import Any

from torch import Tensor

from descend.methods.executors import foreach, sharded
from descend.methods.executors.cpu.code import Code, code
from descend.methods.executors.cpu.job import Job
from descend.methods.executors.cpu.machine import BYTES
from descend.methods.executors.cpu.plan import Plan
from descend.methods.rule import Batch, Rule

_dtype = attrgetter("dtype")

TOGETHER = 1 << 22
"""Elements that are taken at once where temporaries are needed: 16 MiB a temporary."""

_FORMATS = set(BYTES)


def run(rule: Rule, batches: Sequence[Batch]) -> None:
    """Take one step, writing into what the batches hold.

    Args:
        rule: the equations.
        batches: one a parameter group (and form).
    """
    running: list[Generator[Tensor, Tensor, None]] = []
    jobs: list[Job] = []
    rest: list[Batch] = []
    for batch in batches:
        for part in _local(rule, batch, rest):
            jobs += _jobs(rule, part, rest)
    for job in jobs:
        if job.code.graph.totals:
            running.append(job.phases())
        else:
            for _ in job.phases():
                raise AssertionError("a rule without totals does not stop")
    if rest:
        foreach.run(rule, rest, running)
    elif running:
        foreach.together(running)
    for job in jobs:
        job.finish()


def _jobs(rule: Rule, batch: Batch, rest: list[Batch]) -> Iterable[Job]:
    """Sort the tensors of a batch by path and number formats; what has no code goes to ``rest``."""
    found = _one_code(rule, batch)
    if found is None or found.temporaries:
        yield from _sorted_jobs(rule, batch, rest)
    else:
        yield _job(found, batch)


def _one_code(rule: Rule, batch: Batch) -> Code | None:
    """Return the one code that can take all tensors of a batch as they lie in memory, if there is one."""
    h, steps = batch.hyperparameters, batch.steps
    formats = []
    for values in (batch.w, batch.g, *batch.kept.values()):
        found = set(map(_dtype, values))
        if len(found) != 1 or not found <= _FORMATS or not _plain(values):
            return None
        formats.append(found.pop())
    first = code(rule, h, steps[0], batch.form, tuple(formats))
    one_path = min(steps) == max(steps) or (
        not first.by_step and all(first.holds(h, step) for step in set(steps))
    )
    return first if one_path else None


def _job(found: Code, batch: Batch) -> Job:
    places = {"w": batch.w, "g": batch.g, **batch.kept}
    return Job(found, places, batch.steps, batch.hyperparameters, True)


def _sorted_jobs(rule: Rule, batch: Batch, rest: list[Batch]) -> Iterable[Job]:
    lists = {"w": batch.w, "g": batch.g, **batch.kept}
    for_all = {name for name in batch.kept if rule.kept[name].kind == "all"}
    h = batch.hyperparameters
    groups: dict[Any, tuple[Code, list[int]]] = {}
    others: list[int] = []
    bucket, filled = 0, 0
    for i, step in enumerate(batch.steps):
        own = {n: v[0 if n in for_all else i] for n, v in lists.items()}
        formats = tuple(x.dtype for x in own.values())
        if not all(x.is_cpu and x.dtype in _FORMATS and type(x) in sharded.PLAIN for x in own.values()):
            others.append(i)
            continue
        found = code(rule, h, step, batch.form, formats)
        if found.temporaries:
            filled += batch.w[i].numel()
            if filled > TOGETHER:
                bucket, filled = bucket + 1, batch.w[i].numel()
        key = (id(found), bucket if found.temporaries else None, step if found.by_step else None)
        groups.setdefault(key, (found, []))[1].append(i)
    writes = not others
    for found, index in groups.values():
        places = {n: v if n in for_all else [v[i] for i in index] for n, v in lists.items()}
        yield Job(found, places, [batch.steps[i] for i in index], h, writes or index[0] == 0)
        writes = False
    if others:
        kept = {
            n: [x.clone() for x in v]
            if n in for_all and groups
            else [v[i] for i in ([0] if n in for_all else others)]
            for n, v in batch.kept.items()
        }
        steps = [batch.steps[i] for i in others]
        rest.append(
            Batch([batch.w[i] for i in others], [batch.g[i] for i in others], kept, steps, h, batch.form)
        )


def plan(rule: Rule, batch: Batch, only: bool) -> Plan | None:
    """Return a plan for steps like this one; ``None`` where they need more than that.

    Args:
        rule: the equations.
        batch: what the step worked on.
        only: whether there was no other batch, so that totals are over this one.
    """
    found = _one_code(rule, batch)
    if found is None or not found.repeatable or (found.graph.totals and not only):
        return None
    return Plan(_job(found, batch))


def _plain(values: Sequence[Tensor]) -> bool:
    return (
        set(map(type, values)) <= sharded.PLAIN
        and all(map(Tensor.is_contiguous, values))
        and all(x.is_cpu for x in values)
    )


def _local(rule: Rule, batch: Batch, rest: list[Batch]) -> list[Batch]:
    """Take sharded tensors as this process's parts, where the equations are elementwise throughout.

    Norms, totals and functions of whole tensors need the other parts: :mod:`.foreach` meets with them.
    """
    if sharded.whole_here(batch.w):
        return [batch]
    found = []
    for part in sharded.local(rule, batch):
        h, steps = batch.hyperparameters, set(part.steps)
        parts = isinstance(part, sharded.LocalBatch)
        if parts and any(foreach.program(rule, h, step, part.form, True).reaches for step in steps):
            rest.append(part)
        else:
            found.append(part)
    return found
