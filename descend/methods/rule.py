"""A method is its equations: the form in which every method is written.

A rule is one pure function ``(w, g, s, h) → new w``:

* ``w``: the parameter; ``g``: its gradient;
* ``s``: what the method keeps for this parameter. Reading ``s.m`` gives the value before the step or,
  once assigned, the new one; assigning ``s.m = ...`` gives it for the next. ``s.step`` counts this
  parameter's own steps, from 1;
* ``h``: the hyperparameters, by torch's names;
* ``s.form``: where the rule sorts parameters into forms (``@rule(form=...)``): this one's form.

It may branch (``if``) on hyperparameters, on the step count and on the form, never on a tensor's value:
that is ``where(condition, a, b)``.

It is run as plain torch on one tensor at a time (the oracle, :mod:`.executors.reference`), or traced
into a graph (:mod:`.trace`) from which the fast executors are made. What it keeps is declared::

    @rule(m=elementwise, v=elementwise)
    def adam(w, g, s, h): ...

From the declaration follow storage, number formats and sharding: see ``docs/decisions.md``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from descend.parameters.formats import Format


@dataclass(frozen=True)
class Kept:
    """A quantity that a method keeps between steps.

    Attributes:
        kind: ``elementwise`` (the parameter's shape), ``tensor`` (one number a tensor), ``matrix`` (a
            tensor of another shape) or ``all`` (one number for all parameters; it lives in the group).
        only_if: the name of a hyperparameter without which it is not kept at all.
        only_at: the values that hyperparameter may have; none where it need only be true (or not zero).
        forms: the forms of parameter for which it is kept; ``None`` for all.
        start: its value before the first step; ``"w"`` is the parameter's own initial value, another
            string the hyperparameter of that name.
        shape: of a matrix: its shape, from the parameter.
        given: hyperparameters that ``shape`` is given after the parameter, by name.
        nature: ``signed``, ``non_negative``, or ``weights`` (a point like the parameter itself): it says in
            which formats it may be stored (:mod:`.storing`).
        wide: whether it is kept in float32 at least, whatever the parameter is in; single numbers always are.
    """

    kind: str
    only_if: str | None = None
    start: float | str = 0.0
    shape: Callable[..., tuple[int, ...]] | None = None
    forms: tuple[str, ...] | None = None
    only_at: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    nature: str = "signed"
    wide: bool = False

    def when(self, hyperparameter: str, *is_at: str) -> "Kept":
        """Keep it only where ``hyperparameter`` is true (or not zero), or has one of these values."""
        return replace(self, only_if=hyperparameter, only_at=is_at)

    @property
    def condition(self) -> str:
        """What must hold for it to be kept, in Python over hyperparameters ``h``."""
        if self.only_if is None:
            return "True"
        wanted = f"h[{self.only_if!r}]"
        return f"({wanted} in {self.only_at!r})" if self.only_at else wanted

    def of(self, *forms: str) -> "Kept":
        """Keep it only for parameters of these forms."""
        return replace(self, forms=forms)

    def non_negative(self) -> "Kept":
        """Say that it is never below zero, as a mean of squares."""
        return replace(self, nature="non_negative")

    def of_weights(self) -> "Kept":
        """Say that it is a point like the parameter itself, whose small changes must not be lost."""
        return replace(self, nature="weights")

    def in_float32(self) -> "Kept":
        """Keep it in float32 at least: a basis in bfloat16 is not orthogonal, an average stands still."""
        return replace(self, wide=True)

    def starting(self, value: float | str) -> "Kept":
        """Start from ``value`` instead of zero."""
        return replace(self, start=value, nature="weights" if value == "w" else self.nature)

    def fresh(self, w: Tensor, hyperparameters: Mapping[str, Any]) -> Tensor:
        """Return its value before the first step for parameter ``w``."""
        dtype = torch.promote_types(w.dtype, torch.float32) if self.wide else w.dtype
        if self.start == "w":
            return w.detach().to(dtype, copy=True, memory_format=torch.preserve_format)
        start = float(hyperparameters[self.start] if isinstance(self.start, str) else self.start)
        if self.kind == "matrix":
            assert self.shape is not None
            like = torch.empty(w.shape, dtype=w.dtype, device="meta")  # w itself may be sharded
            shape = self.shape(like, *(hyperparameters[name] for name in self.given))
            return torch.full(shape, start, dtype=dtype, device=w.device)
        if self.kind != "elementwise":
            # A single number costs nothing, and sums of millions need the digits.
            dtype = torch.promote_types(w.dtype, torch.float32)
            return torch.full((), start, dtype=dtype, device=w.device)
        if w.is_meta:  # torch's own likenesses of what has no memory import sympy, which takes a second
            return torch.empty_strided(w.shape, w.stride(), dtype=dtype, device="meta")
        if start == 0.0:  # the system hands out zeros, and only when they are first touched
            return torch.zeros_like(w, dtype=dtype, memory_format=torch.preserve_format)
        return torch.full_like(w, start, dtype=dtype, memory_format=torch.preserve_format)


elementwise = Kept("elementwise")
"""One number for every number of the parameter: Adam's m and v."""

one_a_tensor = Kept("tensor")
"""One number for the whole tensor: a norm."""

