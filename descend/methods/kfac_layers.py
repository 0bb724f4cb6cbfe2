"""What the layers of a network give to K-FAC: the products of their inputs, and of the gradients behind them.

A layer's output is y = W x̄, where x̄ is its input, with a 1 at the end for the bias. Its block of the Fisher
information is E[x̄ x̄ᵀ ⊗ d dᵀ] with d = ∂loss/∂y, and nearly A ⊗ G with A = E[x̄ x̄ᵀ] and G = E[d dᵀ]. Hooks on
the layers take both from forward and backward passes that happen anyway, on the steps that ask for them:

* from the gradients of the batch itself (the empirical Fisher): they cost nothing;
* from random gradients at the model's output (the Fisher, for a loss that is known): a backward pass of their
  own, down to the layers' outputs and never to the parameters, right after the forward pass.

A layer that works at several positions of an example (a convolution's places, a sequence's tokens) has a row
for each. ``expand`` takes each for itself, ``reduce`` their mean (x̄) and their sum (d): Eschenhagen et al.
2023, arXiv:2311.00636.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from descend.errors import UsageError
from descend.methods.kfac_model import Call, Drawn, thinned
from descend.methods.kfac_rows import drawn, inputs_of, outputs_of, wide

EMPIRICAL = "empirical"
LOSSES = (EMPIRICAL, "cross_entropy", "mse", "binary_cross_entropy")
"""Where gradients behind the layers come from: the batch, or random ones at the output, as a loss has it."""

EXPAND, REDUCE = "expand", "reduce"
"""What becomes of the positions at which a layer works on one example."""

_ENOUGH = 256
"""Examples that tell the curvature along two directions: to a tenth or so."""


@dataclass(eq=False)
class Layer:
    """One layer, and what it has given since the last step.

    Attributes:
        name: in the model.
        module: a Linear, Conv1d or Conv2d.
        weight: its weight.
        bias: its bias, where that is descended together with the weight.
        inputs: the sum of x̄ x̄ᵀ, of shape (n + 1, n + 1); the last row and column are zeros without a bias.
        rows: of how many rows.
        outputs: the sum of d dᵀ, of shape (m, m), where d is the gradient of one term of the loss.
        terms: of how many terms of the loss.
    """

    name: str
    module: nn.Module
    weight: Tensor
    bias: Tensor | None
    inputs: Tensor | None = None
    rows: int = 0
    outputs: Tensor | None = None
    terms: float = 0.0

    def forget(self) -> None:
        """Forget what it has given."""
        self.inputs = self.outputs = None
        self.rows, self.terms = 0, 0.0

    def means(self) -> tuple[Tensor, Tensor] | None:
        """Return the means A and G of what it has given; ``None`` where it has not given both."""
        if self.inputs is None or self.outputs is None:
            return None
        return self.inputs / self.rows, self.outputs / self.terms

    def take_inputs(self, x: Tensor, sharing: str, most: float) -> None:
        """Add the products of the inputs of one call."""
        x = inputs_of(self.module, x.detach(), inf if sharing == REDUCE else most)
        x = wide(x.mean(1) if sharing == REDUCE else x.flatten(0, 1))
        x = F.pad(x, (0, 1), value=0.0 if self.bias is None else 1.0)
        self.inputs = x.mT @ x if self.inputs is None else self.inputs.addmm_(x.mT, x)
        self.rows += len(x)

    def take_outputs(self, d: Tensor, scale: float, sharing: str, most: float) -> None:
        """Add the products of the gradients behind one call, times ``scale``."""
        d, share = outputs_of(self.module, d.detach(), inf if sharing == REDUCE else most)
        d = wide(d.sum(1) if sharing == REDUCE else d.flatten(0, 1))
        scale = scale * share
        if self.outputs is None:
            self.outputs = (d.mT @ d).mul_(scale)
        else:
            self.outputs.addmm_(d.mT, d, alpha=scale)


class _Hook:
    """A hook that knows its listener by a weak reference; copied or pickled with a module, it is deaf."""

    def __init__(self, listener: Any = None, name: str = "", *given: Any):
        self.listener = None if listener is None else weakref.ref(listener)
        self.name, self.given = name, given

    def __call__(self, module: nn.Module, *args: Any) -> None:
        listener = None if self.listener is None else self.listener()
        if listener is not None and not torch.compiler.is_compiling():
            getattr(listener, self.name)(module, *self.given, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Hook, ()


class Asked(NamedTuple):
    """What is asked for in a forward pass, and the backward pass behind it.

    Attributes:
        layers: of which layers.
        loss: where the gradients behind them come from (:data:`LOSSES`).
        sharing: ``expand`` or ``reduce``.
        most: rows of a product.
        seed: of random gradients.
        calls: whether the layers' calls are wanted, with the gradients behind them.
    """

    layers: set[Layer]
    loss: str
    sharing: str
    most: int
    seed: int
    calls: bool


class _Pass:
    """One forward pass: what is asked for, and where in its graph the layers' outputs are."""

    __slots__ = ("asked", "number", "places", "terms")

    def __init__(self, asked: Asked, number: int):
        self.asked, self.number, self.terms = asked, number, 0
        self.places: list[tuple[Layer, GradientEdge, Tensor]] = []


