"""Layers that see the same input at every point: along a line or plane their output is known.

A first layer's output W x + b is linear in W and b. On ``origin + c₁ u + c₂ v`` it is y₀ + c₁ y₁ + c₂ y₂,
with the outputs at origin, u and v: three numbers in the place of a product with a matrix. Where outputs are
much larger than inputs, as of convolutions, reading them takes longer than computing them: it is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from descend.functions.data import Batch
from descend.landscapes.vectors import Layout

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
"""Layers whose output is linear in their parameters."""
LARGEST = 1 << 30
"""Bytes that outputs may take."""


def layers_with_one_input(module: nn.Module, run: Callable[[nn.Module], Any], layout: Layout) -> list[str]:
    """Return the layers that are called once, with an input that no parameter changes.

    Args:
        module: the function; it runs once.
        run: runs it.
        layout: whose parameters are moved.
    """
    calls: dict[str, list[bool]] = {}
    handles = []
    moved = set(layout.names)
    for path, layer in module.named_modules():
        own = [f"{path}.{name}" if path else name for name, _ in layer.named_parameters(recurse=False)]
        plain = type(layer) in LINEAR and not layer._forward_hooks and not layer._forward_pre_hooks
        if plain and own and any(name in moved for name in own):

            def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any, path: str = path) -> None:
                known = len(inputs) == 1 and isinstance(inputs[0], Tensor) and not inputs[0].requires_grad
                calls.setdefault(path, []).append(known)

            handles.append(layer.register_forward_hook(note))
    try:
        with torch.enable_grad():
            run(module)
    finally:
        for handle in handles:
            handle.remove()
    return [path for path, known in calls.items() if known == [True]]


@dataclass
class Place:
    """Where a worker is: which piece of the examples, and the coordinates with a 1 before them, (1 + d,)."""

    piece: int = 0
    at: Tensor | None = None


class Shortcuts:
    """Outputs of layers at the origin and along the axes of a plane, over pieces of the examples.

    Args:
        module: the function.
        names: of the layers.
        layout: of the parameters.
        origin: (n,).
        axes: (d, n).
        pieces: of the examples.
        run: runs a module on a piece.
    """

    def __init__(
        self,
        module: nn.Module,
        names: Sequence[str],
        layout: Layout,
        origin: Tensor,
        axes: Tensor,
        pieces: Sequence[Batch],
        run: Callable[[nn.Module, Batch], Any],
    ):
        self.names = list(names)
        self._known: dict[str, list[tuple[Tensor, torch.Size, bool]]] = {name: [] for name in names}
        values = [layout.values(origin), *map(layout.values, axes)]
        layers = {name: module.get_submodule(name) for name in names}
        self.fits = True
        size = 0
        for piece in pieces:
            inputs = _inputs(module, layers, piece, run)
            for name, layer in layers.items():
                outputs = [_output(layer, name, v, inputs[name], first) for v, first in _each(values)]
                # Channels that lie last in memory are to lie there again.
                last = outputs[0].ndim == 4 and not outputs[0].is_contiguous()
                if last:
                    outputs = [y.permute(0, 2, 3, 1) for y in outputs]
                known = torch.stack([y.reshape(-1) for y in outputs])
                size += known.numel() * known.element_size()
                if size > LARGEST:
                    self.fits = False
                    return
                self._known[name].append((known, outputs[0].shape, last))

    def put(self, module: nn.Module, place: Place) -> Callable[[], None]:
        """Have a copy of the function take the shortcuts; return what undoes that.

        Args:
            module: the copy.
            place: where its worker is; it is asked at each call.
        """
        layers = [(name, module.get_submodule(name)) for name in self.names]
        for name, layer in layers:

            def known(x: Tensor, name: str = name) -> Tensor:
                outputs, shape, last = self._known[name][place.piece]
                assert place.at is not None
                y = (place.at.to(outputs.dtype) @ outputs).view(shape)
                return y.permute(0, 3, 1, 2) if last else y

            layer.forward = known

        def undo() -> None:
            for _, layer in layers:
                del layer.__dict__["forward"]

        return undo


def _inputs(
    module: nn.Module, layers: dict[str, nn.Module], piece: Batch, run: Callable[[nn.Module, Batch], Any]
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda _, inputs, __, name=name: found.update({name: inputs[0]}))
        for name, layer in layers.items()
    ]
    try:
        with torch.no_grad():
            run(module, piece)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _output(layer: nn.Module, name: str, values: dict[str, Tensor], x: Tensor, first: bool) -> Tensor:
    """Return a layer's output at the origin, or along an axis: there frozen parameters are 0."""
    own = {}
    for last, p in layer.named_parameters(recurse=False):
        full = f"{name}.{last}" if name else last
        own[last] = values[full] if full in values else p.detach() if first else torch.zeros_like(p)
    with torch.no_grad():
        return functional_call(layer, own, (x,))


def _each(values: Sequence[dict[str, Tensor]]) -> list[tuple[dict[str, Tensor], bool]]:
    return [(v, k == 0) for k, v in enumerate(values)]
