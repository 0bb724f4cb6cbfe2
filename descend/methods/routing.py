"""Which parameter is descended by which method.

A method that is for matrices takes a network's hidden matrices and convolutions, and leaves the rest to
another: embeddings and heads, whose rows are rarely or unevenly used, and norms, biases and other vectors,
which have no directions to tell apart. Parameters are sorted into kinds by module, name and shape
(:func:`kinds`); a method's class says in ``routes`` where each kind goes; a person may say otherwise by
patterns of names.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from descend.errors import UsageError, nearest
from descend.methods import storing
from descend.methods.checks import member
from descend.methods.method import Method

KINDS = ("hidden", "convolution", "embedding", "head", "norm", "vector")
"""What a parameter can be. Biases are vectors."""

_EMBEDDINGS = re.compile(r"^(\w*embed\w*|\w*_?emb|wte|wpe|pos|positions?|\w*_positions?|relative_\w*)$")
_HEADS = re.compile(r"^(heads?|lm_head|classifier|fc_out|unembed\w*|score|logits|proj_out)$")
_NORMS = re.compile(r"^(\w*norm\w*|ln\w*|bn\d*)$")
_NORM_CLASSES = re.compile(r"Norm\d*d?$|^\w*Norm\w*$")

Route = dict[str, Any]
"""A group's hyperparameters, with ``method`` where it is not the optimizer's own."""


def kinds(model: nn.Module | Iterable[tuple[str, Tensor]]) -> dict[str, str]:
    """Sort trainable parameters into :data:`KINDS`.

    A weight that is tied to an embedding is one. The head is the last ``nn.Linear`` of the model, unless it
    is one of many alike, and the last one of a part that is named as heads are.

    Args:
        model: a module; or named parameters, which are told apart by name and shape alone.

    Returns:
        name → kind, each parameter once, in the model's order.

    Example:
        >>> kinds(nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)))
        ... # doctest: +NORMALIZE_WHITESPACE
        {'0.weight': 'embedding', '1.weight': 'hidden', '1.bias': 'vector', '2.weight': 'norm',
         '2.bias': 'norm', '3.weight': 'head', '3.bias': 'vector'}
    """
    if not isinstance(model, nn.Module):
        return {name: _kind(name, p, None) for name, p in model if p.requires_grad}
    heads = _heads(model)
    found: dict[Tensor, tuple[str, str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for last, p in module.named_parameters(recurse=False, remove_duplicate=False):
            if not p.requires_grad:
                continue
            name = f"{path}.{last}" if path else last
            kind = _kind(name, p, module)
            if kind != "embedding" and p in heads:
                kind = "head"
            known = found.get(p)
            if known is None:
                found[p] = name, kind
            elif kind == "embedding" or (kind == "head" and known[1] != "embedding"):
                found[p] = known[0], kind
    return dict(found.values())


def _kind(name: str, p: Tensor, module: nn.Module | None) -> str:
    parts = name.split(".")
    owner = parts[-2:-1] if parts[-1] in ("weight", "bias") else parts[-1:]
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    if (module is not None and _NORM_CLASSES.search(type(module).__name__)) or (
        p.ndim < 2 and any(map(_NORMS.match, owner))
    ):
        return "norm"
    if sum(n > 1 for n in p.shape) < 2 and not isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        return "vector"
    if p.ndim < 2:
        return "vector"
    if not isinstance(module, nn.Linear) and any(map(_EMBEDDINGS.match, owner)):
        return "embedding"
    if module is None and any(map(_HEADS.match, parts[:-1])):
        return "head"
    return "hidden" if p.ndim == 2 else "convolution"


def _heads(model: nn.Module) -> set[Tensor]:
    linear = [(name, m.weight) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    found: set[Tensor] = set()
    if not linear:
        return found
    alike: dict[tuple[str, torch.Size], int] = {}
    for name, weight in linear:
        key = re.sub(r"\d+", "*", name), weight.shape
        alike[key] = alike.get(key, 0) + 1
    name, weight = linear[-1]
    if alike[re.sub(r"\d+", "*", name), weight.shape] == 1:
        found.add(weight)
    parts: dict[str, Tensor] = {}
    for name, weight in linear:
        path = name.split(".")
        for i, part in enumerate(path):
            if _HEADS.match(part):
                parts[".".join(path[: i + 1])] = weight  # the last one stays
                break
    return found | set(parts.values())


# Routes -----------------------------------------------------------------------------------------
def routed(
    cls: type[Method],
    model: nn.Module | Sequence[tuple[str, Tensor]],
    hyperparameters: Mapping[str, Any],
    routes: Mapping[str, str | Mapping[str, Any]] | None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Sort parameters into groups.

    Args:
        cls: the method that was asked for.
        model: a module, or named parameters.
        hyperparameters: of ``cls``, as they were given.
        routes: pattern of names → a method's name, or hyperparameters, with or without ``method``.

    Returns:
        The groups, those of ``cls`` first; and the kind of each parameter.

    Raises:
        UsageError: where a pattern matches nothing, or a method or hyperparameter is unknown.
    """
    named = dict(model.named_parameters() if isinstance(model, nn.Module) else model)
    found = kinds(model)
    chosen = _chosen(cls, list(found), routes or {}, hyperparameters)
    usual = _usual(cls, hyperparameters)
    groups: dict[str, dict[str, Any]] = {}
    for name, kind in found.items():
        route = {**usual.get(kind, {})}
        own = chosen.get(name)
        if own is not None:
            route = {**own} if "method" in own else {**route, **own}
        if route.get("method") == cls.__name__.lower():
            del route["method"]
        to = Method.named[route["method"]] if "method" in route else cls
        known = {**to.defaults, **dict.fromkeys(Method.modifying())}
        if unknown := [k for k in route if k != "method" and k not in known]:
            raise UsageError(
                f"a hyperparameter of {to.__name__}", repr(unknown[0]), nearest(unknown[0], list(known))
            )
        group = groups.setdefault(repr(sorted(route.items())), {"params": [], **route})
        group["params"].append((name, named[name]))
    return sorted(groups.values(), key=lambda group: "method" in group), found


