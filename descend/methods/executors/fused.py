"""A rule in as few passes over memory as its equations allow, on CPUs and on CUDA devices.

Each path through a rule's branches is compiled once for the number formats at hand (:mod:`.stages`), by the
engine of the device (:mod:`.engines`). Here a step's tensors are sorted into jobs that one such code can
take. Numbers narrower than float32 are computed with in float32 and rounded once, when they are stored. What
has no such code (another device, another format) is run by :mod:`.foreach`, in the same step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.executors import foreach, sharded
from descend.methods.executors.engines import ENGINES, FORMATS, Engine, Job, Plan, engine
from descend.methods.executors.numbered import Traced
from descend.methods.rule import Batch, Replayed, Rule
from descend.parameters.formats import Format

_dtype, _device = attrgetter("dtype"), attrgetter("device")


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
        for unscaled in _unscaled(rule, batch):
            for part in _local(rule, unscaled, rest):
                jobs += _jobs(rule, part, rest)
    replayed = any(batch.replayed is not None for batch in batches)
    engines = {engine(w.device) for batch in batches for w in batch.w} if replayed else set()
    if replayed and (rest or not all(e is not None and e.replays for e in engines)):
        raise UsageError(
            "parameters, gradients and state whole on one CUDA device, with capturable=True",
            "others: on a CPU, sharded, or in a format that kernels do not take",
            "leave capturable out",
        )
    if len(jobs) == 1 and not rest:
        jobs[0].alone = True
    for job in jobs:
        if job.code.graph.totals and not job.alone:
            running.append(job.phases())
        else:
            for _ in job.phases():
                raise AssertionError("a job that needs no others does not stop")
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


def _one_code(rule: Rule, batch: Batch) -> Traced | None:
    """Return the one code that can take all tensors of a batch as they lie in memory, if there is one."""
    h, steps, device = batch.hyperparameters, batch.steps, batch.w[0].device
    made = engine(device)
    if made is None or (batch.stored and not all(_taken(made, batch, w) for w in batch.w)):
        return None
    formats = []
    for name, values in _places(rule, batch).items():
        found = set(map(_dtype, values))
        if len(found) != 1 or not _plain(values, device):
            return None
        form = _format(batch, name, found.pop())
        if form is None:
            return None
        formats.append(form)
    if _too_far_apart(formats):
        return None
    first = made.code(rule, h, steps[0], batch.form, tuple(formats))
    one_path = min(steps) == max(steps) or (
        not first.by_step and all(first.holds(h, step) for step in set(steps))
    )
    return first if one_path else None


def _too_far_apart(formats: Sequence[Any]) -> bool:
    """Whether numbers in double and in half precision meet, which machine code has no conversion for."""
    return torch.float64 in formats and (torch.float16 in formats or torch.bfloat16 in formats)


def _taken(made: Engine, batch: Batch, w: Tensor) -> bool:
    """Whether an engine takes a parameter in a batch's number formats."""
    assert batch.stored is not None
    coded = any(form.coded for form in batch.stored.formats.values())
    return made.stores and (not coded or made.codes(tuple(w.shape)))


def _job(found: Traced, batch: Batch) -> Job:
    places = {"w": batch.w, "g": batch.g, **batch.kept}
    offsets = sharded.offsets(batch) if batch.stored else None
    made = ENGINES[batch.w[0].device.type]
    job = made.job(found, places, batch.steps, batch.hyperparameters, True, batch.stored, offsets)
    return _told(job, batch, batch.replayed)


def _told(job: Any, batch: Batch, replayed: Replayed | None) -> Job:
    """Tell a job what its device alone knows: the scale of its gradients, its step counts."""
    if batch.scale is not None:
        job.scale, job.found_inf = batch.scale, batch.found_inf
    if replayed is not None:
        job.replayed = replayed
    return job


def _places(rule: Rule, batch: Batch) -> dict[str, list[Tensor]]:
    """Return everything that a batch works on, in the order of the rule's declaration."""
    names = rule.keeps(batch.hyperparameters, batch.form) if batch.stored else batch.kept
    return {"w": batch.w, "g": batch.g, **{name: batch.kept[name] for name in names}}


def _format(batch: Batch, name: str, dtype: torch.dtype) -> torch.dtype | Format | None:
    """Return how a place is stored; ``None`` where the code has no such format."""
    if batch.stored is None:
        return dtype if dtype in FORMATS else None
    form = batch.stored.formats.get(name)
    if form is None:
        return dtype if dtype in FORMATS and dtype != torch.float64 else None
    return form if dtype == (torch.uint8 if form.coded else torch.bfloat16) else None


