"""A step that a CUDA graph can replay: what it computes on the device, and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.errors import UsageError
from descend.methods.executors.cuda import counting, pokes
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.counting import references
from descend.methods.executors.cuda.driver import stream_of
from descend.methods.executors.cuda.tables import Layout
from descend.methods.executors.cuda.writing import Variant
from descend.parameters.noise import start_word

if TYPE_CHECKING:
    from descend.methods.executors.cuda.job import Job

NEAR, FAR = 2_000, 40
"""How many of the next steps are looked at, and how many powers of two beyond."""


def layout(job: Job) -> Layout:
    """Return tables for a job that is being captured, which eager steps have made and the graph keeps.

    Raises:
        UsageError: where no such step was taken before, or the equations do not stay the same.
    """
    same_path(job)
    for (sizes, device, _), pool in job.code.layouts.items():
        if pool and device == job.device and sizes == tuple(job.sizes):
            found = pool.pop()
            found.begin_capture(stream_of(job.device))
            return found
    raise UsageError(
        "a step before it is captured, with the same parameters and for each graph",
        "none",
        "call opt.step() once more outside of the graph: it prepares what a graph cannot",
    )


def counted(job: Job, layout: Layout) -> Variant:
    """Have steps counted on the device, and return which form of the kernels that is."""
    replayed, machine = job.replayed, job.code.machine
    assert replayed is not None and replayed.counts is not None
    layout.count(len(machine.hosts))
    pokes.ready(job.device, stream_of(job.device))
    layout.columns[machine.count] = [x.data_ptr() for x in replayed.counts]
    for k, name in enumerate(machine.hyperparameters):
        if name in replayed.tensors:
            layout.words[f"q{k}"] = replayed.tensors[name].data_ptr()
        else:
            value = float(eval(name, {"h": job.h}))
            layout.words[f"q{k}"] = int(np.float64(value).view(np.int64))
    if job.stored is not None:
        layout.words["noise"] = start_word(job.stored.seed)
    kinds = counting.kinds(machine.hyperparameters, replayed.tensors)
    return Variant(True, False, job.alone, job.scale is not None, kinds)


def same_path(job: Job) -> None:
    """Make sure that what is captured holds for all later steps.

    Whether it does is asked of the next steps one by one, and then at growing distances: conditions on the
    step count are periods and thresholds.

    Raises:
        UsageError: where it does not.
    """
    code, replayed = job.code, job.replayed
    assert replayed is not None
    told = [code.graph.path.condition(), *(x.value.host.text for x in code.calls if x.value.host is not None)]
    lies = [name for name in replayed.tensors if any(name in references(text) for text in told)]
    if lies:
        raise UsageError(
            f"plain numbers for {', '.join(lies)} in a captured step, which depends on them in another way",
            "a tensor on the device",
            "give it as a number, and capture again when it changes",
        )
    for step in sorted(set(job.steps)):
        other = _other_path(code, job.h, step)
        if other is not None:
            raise UsageError(
                "equations that stay the same from step to step, in a step that a CUDA graph replays",
                f"others at step {other}",
                "capture after that step"
                if not any(code.holds(job.h, s) for s in _later(other))
                else "capture forward and backward only, and call opt.step() after each replay",
            )


def _other_path(code: Code, h: Mapping[str, Any], step: int) -> int | None:
    """Return the next step that takes another path, or whose functions take other numbers."""
    numbers = code.arguments(h, step)
    return next((s for s in _later(step) if not code.holds(h, s) or code.arguments(h, s) != numbers), None)


def _later(step: int) -> list[int]:
    return [*range(step + 1, step + NEAR), *(step + 2**k for k in range(12, FAR))]
