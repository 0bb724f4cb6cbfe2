"""When training is over: what parameters came to, and what modules make of their inputs, asked of copies."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from descend.watching.facts import RootFacts
from descend.watching.modules import KEPT, UNLISTED
from descend.watching.probing import first, probe, silent
from descend.watching.reach import reach
from descend.watching.samples import held, some

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

PROBED = 20_000_000
"""Up to how many parameters a module is copied to ask what it makes of its inputs."""


class Ending:
    """Looks at what is there when training is over.

    Args:
        watcher: whose training it was.
        leaves: tensors that a loss's gradient was added to, by their ids.
    """

    def __init__(self, watcher: Watcher, leaves: dict[int, Tensor]):
        self._watcher, self._leaves = watcher, leaves
        self._modules, self._seen, self._names = watcher.modules, watcher.seen, watcher.modules.names
        self._held = watcher.optimizers.holding()

    def look(self) -> None:
        """Note whether gradients are wanted and came, and what modules make of their inputs."""
        modules = self._modules
        for index, facts in enumerate(self._seen.roots):
            if modules.since.get(index, (-1,))[0] != self._watcher.losses.backwards:
                facts.calls_after = facts.training_after = 0
        for index, module in modules.alive():
            args = modules.given.pop(index, None)
            facts = self._seen.roots[index]
            if args is not None and index < KEPT:
                self._ask(module, args, facts)
            if facts.shapes:
                continue
            if self._held is not None:
                self._grown(module, facts, self._held)
                self._tensors(module, args or ())
            for p in module.parameters():
                self._last(p)
        for p in self._leaves.values():
            known = self._watcher.optimizers.had.get(id(p))
            if id(p) not in self._names and (known is None or known() is not p) and held(p):
                self._unlisted(f"{UNLISTED}{len(self._seen.parameters)}", p, nn.Module())
            if held(p):
                self._last(p)
        modules.kept.clear()
        self._watcher.optimizers.kept.clear()

    def _ask(self, module: nn.Module, args: tuple[Any, ...], facts: RootFacts) -> None:
        """Ask a copy of a module what it makes of its inputs."""
        own = sum(p.numel() for p in module.parameters())
        asked, whole = False, module
        inner = getattr(module, "module", None)
        if type(module).__name__ == "DistributedDataParallel" and isinstance(inner, nn.Module):
            whole = inner  # the calls of the outer one wait for other processes
        cut = any(type(p).__name__ == "DTensor" for p in module.parameters())
        with suppress(Exception):  # of a form that cannot be copied or cut: it is not measured
            asked = own <= PROBED and not cut and probe(whole, args, facts)
        with suppress(Exception):
            facts.silent = self._silent(whole, args)
        if not asked:
            self._seen.not_measured.append(f"what {facts.kind} makes of its inputs")
        else:
            with suppress(Exception), torch.random.fork_rng():
                facts.reach = tuple(reach(copy.deepcopy(whole).eval(), args))
        if facts.copies is not None and not cut:
            argument, ahead, _ = facts.copies
            with suppress(Exception), torch.random.fork_rng(), torch.no_grad():
                facts.looks_ahead = _looks_ahead(
                    copy.deepcopy(whole).eval(), args, argument, 0 if ahead else 1
                )

    def _silent(self, module: nn.Module, args: Any) -> tuple[str, ...]:
        """Return the names of parameters that no gradient reaches, if they make no difference either."""
        names, leaves = self._names, self._leaves
        left = {
            name: names[id(p)]
            for name, p in module.named_parameters()
            if p.requires_grad and p.grad is None and leaves.get(id(p)) is not p and id(p) in names
        }
        return tuple(left.values()) if left and silent(module, args, list(left)) else ()

    def _grown(self, module: nn.Module, facts: RootFacts, held: dict[int, int]) -> None:
        """Note parameters that a module has come to have since its first call, and who holds them."""
        for name, part in module.named_modules():
            for own, p in part.named_parameters(recurse=False):
                if self._names.get(id(p), UNLISTED).startswith(UNLISTED) and not is_lazy(p):
                    full = f"{name}.{own}" if name else own
                    full = f"{facts.kind}.{full}" if full in self._seen.parameters else full
                    facts.parameters.append(self._modules.know(full, p, part))
                    self._seen.parameters[full].optimizer = held.get(id(p), -1)

    def _tensors(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Note tensors that a module learns of, and does not list: attributes that are no parameters."""
        for name, part in module.named_modules():
            for own, x in _attributes(part):
                learned = x.requires_grad and x.is_leaf and x.grad is not None
                if learned and id(x) not in self._names and not any(x is a for a in args):
                    self._unlisted(f"{UNLISTED}{name}.{own}" if name else f"{UNLISTED}{own}", x, part)
                    self._last(x)

    def _unlisted(self, name: str, p: Tensor, module: nn.Module) -> None:
        facts = self._seen.parameters[self._modules.know(name, p, module)]
        facts.registered = False
        facts.first = None  # it is too late to see whether it moves

    def _last(self, p: Tensor) -> None:
        facts = self._seen.parameters.get(self._names.get(id(p), ""))
        if facts is None:
            return
        facts.requires_grad = p.requires_grad
        facts.reached = p.grad is not None or self._leaves.get(id(p)) is p
        if facts.first is not None:
            facts.changed = not torch.equal(some(p, 512).cpu(), facts.first)


def _attributes(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield a module's own attributes that are tensors, and those in lists and dicts of them."""
    for name, value in vars(part).items():
        if name in ("_parameters", "_buffers", "_modules"):
            continue
        many = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        every = [value, *many]
        for x in every[:64]:
            if isinstance(x, Tensor) and not isinstance(x, nn.Parameter):
                yield name, x


def _looks_ahead(module: nn.Module, args: tuple[Any, ...], argument: int, own_too: int) -> bool:
    """Return whether what is told of early places changes with the last place of an argument.

    Args:
        module: it.
        args: of one of its calls.
        argument: which of them.
        own_too: 1 where that place itself must not change either.
    """
    x = args[argument]
    if not isinstance(x, Tensor) or x.dim() not in (2, 3) or len(x) < 2:
        return False
    x = x.detach()[:8]
    rest = [a.detach()[:8] if isinstance(a, Tensor) and a.dim() and len(a) > 1 else a for a in args]
    before = first(module(*rest))
    if before is None or before.dim() not in (2, 3):
        return False
    for place in range(1, x.dim()):
        length = x.shape[place]
        own = next((d for d in range(1, before.dim()) if before.shape[d] == length), None)
        if length < 4 or own is None:
            continue
        other = x.clone()
        other.select(place, -1).copy_(x.select(place, -1).roll(1, 0))
        if torch.equal(other, x):
            continue
        after = first(module(*rest[:argument], other, *rest[argument + 1 :]))
        if after is None:
            continue
        changed = (after - before).narrow(own, 0, length - 1 + own_too).abs().amax()
        if bool(changed > 1e-4 * before.abs().amax()):
            return True
    return False