def _sorted_jobs(rule: Rule, batch: Batch, rest: list[Batch]) -> Iterable[Job]:
    lists, stored = _places(rule, batch), batch.stored
    offsets = sharded.offsets(batch) if stored else None
    for_all = {name for name in batch.kept if rule.kept[name].kind == "all"}
    h = batch.hyperparameters
    groups: dict[Any, tuple[Traced, list[int]]] = {}
    others: list[int] = []
    bucket, filled = 0, 0
    for i, step in enumerate(batch.steps):
        own = {n: v[0 if n in for_all else i] for n, v in lists.items()}
        formats = tuple([f for n, x in own.items() if (f := _format(batch, n, x.dtype)) is not None])
        device = batch.w[i].device
        made = engine(device)
        plain = all(x.device == device and type(x) in sharded.PLAIN for x in own.values())
        if stored and (made is None or not _taken(made, batch, batch.w[i])):
            plain = False
        if stored and not all(map(Tensor.is_contiguous, own.values())):
            plain = False
        if made is None or len(formats) < len(own) or not plain or _too_far_apart(formats):
            others.append(i)
            continue
        found = made.code(rule, h, step, batch.form, formats)
        if found.temporaries:
            filled += batch.w[i].numel()
            if filled > made.together:
                bucket, filled = bucket + 1, batch.w[i].numel()
        key = (device, id(found), bucket if found.temporaries else None, step if found.by_step else None)
        groups.setdefault(key, (found, []))[1].append(i)
    writes = True  # one job does; the others come to the same numbers for all
    for found, index in groups.values():
        places = {n: v if n in for_all else [v[i] for i in index] for n, v in lists.items()}
        steps, own = [batch.steps[i] for i in index], stored and stored.at(index)
        begin = offsets and [offsets[i] for i in index]
        made = ENGINES[places["w"][0].device.type]
        replayed = batch.replayed and batch.replayed.at(index)
        yield _told(made.job(found, places, steps, h, writes, own, begin), batch, replayed)
        writes = False
    if others:
        kept = {
            n: [x.clone() for x in v]
            if n in for_all and groups
            else [v[i] for i in ([0] if n in for_all else others)]
            for n, v in batch.kept.items()
        }
        steps, own = [batch.steps[i] for i in others], stored and stored.at(others)
        w, g = [batch.w[i] for i in others], [batch.g[i] for i in others]
        rest.append(Batch(w, g, kept, steps, h, batch.form, own))


def plan(rule: Rule, batch: Batch, only: bool) -> Plan | None:
    """Return a plan for steps like this one; ``None`` where they need more than that.

    Args:
        rule: the equations.
        batch: what the step worked on.
        only: whether there was no other batch, so that totals are over this one.
    """
    found = None if batch.scale is not None or batch.replayed is not None else _one_code(rule, batch)
    if found is None or not found.repeatable or (found.graph.totals and not only):
        return None
    return ENGINES[batch.w[0].device.type].plan(_job(found, batch))


def _plain(values: Sequence[Tensor], device: torch.device) -> bool:
    return (
        set(map(type, values)) <= sharded.PLAIN
        and all(map(Tensor.is_contiguous, values))
        and set(map(_device, values)) == {device}
    )


def _unscaled(rule: Rule, batch: Batch) -> list[Batch]:
    """Return a batch whose gradients can be taken as they are; none where they are infinite.

    Kernels on CUDA devices divide by the scale as they read; elsewhere it is done here.
    """
    if batch.scale is None or batch.found_inf is None:
        return [batch]
    lists, device = [batch.w, batch.g, *batch.kept.values()], batch.w[0].device
    made = engine(device)
    everything = [x for values in lists for x in values]
    if made is not None and made.scaled and batch.stored:
        found = _one_code(rule, batch)
        if found is not None and not found.calls:
            return [batch]
    elif made is not None and made.scaled and set(map(_device, everything)) == {device}:
        formats = tuple([values[0].dtype for values in lists])
        if set(map(_dtype, everything)) <= FORMATS and set(map(type, everything)) <= sharded.PLAIN:
            h, form = batch.hyperparameters, batch.form
            if not any(made.code(rule, h, step, form, formats).calls for step in set(batch.steps)):
                return [batch]
    if batch.replayed is not None and batch.replayed.captured:
        raise UsageError(
            "a method without functions of whole tensors, where gradients of a scaled loss are captured",
            f"{rule.__name__}",
            "capture forward and backward only, and call scaler.step(opt) after each replay",
        )
    if float(batch.found_inf):
        return []
    inverse = batch.scale.double().reciprocal()
    g = [x * inverse.to(x.device, x.dtype) for x in batch.g]
    return [replace(batch, g=g, scale=None, found_inf=None)]


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
        elif parts and part.stored and (sharded.offsets(part) is None or _one_code(rule, part) is None):
            rest.append(part)  # whose noise needs to know where each element is
        else:
            found.append(part)
    return found
