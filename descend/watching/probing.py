"""Asking a copy of a module what it makes of its inputs, and of being set to evaluation.

Asked with its parameters as they are, and with random ones, as dead units, zeros and a network that
has collapsed also hide an input, while one that the code drops stays hidden whatever the parameters are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from descend.watching.facts import RootFacts

EXAMPLES = 64
"""How many examples are asked about."""
RANDOM = 2
"""How many times it is asked with random parameters."""


class _Active(TorchFunctionMode):
    """Sees functions that act as in training."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, torch.dropout):
            p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            if p > 0 and kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True)):
                self.found.append("dropout")
        elif func is F.scaled_dot_product_attention:
            if kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0) > 0:
                self.found.append("scaled_dot_product_attention")
        elif func is F.batch_norm:
            statistics = kwargs.get("running_mean", args[1] if len(args) > 1 else None)
            if statistics is not None and kwargs.get("training", args[5] if len(args) > 5 else False):
                self.found.append("batch_norm")
        return func(*args, **kwargs)


def probe(module: nn.Module, args: tuple[Any, ...], facts: RootFacts) -> bool:
    """Note which inputs of a module make no difference to what it gives; return whether it could be asked.

    Args:
        module: it; copies of it are called.
        args: of one of its calls.
        facts: where it is noted.
    """
    given = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.dim() and len(a) > 1]
    if not given:
        return True
    examples = len(args[given[0]])
    given = [i for i in given if len(args[i]) == examples]
    whole = any(_pairs_up(args[i]) for i in given)
    own = [_part(a, examples if whole else EXAMPLES) if i in given else a for i, a in enumerate(args)]
    devices = {p.device.index for p in module.parameters() if p.is_cuda}
    try:
        with torch.random.fork_rng([d for d in devices if d is not None]):
            torch.manual_seed(0)
            twin = copy.deepcopy(module).eval()
            for p in twin.parameters():
                p.requires_grad_(False)
            with torch.no_grad(), _Active() as active:
                _given(twin, own)
            facts.always = sorted(set(active.found))
            if not facts.mode_matters and not active.found and _differs(twin, own):
                facts.mode_matters.append("forward")
            ignored = _ignores(twin, own, given)
            if ignored and ignored != [0]:  # answers may be told in training alone
                trained = _ignores(twin.train(), own, given)
                ignored = [i for i in ignored if i == 0 or (i in trained and not _answers(twin, own, i))]
                twin.eval()
            used = _reached(twin, own, given[0])
            for _ in range(RANDOM if ignored or (used is not None and not bool(used.all())) else 0):
                _randomise(twin)
                own = [_scaled(a) if i in given else a for i, a in enumerate(own)]
                ignored = [i for i in ignored if i in _ignores(twin, own, given)]
                more = _reached(twin, own, given[0])
                used = used | more if used is not None and more is not None else used
            if used is not None and own[given[0]].is_floating_point():
                used = used | _matters(twin, own, given[0], ~used)
            facts.ignores = ignored
            if used is not None and own[given[0]].is_floating_point():
                facts.features, facts.unused_features = used.numel(), int((~used).sum())
            elif used is not None:
                facts.tokens, facts.unused_tokens = used.numel(), int((~used).sum())
    except Exception:
        return False
    return True


@torch.no_grad()
def silent(module: nn.Module, args: tuple[Any, ...], names: list[str]) -> bool:
    """Return whether some parameters of a module make no difference to what it gives.

    Args:
        module: it; a copy of it is called.
        args: of one of its calls.
        names: of the parameters.
    """
    with torch.random.fork_rng():
        twin = copy.deepcopy(module).eval()
        _randomise(twin)
        own = [a.detach().clone() if isinstance(a, Tensor) else a for a in args]
        before = _given(twin, own)
        known = dict(twin.named_parameters())
        for name in names:
            known[name].add_(torch.randn_like(known[name]))
        after = _given(twin, own)
    return before is not None and after is not None and torch.equal(before, after)


def _pairs_up(x: Tensor) -> bool:
    """Whether it may tell of ties between all examples, as a graph's adjacency does."""
    return x.layout != torch.strided or (x.dim() == 2 and x.shape[0] == x.shape[1])


def _part(x: Tensor, examples: int) -> Tensor:
    return (x.detach() if examples >= len(x) else x.detach()[:examples]).clone()


def _given(twin: nn.Module, args: list[Any]) -> Tensor | None:
    torch.manual_seed(1)
    return all_of(twin(*args))


@torch.no_grad()
def _differs(twin: nn.Module, args: list[Any]) -> bool:
    """Whether training and evaluation differ, though no layer is known that would make them."""
    evaluated = _given(twin, args)
    trained = _given(twin.train(), args)
    twin.eval()
    if evaluated is None or trained is None or not bool(evaluated.isfinite().all()):
        return False
    # Not to the last digit: some layers take another way where nothing is to be differentiated.
    apart = (evaluated - trained).abs().max()
    return bool(apart > 1e-3 * evaluated.abs().max())