one_for_all = Kept("all")
"""One number for all parameters: Prodigy's d. It is kept, and saved, in ``param_groups``."""


def matrix(shape: Callable[..., tuple[int, ...]], *given: str) -> Kept:
    """Keep a tensor of another shape: SOAP's bases.

    Args:
        shape: gives its shape from the parameter.
        *given: names of hyperparameters that it depends on too, given after the parameter.
    """
    return Kept("matrix", shape=shape, given=given)


@dataclass(frozen=True, eq=False)
class Rule:
    """The equations of a method, and what they keep.

    Attributes:
        equations: the pure function ``(w, g, s, h) → new w``.
        kept: the quantities kept, by name.
        form: sorts parameters into forms (a matrix, a vector, ...), for which the rule may branch.
    """

    equations: Callable[..., Any]
    kept: Mapping[str, Kept]
    form: Callable[[Tensor], str] | None = None

    @property
    def __name__(self) -> str:
        return self.equations.__name__

    def keeps(self, hyperparameters: Mapping[str, Any], form: str | None = None) -> dict[str, Kept]:
        """Return what is kept under these hyperparameters for parameters of this form."""
        return {
            name: kept
            for name, kept in self.kept.items()
            if (
                kept.only_if is None
                or (not kept.only_at and bool(hyperparameters[kept.only_if]))
                or hyperparameters[kept.only_if] in kept.only_at
            )
            and (kept.forms is None or form in kept.forms)
        }

    def around(self, equations: Callable[..., Any], **kept: Kept) -> "Rule":
        """Return a rule with other equations around these (a modifier), and perhaps more to keep."""
        return Rule(equations, {**self.kept, **kept}, self.form)


def rule(form: Callable[[Tensor], str] | None = None, **kept: Kept) -> Callable[[Callable[..., Any]], Rule]:
    """Declare a function as a method's equations.

    Args:
        form: sorts a parameter (or its shape's likeness) into a form, given to the rule as ``s.form``.
        **kept: what it keeps between steps: :data:`elementwise`, :data:`one_a_tensor`,
            :data:`one_for_all`, :func:`matrix`.

    Raises:
        TypeError: where a name is taken, or numbers for all would be kept by some forms alone.
    """
    if taken := kept.keys() & {"w", "g", "step", "form"}:
        raise TypeError(f"a rule cannot keep {', '.join(taken)}: the name is taken")
    if form is not None and any(k.kind == "all" for k in kept.values()):
        raise TypeError("a rule with forms cannot keep numbers for all parameters")
    return lambda equations: Rule(equations, kept, form)


class Namespace:
    """Attributes from a dict: the ``h`` of a rule, with the values of a parameter group."""

    def __init__(self, values: Mapping[str, Any]):
        self.__dict__.update(values)


@dataclass(slots=True)
class Stored:
    """In which number formats a batch's places are stored, where not plainly.

    Attributes:
        formats: by place: ``w``, or what is kept.
        beside: by place, one tensor a parameter: the exponents of blocks, or correction bits.
        numbers: each parameter's number among those of the optimizer; its noise depends on it.
        seed: of the noise.
    """

    formats: dict[str, Format]
    beside: dict[str, list[Tensor]]
    numbers: list[int]
    seed: int

    def at(self, index: Sequence[int]) -> "Stored":
        """Return the same of some of the parameters."""
        beside = {name: [values[i] for i in index] for name, values in self.beside.items()}
        return Stored(self.formats, beside, [self.numbers[i] for i in index], self.seed)


@dataclass(slots=True)
class Replayed:
    """What a step needs of which nothing may be told by the host, so that a CUDA graph can replay it.

    Attributes:
        counts: each parameter's own step count, on the device; ``None`` where the equations have none.
        tensors: hyperparameters that lie on the device, by how equations name them: ``h['lr']``.
        captured: whether a graph is being captured: then nothing can be read from the device, or sent to it.
        kept: what must live as long as the graph does.
    """

    counts: list[Tensor] | None
    tensors: Mapping[str, Tensor]
    captured: bool
    kept: list[Any]

    def at(self, index: Sequence[int]) -> "Replayed":
        """Return the same of some of the parameters."""
        counts = None if self.counts is None else [self.counts[i] for i in index]
        return Replayed(counts, self.tensors, self.captured, self.kept)


@dataclass(slots=True)
class Batch:
    """What one step of one parameter group works on.

    Attributes:
        w: parameters.
        g: their gradients, never written to.
        kept: for each quantity kept, one tensor a parameter; one tensor alone if it is one for all.
        steps: each parameter's own step count, this step included.
        hyperparameters: by torch's names.
        form: the form of all these parameters.
        stored: the number formats of places that are not plain tensors of numbers; the same for all.
        scale: what the gradients were multiplied by, a number on their device; ``None`` where by nothing.
        found_inf: beside ``scale``: not zero where a gradient is infinite, so that nothing may move.
        replayed: what a step needs that a CUDA graph can replay; ``steps`` then only choose the path.
    """

    w: list[Tensor]
    g: list[Tensor]
    kept: dict[str, list[Tensor]]
    steps: list[int]
    hyperparameters: Mapping[str, Any]
    form: str | None = None
    stored: Stored | None = None
    scale: Tensor | None = None
    found_inf: Tensor | None = None
    replayed: Replayed | None = None
