"""The same function at other widths: by a person's own maker, by descend's, or layer by layer."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from descend.diagnosing.inspecting.calls import Look, layers, look
from descend.diagnosing.inspecting.subject import Subject
from descend.diagnosing.inspecting.wider_layers import KNOWN, NotWidened, times, widened
from descend.functions.networks import MLP, ConvNet, Transformer
from descend.functions.problem import ParameterFunction, Problem, Settings
from descend.functions.wide_and_deep import WideAndDeep

BASE = 64
"""The least width that a maker is asked for where it has no default."""
_GIVE_A_MAKER = "give a function of the width: wide(width) → Problem beside it, or problem(width=...)"


Made = tuple[nn.Module, Settings]
"""A function, and the settings that it is descended by."""
Maker = Callable[[int], Any]


class Widening:
    """How a function is had at other widths.

    Args:
        subject: whose function.
        seen: what one forward of it showed.
        maker: width → a problem or a module, where a person gave one.

    Attributes:
        base: the width that the factor 1 stands for; 0 where the widths of several layers are multiplied.
        how: in words.

    Raises:
        NotWidened: where it cannot be.
    """

    def __init__(self, subject: Subject, seen: Look, maker: Maker | None = None):
        self.subject, self.seen = subject, seen
        self.base = 0
        maker = maker or _beside(subject.problem)
        if maker is not None:
            self.base = _default(maker)
            self.make, self.how = self._by_maker(maker), f"{getattr(maker, '__name__', 'the maker')}(width)"
            return
        own = _own(subject.function())
        if own is not None:
            self.make, self.how = self._by_constructor(own), f"{own[1]} with all hidden widths multiplied"
        else:
            self.make, self.how = self._by_layers(), "each hidden layer's width multiplied"

    def at(self, factor: float, seed: int) -> Made:
        """Return the function at a multiple of its width, with its parameters drawn from a seed.

        Args:
            factor: 1 is as it is.
            seed: of its parameters.

        Raises:
            NotWidened: where there is no such width, or the function does not run at it.
        """
        devices = [self.subject.device] if self.subject.device.type == "cuda" else []
        with torch.random.fork_rng(devices), contextlib.redirect_stdout(sys.stderr):
            torch.manual_seed(seed)
            try:
                function, settings = self.make(factor, seed)
            except NotWidened:
                raise
            except Exception as error:
                why = f"{type(error).__name__}: {error}".splitlines()[0]
                raise NotWidened(f"at {factor:g} times the width: {why}; {_GIVE_A_MAKER}") from error
        return function.to(self.subject.device).train(), settings

    # By a person's own maker ------------------------------------------------------------------------
    def _by_maker(self, maker: Maker) -> Callable[[float, int], Made]:
        named = "width" in _parameters(maker)

        def make(factor: float, seed: int) -> Made:
            width = max(1, round(self.base * factor))
            given: dict[str, Any] = {"seed": seed} if "seed" in _parameters(maker) else {}
            made = maker(width=width, **given) if named else maker(width, **given)  # type: ignore[call-arg]
            if isinstance(made, Problem):
                return made.fresh_function(), made.settings
            if isinstance(made, nn.Module):
                return made, self.subject.descent.settings
            raise NotWidened(f"{self.how} gives a {type(made).__name__}, and no Problem or module")

        return make

    # By descend's own constructors ------------------------------------------------------------------
    def _by_constructor(self, own: tuple[str, str]) -> Callable[[float, int], Made]:
        path, _ = own

        def make(factor: float, seed: int) -> Made:
            function = self.subject.function()
            part = function.get_submodule(path) if path else function
            made = _rebuilt(part, factor, self.seen, path)
            return (_replaced(function, path, made) if path else made), self.subject.descent.settings

        return make

    # Layer by layer ---------------------------------------------------------------------------------
    def _by_layers(self) -> Callable[[float, int], Made]:
        function = self.subject.function()
        if isinstance(function, ParameterFunction):
            raise NotWidened("it has no layers")
        unknown = _unknown(function)
        if unknown:
            raise NotWidened(f"{unknown} is no layer whose width is known; {_GIVE_A_MAKER}")
        seen = self.seen
        if not all(p.requires_grad for p in function.parameters()):
            # What only frozen layers lie before would look like an input.
            seen = look(self.subject, function.requires_grad_(True))
        weighted = [c for c in seen.calls if c.weighted and c.module is not None]
        if not weighted or any(c.weighted and c.module is None for c in seen.calls):
            raise NotWidened(f"it has weights outside of layers; {_GIVE_A_MAKER}")
        if len({c.name for c in weighted}) < 2:
            raise NotWidened("there is no hidden layer: the function has no width")
        first = {c.name for c in weighted if c.of_data}
        last = weighted[-1].name
        if last in first:
            raise NotWidened(f"its last layer is given the inputs themselves; {_GIVE_A_MAKER}")
        shape = None if self.seen.output is None else self.seen.output.shape

        def make(factor: float, seed: int) -> Made:
            wide = self.subject.function()
            for module, name in layers(wide).items():
                made = widened(module, factor, name in first, name == last)
                if made is not module:
                    wide = _replaced(wide, name, made)
            with torch.no_grad(), self.subject.random():
                output = wide(*self.subject.batch[:-1] if self.subject.problem.loss else self.subject.batch)
            if shape is not None and isinstance(output, Tensor) and output.shape != shape:
                raise NotWidened(f"its output has another shape at another width; {_GIVE_A_MAKER}")
            return wide, self.subject.descent.settings

        return make


def _parameters(maker: Maker) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(maker).parameters)
    except (TypeError, ValueError):
        return {}


def _default(maker: Maker) -> int:
    known = _parameters(maker).get("width")
    default = known.default if known is not None else None
    return default if isinstance(default, int) and not isinstance(default, bool) and default > 0 else BASE


def _beside(problem: Problem) -> Maker | None:
    """Return the maker in the Python file that a problem is from: its own function, or ``wide``."""
    code = problem.facts.get("problem")
    if not isinstance(code, dict):
        return None
    # Their dictionaries: asking some modules for an attribute imports more of them.
    known = [m for m in list(sys.modules.values()) if hasattr(m, "__dict__")]
    module = next((m for m in known if vars(m).get("__file__") == code["file"]), None)
    for name in (code["name"], "wide"):
        maker = getattr(module, name, None)
        if inspect.isfunction(maker) and "width" in _parameters(maker):
            needed = [
                p.name
                for p in _parameters(maker).values()
                if p.default is p.empty
                and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
                and p.name != "width"
            ]
            if not needed:
                return maker
    return None


def _own(function: nn.Module) -> tuple[str, str] | None:
    """Return the path and class of the one network of descend's that has all trainable parameters."""
    trained = {p for p in function.parameters() if p.requires_grad}
    for path, module in function.named_modules():
        if type(module) in (MLP, ConvNet, Transformer, WideAndDeep):
            return (path, type(module).__name__) if trained <= set(module.parameters()) else None
    return None


