"""A script with a remedy from its first step on, by hooks: to see whether what was proved improves its end.

What is proved on captured steps (:mod:`descend.diagnosing.replay_proof`) is a promise about the script.
This keeps the promise for the remedies that hooks can bring about, so that it can be measured how many hold.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from descend.diagnosing.replay_remedies import less_momentum, resettable
from descend.errors import UsageError

Group = dict[str, Any]


def run(remedy: str, script: Path, args: list[str]) -> int:
    """Run a script with a remedy applied; return 0.

    Args:
        remedy: the ``hook`` of an experiment, as ``proof.tried`` has it.
        script: the file.
        args: its own arguments.

    Raises:
        UsageError: where hooks cannot apply this remedy.
    """
    name, _, value = remedy.partition(":")
    if name not in APPLIED:
        raise UsageError("a remedy that hooks can apply", repr(remedy), f"one of {', '.join(APPLIED)}")
    APPLIED[name](value)
    sys.argv[:] = [str(script), *args]
    sys.path.insert(0, str(script.parent.resolve()))
    runpy.run_path(str(script), run_name="__main__")
    return 0


def _during_steps(change: Callable[[Group], None]) -> None:
    """Change groups before each step, and give them back after it: schedulers see their own values."""
    before: dict[int, list[Group]] = {}

    def pre(optimizer: Optimizer, *_: Any) -> None:
        before[id(optimizer)] = [
            {k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups
        ]
        for group in optimizer.param_groups:
            change(group)

    def post(optimizer: Optimizer, *_: Any) -> None:
        for group, own in zip(optimizer.param_groups, before.pop(id(optimizer), []), strict=True):
            group.update(own)

    register_optimizer_step_pre_hook(pre)
    register_optimizer_step_post_hook(post)


def _rate(value: str) -> None:
    factor = float(value)
    _during_steps(lambda g: g.update(lr=g["lr"] * factor))


def _momentum(value: str) -> None:
    _during_steps(less_momentum)


def _decay(value: str) -> None:
    factor = float(value)
    _during_steps(lambda g: g.update(weight_decay=g.get("weight_decay", 0.0) * factor))


def _descends(value: str) -> None:
    _during_steps(lambda g: g.update(maximize=False))


def _constant(value: str) -> None:
    largest: dict[int, float] = {}

    def change(group: Group) -> None:
        first = id(group["params"][0])
        largest[first] = group["lr"] = max(group["lr"], largest.get(first, 0.0))

    _during_steps(change)


def _clip(value: str) -> None:
    clip = nn.utils.clip_grad_norm_
    _unclipped("")

    def pre(optimizer: Optimizer, *_: Any) -> None:
        clip([p for g in optimizer.param_groups for p in g["params"]], 1.0)

    register_optimizer_step_pre_hook(pre)


def _unclipped(value: str) -> None:
    def nothing(parameters: Any, *_: Any, **__: Any) -> Tensor:
        given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        found = [p.grad.norm() for p in given if p.grad is not None]
        return torch.stack(found).norm() if found else torch.zeros(())

    for where in (nn.utils, nn.utils.clip_grad):
        where.clip_grad_norm_ = where.clip_grad_value_ = nothing  # type: ignore[assignment]


def _cleared(value: str) -> None:
    register_optimizer_step_post_hook(lambda optimizer, *_: optimizer.zero_grad())


def _kept(value: str) -> None:
    last: dict[tuple[int, ...], Optimizer] = {}

    def pre(optimizer: Optimizer, *_: Any) -> None:
        key = tuple(id(p) for g in optimizer.param_groups for p in g["params"])
        known = last.get(key)
        if known is not None and known.state and not optimizer.state:
            optimizer.state = known.state
        last[key] = optimizer

    register_optimizer_step_pre_hook(pre)


def _train(value: str) -> None:
    register_module_forward_pre_hook(lambda module, _: setattr(module, "training", torch.is_grad_enabled()))


def _at_first_call(change: Callable[[nn.Module], None]) -> None:
    done: list[nn.Module] = []

    def pre(module: nn.Module, _: Any) -> None:
        if not done and torch.is_grad_enabled() and next(module.parameters(), None) is not None:
            done.append(module)
            change(module)

    register_module_forward_pre_hook(pre)


def _initialised(value: str) -> None:
    def change(module: nn.Module) -> None:
        for part in resettable([module], value):
            part.reset_parameters()  # type: ignore[operator]

    _at_first_call(change)


def _learning(value: str) -> None:
    root: list[nn.Module] = []

    def change(module: nn.Module) -> None:
        root.append(module.requires_grad_(True))

    def pre(optimizer: Optimizer, *_: Any) -> None:
        have = {id(p) for g in optimizer.param_groups for p in g["params"]}
        missing = [p for m in root for p in m.parameters() if id(p) not in have]
        optimizer.param_groups[0]["params"] += missing

    _at_first_call(change)
    register_optimizer_step_pre_hook(pre)


def _negated(value: str) -> None:
    original = Tensor.backward
    Tensor.backward = lambda self, *args, **kwargs: original(-self, *args, **kwargs)  # type: ignore[method-assign]


def _standardised(value: str) -> None:
    known: dict[int, tuple[Tensor, Tensor]] = {}
    root: list[nn.Module] = []

    def pre(module: nn.Module, args: Any) -> Any:
        if (
            not args
            or not isinstance(args[0], Tensor)
            or not args[0].is_floating_point()
            or args[0].dim() < 2
        ):
            return None
        if not root:
            root.append(module)
        if module is not root[0]:
            return None
        x = args[0]
        if not known:
            mean, std = (x.mean(0), x.std(0)) if x.dim() == 2 else (x.mean(), x.std())
            known[0] = mean, torch.where(std > 1e-12 * (mean.abs() + 1e-30), std, 1.0)
        mean, std = known[0]
        return ((x - mean) / std, *args[1:])

    register_module_forward_pre_hook(pre)


def _same_shape(value: str) -> None:
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        original = getattr(F, name)

        def equal(a: Tensor, b: Tensor, *args: Any, original: Any = original, **kwargs: Any) -> Tensor:
            return original(a, b.reshape(a.shape) if a.numel() == b.numel() else b, *args, **kwargs)

        setattr(F, name, equal)


def _scores(value: str) -> None:
    original = F.cross_entropy

    def of_scores(p: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return original(p.clamp_min(torch.finfo(p.dtype).tiny).log(), *args, **kwargs)

    F.cross_entropy = of_scores


APPLIED: dict[str, Callable[[str], None]] = {
    "rate": _rate,
    "momentum": _momentum,
    "decay": _decay,
    "descends": _descends,
    "constant": _constant,
    "clip": _clip,
    "unclipped": _unclipped,
    "cleared": _cleared,
    "kept": _kept,
    "train": _train,
    "initialised": _initialised,
    "learning": _learning,
    "negated": _negated,
    "standardised": _standardised,
    "same shape": _same_shape,
    "scores": _scores,
}
"""What hooks can do, by name."""