class Layers:
    """The layers of a module, with hooks on them for as long as this lives.

    Args:
        model: the module; its own call is what begins and ends a forward pass.
        layers: those to listen to.
        asked: what is asked for in the pass that begins, if anything.

    Attributes:
        all: the layers.
        closed: whether passes are let by unheard.
        drawn: the passes with random gradients since the last step, where their calls were wanted.
    """

    def __init__(self, model: nn.Module, layers: Iterable[Layer], asked: Callable[[], Asked | None]):
        self.all = list(layers)
        self.closed = False
        self.drawn: list[Drawn] = []
        self._asked = asked
        self._pass: _Pass | None = None
        self._number = self._passes = 0
        handles = [model.register_forward_pre_hook(_Hook(self, "_begin"))]
        handles += [x.module.register_forward_hook(_Hook(self, "_hear", x)) for x in self.all]
        handles += [model.register_forward_hook(_Hook(self, "_end"))]
        self.close = weakref.finalize(self, _remove, handles)

    def forget(self) -> None:
        """Forget what layers have given; gradients of passes before now come too late."""
        if self._passes:
            self._number += 1
            self._passes = 0
            self.drawn.clear()
            for layer in self.all:
                layer.forget()

    def _begin(self, model: nn.Module, args: Any) -> None:
        self._pass = None
        if self.closed or not model.training or not torch.is_grad_enabled():
            return
        if self._passes and all(layer.weight.grad is None for layer in self.all):
            self.forget()  # what came before did not lead to a step
        asked = self._asked()
        if asked is not None:
            self._pass = _Pass(asked, self._number)

    def _hear(self, module: nn.Module, layer: Layer, args: Any, output: Any) -> None:
        now = self._pass
        if now is None or not (now.asked.calls or layer in now.asked.layers):
            return
        if module is not layer.module or module.weight is not layer.weight:
            return  # a copy, or a function of other parameters
        if not args or not isinstance(output, Tensor) or not output.requires_grad:
            return
        if not now.places:
            self._passes += 1
            now.terms = len(args[0])
        if layer in now.asked.layers:
            with torch.no_grad(), torch.autocast(output.device.type, enabled=False):
                layer.take_inputs(args[0], now.asked.sharing, now.asked.most)
        if now.asked.loss == EMPIRICAL:
            output.register_hook(lambda d: self._arrived(now, layer, d))
        # The place, not the tensor: that may be written over by what follows.
        now.places.append((layer, get_gradient_edge(output), args[0].detach()))

    def _arrived(self, of: _Pass, layer: Layer, d: Tensor) -> None:
        if of.number == self._number and not self.closed:
            self._take(of, layer, d, float(of.terms) ** 2)  # it is of a mean over so many terms

    def _take(self, of: _Pass, layer: Layer, d: Tensor, scale: float) -> None:
        with torch.no_grad(), torch.autocast(d.device.type, enabled=False):
            layer.take_outputs(d, scale, of.asked.sharing, of.asked.most)

    def _end(self, model: nn.Module, args: Any, output: Any) -> None:
        now, self._pass = self._pass, None
        if now is None or not now.places:
            return
        found, loss = _tensor(output), now.asked.loss
        places, now.places = now.places, []
        if loss == EMPIRICAL:
            if found is not None and found.ndim:
                now.terms = found.shape[:-1].numel() if found.ndim == 3 else len(found)
        elif found is None:
            raise UsageError(
                f"a model that returns a tensor, for loss={loss!r}",
                type(output).__name__,
                f'set loss="{EMPIRICAL}"',
            )
        elif found.requires_grad:
            d, now.terms = drawn(loss, found, now.asked.seed + self._passes)
            edges = [edge for _, edge, _ in places]
            # Forward passes that are made again (checkpoints) have no pass here, and so are not heard.
            behind = torch.autograd.grad(found, edges, d, retain_graph=True, allow_unused=True)
            for (layer, _, _), gradient in zip(places, behind, strict=True):
                if gradient is not None and layer in now.asked.layers:
                    self._take(now, layer, gradient, 1.0)
            if now.asked.calls:
                each = zip(places, behind, strict=True)
                calls = [Call(layer.module, layer.weight, x, d) for (layer, _, x), d in each if d is not None]
                self.drawn.append(thinned(calls, now.terms, _ENOUGH))
        for layer in {layer for layer, _, _ in places if layer in now.asked.layers}:
            layer.terms += now.terms


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()


def _tensor(output: Any) -> Tensor | None:
    """Return the tensor that a loss is made from, as far as one can tell."""
    if isinstance(output, tuple | list) and output:
        output = output[0]
    output = getattr(output, "logits", output)
    return output if isinstance(output, Tensor) else None


def layers_of(model: nn.Module, own: set[Tensor]) -> list[Layer]:
    """Return the layers that K-FAC can take, in the model's order.

    Args:
        model: the module.
        own: the parameters that it may take: a layer whose weight is none of these is left out.
    """
    users: dict[Tensor, list[nn.Module]] = {}
    for module in model.modules():
        for p in module.parameters(recurse=False):
            users.setdefault(p, []).append(module)
    found = []
    for name, module in model.named_modules():
        if not _taken(module):
            continue
        weight, bias = module.weight, module.bias
        assert isinstance(weight, Tensor)
        if weight not in own or users[weight] != [module] or weight.is_complex() or not weight.numel():
            continue
        if not isinstance(bias, Tensor) or bias not in own or users[bias] != [module]:
            bias = None
        found.append(Layer(name, module, weight, bias))
    return found


def _taken(module: nn.Module) -> bool:
    # torch's attention has a Linear inside whose weight it uses, and which it never calls.
    if isinstance(module, nn.Linear):
        return not isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)
    return isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups == 1