def _rebuilt(part: nn.Module, factor: float, seen: Look, path: str) -> nn.Module:
    if isinstance(part, MLP):
        linear = [m for m in part if isinstance(m, nn.Linear)]
        if len(linear) < 2:
            raise NotWidened("there is no hidden layer: the function has no width")
        sizes = [
            linear[0].in_features,
            *(times(m.out_features, factor) for m in linear[:-1]),
            linear[-1].out_features,
        ]
        dropout = next((m.p for m in part if isinstance(m, nn.Dropout)), 0.0)
        kind = next(
            re.sub(r"\d+$", "", n)
            for n, m in part.named_children()
            if n.endswith("1") and "linear" not in n and "dropout" not in n
        )
        return MLP(sizes, dropout, kind)
    if isinstance(part, ConvNet):
        conv, output = part.get_submodule("conv1"), part.get_submodule("output")
        assert isinstance(conv, nn.Conv2d) and isinstance(output, nn.Linear)
        before = _given(seen, f"{path}.conv1" if path else "conv1")
        dropout = next((m.p for m in part if isinstance(m, nn.Dropout)), 0.0)
        norm = "batch" if isinstance(part.get_submodule("norm1"), nn.BatchNorm2d) else "group"
        return ConvNet(
            conv.in_channels, output.out_features, before, times(conv.out_channels, factor), dropout, norm
        )
    if isinstance(part, Transformer):
        heads = getattr(part.blocks[0], "heads", 1)
        size = part.embedding.embedding_dim // heads
        count = times(heads, factor)
        vocabulary = part.embedding.num_embeddings
        return Transformer(vocabulary, count * size, len(part.blocks), count, part.context, part.dropout)
    assert isinstance(part, WideAndDeep)
    starts = part.first.tolist()
    every = 0 if part.embedding is None else part.embedding.num_embeddings
    slots = [b - a for a, b in pairwise([*starts, every])] if every else []
    dimension = 8 if part.embedding is None else part.embedding.embedding_dim
    hidden = [times(layer.out_features, factor) for layer in part.layers]
    features = part.wide.in_features - dimension * len(slots)
    return WideAndDeep(features, part.outputs, slots, dimension, hidden, part.dropout, part.members)


def _given(seen: Look, name: str) -> tuple[int, int]:
    """Return height and width of the pictures that a first convolution is given, from its output."""
    call = next(c for c in seen.calls if c.name == name)
    conv = call.module
    assert isinstance(conv, nn.Conv2d)
    # Its padding keeps the size, and a stride of 2 rounds up: twice the output's size gives the same layers.
    height, width = call.shape[-2:]
    return height * int(conv.stride[0]), width * int(conv.stride[1])


def _replaced(function: nn.Module, path: str, made: nn.Module) -> nn.Module:
    if not path:
        return made
    outer, _, last = path.rpartition(".")
    setattr(function.get_submodule(outer), last, made)
    return function


def _unknown(function: nn.Module) -> str:
    """Name the first module with parameters that is not widened layer by layer."""
    known = [module for module in layers(function) if type(module) in KNOWN]
    inside = {part for module in known for part in module.modules()}
    for name, module in function.named_modules():
        if module not in inside and list(module.parameters(recurse=False)):
            return f"{name or 'the function'} ({type(module).__name__})"
    if len(list(function.parameters())) != len(list(function.named_parameters(remove_duplicate=False))):
        return "a parameter that two layers share"
    return ""