def _usual(cls: type[Method], given: Mapping[str, Any]) -> dict[str, Route]:
    """Return where each kind goes, as the class says, with its rate for the learning rate given."""
    h = {**cls.defaults, **given}
    usual: dict[str, Route] = {}
    for kind, route in (cls.routes(h) if cls.routes else {}).items():
        route = dict(route)
        if "lr_ratio" in route:
            route["lr"] = h["lr"] * route.pop("lr_ratio")
        if "method" in route:
            own = Method.named[route["method"]].defaults
            shared = {k: given[k] for k in ("weight_decay", "maximize") if k in given and k in own}
            route = {**shared, **route}
        usual[kind] = route
    return usual


def _chosen(
    cls: type[Method],
    names: list[str],
    routes: Mapping[str, str | Mapping[str, Any]],
    given: Mapping[str, Any],
) -> dict[str, Route]:
    """Return the routes that a person chose, by name; the first pattern that matches wins."""
    from descend.methods import method

    chosen: dict[str, Route] = {}
    for pattern, to in routes.items():
        matched = [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            raise UsageError("a pattern of parameters' names", repr(pattern), nearest(pattern, names))
        route: Route = {"method": to} if isinstance(to, str) else dict(to)
        if "method" in route:
            other = method(route["method"])
            route["method"] = other.__name__.lower()
            if other is not cls:
                member(cls, route["method"])
            if other is not cls and "maximize" in given:
                route.setdefault("maximize", given["maximize"])
        for name in matched:
            chosen.setdefault(name, route)
    return chosen


# The table --------------------------------------------------------------------------------------
def table(opt: Method) -> list[dict[str, Any]]:
    """Return one row a parameter, or a pattern of parameters that are alike and go the same way.

    Returns:
        Rows of ``parameter``, ``count``, ``method``, ``shape``, ``scale`` (by how much its step is lengthened
        for its shape; ``None`` where it is not), ``lr``, ``weight_decay`` and ``bytes`` (of state, all).
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    members: dict[tuple[Any, ...], list[tuple[str, ...]]] = {}
    for i, group in enumerate(opt.param_groups):
        cls = opt._class(group)
        names = group.get("param_names") or [f"parameter {k}" for k in range(len(group["params"]))]
        h = opt._hyperparameters(group)
        for name, p in zip(names, group["params"], strict=True):
            key = i, re.sub(r"(?<![^.])\d+(?![^.])", "{}", name), tuple(p.shape), p.dtype
            row = rows.setdefault(
                key,
                {
                    "parameter": name,
                    "count": 0,
                    "method": cls.__name__.lower(),
                    "shape": tuple(p.shape),
                    "scale": None if cls.lengthened is None else cls.lengthened(p, h),
                    "lr": h.get("lr"),
                    "weight_decay": h.get("weight_decay"),
                    "bytes": 0,
                },
            )
            row["count"] += 1
            row["bytes"] += _state_bytes(opt, group, h, p)
            members.setdefault(key, []).append(tuple(re.findall(r"(?<![^.])\d+(?![^.])", name)))
    for key, row in rows.items():
        row["parameter"] = _pattern(key[1], members[key])
    return list(rows.values())


def _pattern(template: str, members: list[tuple[str, ...]]) -> str:
    """Write names that differ in numbers alone as one: ``layers.{0-7}.weight``."""
    sides = [sorted({int(m[k]) for m in members}) for k in range(len(members[0]))]
    return template.format(*(_numbers(side) for side in sides))


def _numbers(side: list[int]) -> str:
    if len(side) == 1:
        return str(side[0])
    runs: list[list[int]] = []
    for n in side:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return "{" + ",".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs) + "}"


def _state_bytes(opt: Method, group: dict[str, Any], h: dict[str, Any], p: Tensor) -> int:
    rule = opt._rule(group)
    like = torch.empty_like(torch.view_as_real(p) if p.is_complex() else p, device="meta")
    return storing.state_bytes(rule, rule.form(like) if rule.form else None, h, like, group)


def written(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write the rows of :func:`table` as plain text, with a last line for all together."""
    rows = list(rows)
    head = ("parameter", "method", "shape", "scale", "lr", "decay", "state")
    lines = [head, *map(_cells, rows)]
    methods = dict.fromkeys(row["method"] for row in rows)
    total = ", ".join(f"{m} {sum(r['count'] for r in rows if r['method'] == m)}" for m in methods)
    lines.append(("all", f"{total}", "", "", "", "", _size(sum(row["bytes"] for row in rows))))
    width = [max(len(line[k]) for line in lines[:-1]) for k in range(len(head))]
    width[-1] = max(width[-1], len(lines[-1][-1]))
    text = [
        "  ".join(f"{x:{'>' if k > 2 else '<'}{w}}" for k, (x, w) in enumerate(zip(line, width, strict=True)))
        for line in lines[:-1]
    ]
    rest = len(text[0]) - width[0] - 2 - width[-1]
    text.append(f"{lines[-1][0]:<{width[0]}}  {lines[-1][1]:<{rest}}{lines[-1][-1]:>{width[-1]}}")
    return "\n".join(line.rstrip() for line in text)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["parameter"],
        row["method"],
        "×".join(map(str, row["shape"])) or "1",
        *("–" if row[k] is None else f"{row[k]:.3g}" for k in ("scale", "lr", "weight_decay")),
        _size(row["bytes"]),
    )


def _size(n: int) -> str:
    k = min(3, max(0, n.bit_length() - 1) // 10)
    return f"{n / 1024**k:.{1 if k else 0}f} {('B', 'KiB', 'MiB', 'GiB')[k]}"
