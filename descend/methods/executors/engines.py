"""What runs a compiled rule on a kind of device: the CPU's machine code, or kernels on CUDA devices."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from descend.methods.executors.cpu.code import Code as CpuCode
from descend.methods.executors.cpu.job import Job as CpuJob
from descend.methods.executors.cpu.plan import Plan as CpuPlan
from descend.methods.executors.cuda.code import Code as CudaCode
from descend.methods.executors.cuda.compiled import available
from descend.methods.executors.cuda.job import Job as CudaJob
from descend.methods.executors.cuda.plan import Plan as CudaPlan
from descend.methods.executors.cuda.stored import in_flat_blocks
from descend.methods.executors.numbered import Traced


class Job(Protocol):
    """Tensors that one code can take, and what one step of them needs.

    Attributes:
        code: the compiled rule.
        alone: whether there is no other job in this step, so that its totals are over these tensors.
    """

    code: Any
    alone: bool

    def phases(self) -> Generator[Tensor, Tensor, None]:
        """Run phase after phase; at each total, give this job's share and take the whole, if not alone."""
        ...

    def finish(self) -> None:
        """Write what must wait until every job has read."""
        ...


class Plan(Protocol):
    """One job that can be run again with other gradients.

    Attributes:
        looks: whether it finds the gradients by itself, and is given none.
    """

    looks: bool

    def ready(self, g: list[Tensor] | None, step: int, h: Mapping[str, Any]) -> bool:
        """Make ready for a step; false where these gradients, or its path, are others than the plan's."""
        ...

    def go(self) -> None:
        """Take the step that was made ready."""
        ...


@dataclass(frozen=True)
class Engine:
    """What runs rules on one kind of device.

    Attributes:
        code: compiles: (rule, hyperparameters, step, form, formats) → code.
        job: (code, places, steps, hyperparameters, whether it writes the numbers kept for all, number formats
            of places, where parts of tensors begin) → job.
        plan: job → plan, of a rule without functions of whole tensors.
        together: how many elements are taken at once where temporaries are needed.
        stores: whether it knows number formats beside torch's.
        codes: whether it takes a tensor of this shape in eight bits.
        scaled: whether it takes gradients that come with a scale, and may be infinite.
        replays: whether a step can be one that a CUDA graph replays.
        available: whether it can be used here.
    """

    code: Callable[..., Traced]
    job: Callable[..., Any]
    plan: Callable[[Any], Plan]
    together: int
    stores: bool = False
    codes: Callable[[tuple[int, ...]], bool] = lambda shape: True
    scaled: bool = False
    replays: bool = False
    available: Callable[[], bool] = lambda: True


FORMATS = frozenset({torch.float32, torch.float64, torch.bfloat16, torch.float16})
"""The dtypes that engines take."""

ENGINES = {
    # Temporaries of 16 MiB stay in a processor's cache; a device wants much to do at once.
    "cpu": Engine(CpuCode.of, CpuJob, CpuPlan, 1 << 22, stores=True),
    "cuda": Engine(
        CudaCode.of,
        CudaJob,
        CudaPlan,
        1 << 28,
        stores=True,
        codes=in_flat_blocks,
        scaled=True,
        replays=True,
        available=available,
    ),
}
"""By the type of device."""


def engine(device: torch.device) -> Engine | None:
    """Return what runs rules on a device; ``None`` where there is nothing but :mod:`.foreach`."""
    found = ENGINES.get(device.type)
    return found if found is not None and found.available() else None