@torch.no_grad()
def _ignores(twin: nn.Module, args: list[Any], given: list[int]) -> list[int]:
    before = _given(twin, args)
    found: list[int] = []
    if before is None or before.dim() < 1 or len(before) != len(args[given[0]]):
        return found  # what is made of a whole set may well not depend on its order
    for i in given:
        rolled = args[i].roll(1, 0)
        if not torch.equal(rolled, args[i]):
            again = [rolled if k == i else a for k, a in enumerate(args)]
            after = _given(twin, again)
            if (
                after is not None
                and torch.equal(after, before)
                and _losses(twin, again) == _losses(twin, args)
            ):
                found.append(i)
    return found


def _losses(twin: nn.Module, args: list[Any]) -> list[float]:
    """Return the single numbers among what a model gives: it may compute its own loss of the targets."""
    torch.manual_seed(1)
    return [float(x) for x in _tensors(twin(*args)) if not x.dim()]


def _answers(twin: nn.Module, args: list[Any], place: int) -> bool:
    """Whether an argument is a sequence of the output's form: the answers before, as a teacher gives them."""
    out = _given(twin, args)
    return out is not None and args[place].dim() > 2 and args[place].shape == out.shape


def _reached(twin: nn.Module, args: list[Any], place: int) -> Tensor | None:
    """Return of each varying feature, or of each token, whether the output depends on it; None: not known."""
    x = args[place]
    if x.is_floating_point():
        if x.dim() < 2:
            return None
        x = x.clone().requires_grad_()
        with torch.enable_grad():
            (g,) = _gradients(_given(twin, [x if i == place else a for i, a in enumerate(args)]), [x])
        return None if g is None else (g != 0).any(0)[x.detach().std(0) > 0].flatten()
    return _reached_tokens(twin, args, x)


@torch.no_grad()
def _matters(twin: nn.Module, args: list[Any], place: int, unused: Tensor) -> bool:
    """Whether features without a gradient matter by their values: those that are rounded or looked up."""
    x = args[place]
    columns = torch.zeros(x.shape[1:], dtype=torch.bool, device=x.device)
    columns[x.std(0) > 0] = unused
    before = _given(twin, args)
    after = _given(
        twin, [torch.where(columns, x.roll(1, 0), x) if i == place else a for i, a in enumerate(args)]
    )
    return before is not None and after is not None and not torch.equal(before, after)


def _reached_tokens(twin: nn.Module, args: list[Any], x: Tensor) -> Tensor | None:
    taken: list[tuple[Tensor, Tensor]] = []

    def leave(part: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        if not given or not isinstance(given[0], Tensor) or given[0].shape != x.shape:
            return out
        out = out.detach().requires_grad_()
        taken.append((given[0], out))
        return out

    hooks = [m.register_forward_hook(leave) for m in twin.modules() if isinstance(m, nn.Embedding)]
    try:
        with torch.enable_grad():
            out = _given(twin, args)
            taken = [(i, e) for i, e in taken if torch.equal(i, x)]
            if out is None or not taken or x.dim() != 2:
                return None
            found = _gradients(out, [e for _, e in taken])
    finally:
        for hook in hooks:
            hook.remove()
    used = torch.zeros(x.shape, dtype=torch.bool, device=x.device)
    for g in found:
        used |= (g != 0).any(-1) if g is not None else False
    kinds = x.unique()
    return torch.stack([used[x == kind].any() for kind in kinds])


def _gradients(out: Tensor | None, inputs: list[Tensor]) -> tuple[Tensor | None, ...]:
    if out is None or not out.requires_grad:
        return tuple(torch.zeros_like(x) for x in inputs)
    return torch.autograd.grad(
        (out.float() * torch.randn(out.shape).to(out.device)).sum(), inputs, allow_unused=True
    )


def _scaled(x: Tensor) -> Tensor:
    """Return numbers that saturate nothing: raw ones (years, prices) would hide themselves."""
    if not x.is_floating_point():
        return x
    mean, deviation = x.mean(0), x.std(0)
    if bool((mean.abs() <= 5).all()) and bool((deviation <= 5).all()) and float(deviation.max()) >= 0.05:
        return x
    return (x - mean) / torch.where(deviation > 0, deviation, 1.0)


@torch.no_grad()
def _randomise(twin: nn.Module) -> None:
    """Give a module parameters with which everything that can pass does: moderate ones, and no dead units."""
    for p in twin.parameters():
        if p.is_floating_point() and p.dim() >= 2:
            p.copy_(torch.randn(p.shape) * (2 * len(p) / max(1, p.numel())) ** 0.5)
        elif p.is_floating_point():
            p.copy_(0.1 + 0.2 * torch.rand(p.shape))
    for module in twin.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()


def first(output: Any) -> Tensor | None:
    """Return the first tensor of what a module gave."""
    return next(_tensors(output), None)


def all_of(output: Any) -> Tensor | None:
    """Return the tensor that a module gave; of several for the same examples, all of them side by side."""
    found = [x for x in _tensors(output) if x.is_floating_point() and x.dim()]
    if len(found) < 2:
        return first(output)
    alike = [x for x in found if len(x) == len(found[0])]
    return torch.cat([x.reshape(len(x), -1) for x in alike], 1) if len(alike) > 1 else found[0]


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for x in output.values():
            yield from _tensors(x)
    elif isinstance(output, tuple | list):
        for x in output:
            yield from _tensors(x)
