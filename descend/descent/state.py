"""The whole state of a descent as one value, and as one file.

A state is a tree of dicts, lists, numbers, strings and tensors. On disk it is one safetensors file:
tensors as tensors, everything else as JSON in its header, so that it is written in one atomic move, can
be read without this program, and can hold nothing that runs.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from descend.descent.files import write_file
from descend.errors import RunError

FORMAT = 1


@dataclass
class State:
    """Everything a descent is at one moment.

    Attributes:
        step: updates taken.
        seconds: time spent descending, over all sessions.
        function: parameters and buffers by name.
        kept: what the method keeps, by parameter name; under "" what it keeps for all parameters together.
        hyperparameters: those of each parameter group, before any schedule.
        data: the position in the training data.
        random: the random generators of torch, by device.
        best: the best parameters so far with the step and the figures that made them best, or None.
        course: the counters of the loop: first and smoothed loss, evaluations without progress.
        training: whether the function is in training mode.
    """

    step: int
    seconds: float
    function: dict[str, Tensor]
    kept: dict[str, dict[str, Any]]
    hyperparameters: list[dict[str, Any]]
    data: dict[str, Any]
    random: dict[str, Tensor]
    best: dict[str, Any] | None
    course: dict[str, Any]
    training: bool

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all.

        Raises:
            RunError: where the file cannot be written.
        """
        tree, tensors = pack({f.name: getattr(self, f.name) for f in fields(self)})
        save_tensors(path, tensors, {"format": str(FORMAT), "state": json.dumps(tree)})

    @classmethod
    def load(cls, path: Path) -> "State":
        """Read it from a file.

        Raises:
            RunError: where the file is missing, damaged or from a newer version.
        """
        tensors, header = load_tensors(path)
        try:
            if int(header.get("format", "0")) > FORMAT:
                raise RunError(
                    f"a state of format {FORMAT} or older in {path}",
                    f"format {header['format']}, made by a newer descend",
                    "upgrade with: pip install -U descend",
                )
            tree = unpack(json.loads(header["state"]), tensors)
            return cls(**{f.name: tree[f.name] for f in fields(cls)})
        except (KeyError, ValueError, TypeError) as error:
            raise RunError(
                f"the state of a descent in {path}", f"something else ({error!r})", "start the run anew"
            ) from None

    def clone(self) -> "State":
        """Return a copy that shares no memory with this one."""
        tree, tensors = pack(asdict_shallow(self))
        return State(**unpack(tree, {k: v.clone() for k, v in tensors.items()}))


def asdict_shallow(state: State) -> dict[str, Any]:
    """Return the fields without copying tensors."""
    return {f.name: getattr(state, f.name) for f in fields(state)}


def pack(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Split a tree into what JSON can hold and the tensors, named by their place."""
    tensors: dict[str, Tensor] = {}

    def visit(x: Any, place: str) -> Any:
        if isinstance(x, Tensor):
            tensors[place] = x
            return {"tensor": place}
        if isinstance(x, dict):
            return {"dict": {str(k): visit(v, f"{place}/{k}" if place else str(k)) for k, v in x.items()}}
        if isinstance(x, list | tuple):
            kind = "tuple" if isinstance(x, tuple) else "list"
            return {kind: [visit(v, f"{place}/{i}") for i, v in enumerate(x)]}
        return x

    return visit(tree, ""), tensors


def unpack(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Join what :func:`pack` split."""
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {k: unpack(v, tensors) for k, v in value.items()}
    items = [unpack(v, tensors) for v in value]
    return tuple(items) if kind == "tuple" else items


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, whole or not at all.

    Args:
        path: the file.
        tensors: by name; copied to the CPU, each into memory of its own.
        header: texts for the file's header.

    Raises:
        RunError: where the file cannot be written.
    """
    from safetensors.torch import save

    own = {"memory_format": torch.contiguous_format}  # safetensors takes neither views nor sharing
    separate = {k: v.detach().to("cpu").clone(**own) for k, v in tensors.items()}
    write_file(path, save(separate, metadata=header))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors, and the texts of its header.

    Raises:
        RunError: where the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {k: file.get_tensor(k) for k in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"the file {path}", "none", "check the folder; train again to make it") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(
            f"whole tensors in {path}", f"a damaged file ({error})", "restore it or train again"
        ) from None
