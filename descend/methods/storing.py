"""Which number format each place of a method is stored in, as its group says, and how one becomes another.

Any method takes ``state_format`` (of what it keeps), ``parameter_format`` and ``rounding_seed``, for all
parameters or in one group::

    descend.AdamW(model.parameters(), state_format="8-bit", parameter_format="bfloat16+8")

What the declaration of a rule says (:class:`.rule.Kept`) decides what a format is for: only elementwise
quantities are stored in fewer bits; points like the parameter itself (the average of an average, the z of a
schedule-free method), and what a rule keeps in float32, stay in float32; what is never negative needs no
sign. In eight bits, vectors and tensors with very short rows stay in float32 as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.errors import UsageError, nearest
from descend.methods.executors import sharded
from descend.methods.rule import Batch, Kept, Rule, Stored
from descend.parameters import formats
from descend.parameters.formats import BESIDE, Format, beside

if TYPE_CHECKING:
    from descend.methods.method import Method

NAMES = ("state_format", "parameter_format", "rounding_seed")
"""Hyperparameters that say how things are stored; any method takes them."""

STATE: dict[str, Format | None] = {
    "float32": None,
    "bfloat16": Format.STOCHASTIC,
    "8-bit": Format.SIGNED,
}
PARAMETERS: dict[str, Format] = {
    "bfloat16": Format.STOCHASTIC,
    "bfloat16+8": Format.SPLIT8,
    "bfloat16+16": Format.SPLIT16,
}


def check(group: Mapping[str, Any]) -> None:
    """Check the formats that a group of parameters asks for.

    Raises:
        UsageError: where there is no such format, or no parameter is in bfloat16 and one is asked for.
    """
    for name, known in (("state_format", STATE), ("parameter_format", PARAMETERS)):
        value = group.get(name)
        if value is not None and value not in known:
            raise UsageError(f"{name}: {', '.join(known)}", repr(value), nearest(str(value), list(known)))
    dtypes = {p.dtype for p in group["params"]}
    wanted = group.get("parameter_format")
    if wanted and dtypes and torch.bfloat16 not in dtypes:
        raise UsageError(
            f"parameters in bfloat16 for parameter_format={wanted!r}",
            f"parameters in {' and '.join(str(d).removeprefix('torch.') for d in dtypes)}",
            "call model.to(torch.bfloat16) before making the optimizer",
        )
    seed = group.get("rounding_seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError("rounding_seed: a whole number", repr(seed), "for example rounding_seed=0")


def asked(group: Mapping[str, Any]) -> bool:
    """Whether a group says how anything is to be stored."""
    return "state_format" in group or "parameter_format" in group


def batches(
    method: Method,
    rule: Rule,
    form: str | None,
    group: dict[str, Any],
    h: Mapping[str, Any],
    owners: list[Tensor],
    w: list[Tensor],
    g: list[Tensor],
) -> list[Batch]:
    """Count the step, and gather what it works on; what is stored alike goes together."""
    keeps = {n: k for n, k in rule.keeps(h, form).items() if k.kind != "all"}
    everything = (p for x in method.param_groups for p in x["params"])
    numbers, seed = {p: i for i, p in enumerate(everything)}, group.get("rounding_seed", 0)
    found: dict[tuple[Any, ...], Batch] = {}
    counted = method._graphs and method._graphs.steps(method, owners)
    for i, (p, x, gradient) in enumerate(zip(owners, w, g, strict=True)):
        own = method.state[p]
        if counted is None:
            own["step"] = step = int(own.get("step", 0)) + 1
        else:
            step = counted[i]
        wanted = formats_of(keeps, x, group)
        _store_as(own, keeps, x, h, wanted, plain_state_is_float32(group))
        key = tuple(wanted.items())
        if key not in found:
            stored = Stored(wanted, {n: [] for n, f in wanted.items() if f in BESIDE}, [], seed)
            found[key] = Batch([], [], {name: [] for name in keeps}, [], h, form, stored if wanted else None)
        batch = found[key]
        batch.w.append(x)
        batch.g.append(gradient)
        batch.steps.append(step)
        for name in keeps:
            batch.kept[name].append(own[name])
        if batch.stored is not None:
            batch.stored.numbers.append(numbers[p])
            for name, values in batch.stored.beside.items():
                values.append(own[beside(name)])
    return list(found.values())


def plain_state_is_float32(group: Mapping[str, Any]) -> bool:
    """Whether what is not stored in fewer bits is in float32, rather than as its parameter."""
    return bool(group.get("state_format") or group.get("parameter_format"))


def formats_of(keeps: Mapping[str, Kept], x: Tensor, group: Mapping[str, Any]) -> dict[str, Format]:
    """Return the format of each place of a parameter that is not stored plainly."""
    found: dict[str, Format] = {}
    parameter = group.get("parameter_format")
    if parameter and x.dtype == torch.bfloat16:
        found["w"] = PARAMETERS[parameter]
    state = STATE.get(group.get("state_format") or "float32")
    for name, kept in keeps.items():
        if state is None or kept.kind != "elementwise" or kept.wide or kept.nature == "weights":
            continue
        if state is Format.STOCHASTIC:
            found[name] = state
        elif formats.codable(tuple(x.shape)):
            found[name] = Format.NON_NEGATIVE if kept.nature == "non_negative" else Format.SIGNED
    return found


def _store_as(
    own: dict[str, Any],
    keeps: Mapping[str, Kept],
    x: Tensor,
    h: Mapping[str, Any],
    wanted: Mapping[str, Format],
    in_float32: bool,
) -> None:
    """Have everything of a parameter in its format, as it starts or from another format."""
    correction = BESIDE.get(wanted["w"]) if "w" in wanted else None
    known = own.get(beside("w"))
    if correction is None:
        own.pop(beside("w"), None)
    elif known is None:
        own[beside("w")] = torch.zeros_like(x, dtype=correction, memory_format=torch.preserve_format)
    elif known.dtype != correction:
        shift = 8 if correction == torch.int16 else -8
        wide = known.to(torch.int16)
        own[beside("w")] = (wide << shift if shift > 0 else wide >> -shift).to(correction)
    for name, kept in keeps.items():
        form, value, exponents = wanted.get(name), own.get(name), own.get(beside(name))
        if value is None:
            if form is None or not form.coded or kept.start != 0.0:
                value = kept.fresh(_wide_likeness(x) if in_float32 else x, h)
                value = value if value.dtype == torch.float64 or not in_float32 else value.float()
            else:
                own[name] = torch.zeros_like(x, dtype=torch.uint8, memory_format=torch.contiguous_format)
                own[beside(name)] = _exponents_like(x)
                continue
        elif stored_as(value, exponents, form, in_float32):
            continue
        _store(own, name, opened(value, exponents, kept), form, x)


def state_bytes(
    rule: Rule, form: str | None, h: Mapping[str, Any], x: Tensor, group: Mapping[str, Any]
) -> int:
    """Return the memory of what is kept for a parameter, in bytes.

    Args:
        rule: the equations.
        form: the form of the parameter.
        h: the hyperparameters.
        x: the parameter, or its likeness on the device ``meta``.
        group: says in which formats.
    """
    keeps = {n: k for n, k in rule.keeps(h, form).items() if k.kind != "all"}
    own: dict[str, Any] = {}
    wanted = formats_of(keeps, x, group)
    _store_as(own, keeps, x, h, wanted, plain_state_is_float32(group))
    return sum(value.numel() * value.element_size() for value in own.values())


def stored_as(value: Tensor, exponents: Tensor | None, form: Format | None, in_float32: bool) -> bool:
    """Whether a quantity is in this format already."""
    if form is None:
        return exponents is None and not (in_float32 and value.dtype in (torch.bfloat16, torch.float16))
    if form is Format.STOCHASTIC:
        return exponents is None and value.dtype == torch.bfloat16
    return exponents is not None


def opened(value: Tensor, exponents: Tensor | None, kept: Kept) -> Tensor:
    """Return a quantity as plain numbers, whichever format it is stored in."""
    if exponents is None:
        return value
    form = Format.NON_NEGATIVE if kept.nature == "non_negative" else Format.SIGNED
    part = sharded.Part.of(value)
    if part is None:
        return formats.decoded(value, exponents, form)
    return part.wrapped(formats.decoded(sharded.here(value), sharded.here(exponents), form))


def _store(own: dict[str, Any], name: str, value: Tensor, form: Format | None, x: Tensor) -> None:
    """Store plain numbers, each rounded to the nearest."""
    own.pop(beside(name), None)
    if form is None:
        own[name] = value
    elif form is Format.STOCHASTIC:
        own[name] = value.to(torch.bfloat16)
    else:
        part = sharded.Part.of(value)
        local = sharded.here(value).float()
        # The middle of all random numbers rounds to the nearest.
        middle = torch.full(local.shape, 0x7FFFFFFF, dtype=torch.int32, device=local.device)
        codes, exponents = formats.encoded(local, form, middle)
        own[name] = codes if part is None else part.wrapped(codes)
        own[beside(name)] = _exponents_like(x)
        sharded.here(own[beside(name)]).copy_(exponents)


def _wide_likeness(x: Tensor) -> Tensor:
    """Return a parameter in float32 at least, for what is kept in that."""
    return x if x.dtype in (torch.float32, torch.float64) else x.detach().float()


def _exponents_like(x: Tensor) -> Tensor:
    """Return room for the exponents of a parameter's blocks, sharded as it is."""
    part = sharded.Part.of(x)
    if part is None:
        shape = formats.exponents_shape(tuple(x.shape))
        return torch.zeros(shape, dtype=torch.uint8, device=x.device)
    return part.exponents(x)


def plain(own: Mapping[str, Any], name: str, kept: Kept) -> Tensor:
    """Return what a parameter's state holds as plain numbers, to be looked at and not to be changed."""
    return opened(own[name], own.get(beside(name)), kept)


def plain_parameter(own: Mapping[str, Any], x: Tensor) -> Tensor:
    """Return a parameter with its correction bits, where it has some."""
    rest = own.get(beside("w"))
    if rest is None:
        return x
    part = sharded.Part.of(x)
    if part is None:
        return formats.joined(x, rest)
    return part.wrapped(formats.joined(sharded.here(x), sharded.here(rest)))
