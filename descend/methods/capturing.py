"""Steps that a CUDA graph can capture and replay: ``capturable=True``, as torch names it.

A replay runs no Python. Steps are then counted on the device, in ``state[p]["step"]``, a tensor that is
always right; host scalars follow from it there. Hyperparameters are those of the capture, but for tensors on
the device (``lr=torch.tensor(1e-3, device="cuda")``), which torch's schedules fill in place and every replay
reads. Outside of a graph a step is the same, and reads the counts once, for the path through the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.rule import Batch, Replayed

if TYPE_CHECKING:
    from descend.methods.method import Method


def capturing() -> bool:
    """Whether a CUDA graph is being captured."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def graphs_of(method: Method) -> Graphs:
    """Return what a method needs whose steps CUDA graphs capture.

    Raises:
        UsageError: where its steps cannot be captured.
    """
    if method.executor != "fused":
        raise UsageError(
            "executor='fused' with capturable=True", repr(method.executor), "leave one of them out"
        )
    if hasattr(type(method), "estimate"):
        raise UsageError(
            f"{type(method).__name__} without capturable, for it differentiates the gradients",
            "capturable=True",
            "leave it out",
        )
    return Graphs()


class Graphs:
    """What a capturable method knows of its steps, and what its graphs need.

    Attributes:
        captured: whether the step that is being taken is captured.
        kept: what must live as long as any graph of the method.
    """

    def __init__(self) -> None:
        self.captured = False
        self.kept: list[Any] = []
        self._steps: dict[Tensor, int] = {}
        self._numbers: dict[int, dict[str, Any]] = {}

    def begin(self, method: Method, active: tuple[str, ...]) -> None:
        """Begin a step.

        Raises:
            UsageError: where this one cannot be captured.
        """
        self.captured = capturing()
        if self.captured and "accumulate" in active:
            raise UsageError(
                "steps without accumulate, which counts its calls on the host",
                "one that a CUDA graph captures",
                "accumulate in p.grad, and capture step() where it is due",
            )
        if self.captured and (method._training or method._resumed):
            raise UsageError(
                "a step after opt.evaluation() before one is captured", "none", "call opt.step() once"
            )

    def steps(self, method: Method, owners: list[Tensor]) -> list[int]:
        """Return the counts of the steps that some parameters are about to take.

        Raises:
            UsageError: where a parameter takes its first step, and a CUDA graph is being captured.
        """
        if self.captured:
            if not all(p in self._steps for p in owners):
                raise UsageError(
                    "steps of all parameters before one is captured in a CUDA graph",
                    "a parameter that has taken none",
                    "call opt.step() outside of the graph first: it makes the state",
                )
            return [self._steps[p] + 1 for p in owners]
        self._count_on_device(method, owners)
        counts = [method.state[p]["step"] for p in owners]
        known = torch.stack(counts).tolist() if counts else []
        for p, step in zip(owners, known, strict=True):
            self._steps[p] = step + 1
        return [step + 1 for step in known]

    def _count_on_device(self, method: Method, owners: list[Tensor]) -> None:
        """Have the counts of parameters where they lie."""
        others: dict[torch.device, list[Tensor]] = {}
        for p in owners:
            count = method.state[p].get("step", 0)
            if not isinstance(count, Tensor) or count.device != p.device or count.dtype != torch.int64:
                others.setdefault(p.device, []).append(p)
        for device, some in others.items():
            counts = torch.tensor([int(method.state[p].get("step", 0)) for p in some])
            for p, count in zip(some, counts.to(device).unbind(), strict=True):
                method.state[p]["step"] = count

    def number(self, group: Mapping[str, Any], name: str, value: Any, plain: Callable[[Any], Any]) -> Any:
        """Return a hyperparameter as plain numbers; while a graph is captured, as it last was on the device.

        Args:
            group: whose it is.
            name: its own.
            value: a number, several, or tensors.
            plain: reads tensors.
        """
        known = self._numbers.setdefault(id(group), {})
        if not self.captured or name not in known or not self._on_device(group, name, value):
            known[name] = plain(value)
        return known[name]

    def _on_device(self, group: Mapping[str, Any], name: str, value: Any) -> dict[str, Tensor]:
        """Return the tensors of a hyperparameter that kernels can read, by how equations name them."""
        device = group["params"][0].device
        tensors = _tensors(f"h[{name!r}]", value).items()
        return {
            where: x
            for where, x in tensors
            if x.device == device and x.dtype in (torch.float32, torch.float64) and x.numel() == 1
        }

    def hand_over(self, group: Mapping[str, Any], batch: Batch, counts: list[Tensor] | None) -> None:
        """Have a batch taken as a CUDA graph can replay it."""
        tensors: dict[str, Tensor] = {}
        for name, value in group.items():
            if name != "params":
                tensors |= self._on_device(group, name, value)
        batch.replayed = Replayed(counts, tensors, self.captured, self.kept)

    def remembered(self, method: Method) -> Callable[[], None] | None:
        """Return what puts a state that is loaded to where graphs look for it; ``None`` without graphs."""
        if not self.kept:
            return None
        state = {p: dict(own) for p, own in method.state.items()}
        groups = [dict(group) for group in method.param_groups]

        def put_back() -> None:
            for p, old in state.items():
                _refill(old, method.state[p])
            for old, group in zip(groups, method.param_groups, strict=True):
                _refill(old, group)

        return put_back


def _refill(old: Mapping[str, Any], new: dict[str, Any]) -> None:
    for name, place in old.items():
        value = new.get(name)
        if not isinstance(place, Tensor) or value is None or value is place:
            continue
        if isinstance(value, Tensor) and value.numel() == place.numel() == 1:
            place.fill_(value.item())
        elif isinstance(value, Tensor) and (value.shape, value.dtype) == (place.shape, place.dtype):
            place.copy_(value)
        elif isinstance(value, int | float):
            place.fill_(value)
        else:
            continue
        new[name] = place


def _tensors(where: str, value: Any) -> dict[str, Tensor]:
    """Return the tensors in a hyperparameter, by how equations name them."""
    if isinstance(value, Tensor):
        return {where: value}
    if isinstance(value, tuple | list):
        return {f"{where}[{i}]": x for i, x in enumerate(value) if isinstance(x, Tensor)}
    return {}
