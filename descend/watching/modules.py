"""The modules that a person calls: their parameters and modes, what they are given, and their evaluations."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.data import RandomSampler, SequentialSampler

from descend.watching.facts import LoaderFacts, RootFacts
from descend.watching.moves import facts_of
from descend.watching.observations import Batch, Evaluation
from descend.watching.samples import fingerprint, mapped

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

_MODES = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
EVALUATIONS = 3
"""In how many evaluations layers are looked at, and not only losses."""
FOR_EVALUATIONS = 0.35
"""What part of the budget they may take: steps are to find something left."""
COUNTED = 1e-6
"""Seconds that counting a call takes."""
KEPT = 4
"""How many modules that a person calls are kept until the end."""
ACTS = 200
"""Evaluations from which on they are many (an agent acts), and are seen as far as half the budget goes."""
UNLISTED = "unregistered."
"""What the names of parameters begin with that their module does not list."""


class Modules:
    """Sees modules for a watcher.

    Args:
        watcher: whose observations they are.

    Attributes:
        names: of parameters, by their ids.
        given: what those were given last in a step that was looked at, by their numbers.
        kept: some of them, as a script's functions return before they can be asked at the end.
        since: (how many backward passes there had been, mode) when they were called last, by their numbers.
    """

    def __init__(self, watcher: Watcher):
        self._watcher, self.seen, self.budget = watcher, watcher.seen, watcher.budget
        self.names: dict[int, str] = {}
        self._roots: dict[int, tuple[weakref.ref[nn.Module], int]] = {}
        self._loaded: set[int] = set()
        self.given: dict[int, tuple[Any, ...]] = {}
        self._evaluation: Evaluation | None = None
        self._look_at: Evaluation | None = None
        self._looked, self._next_look, self._spent, self.look_cost = 0, 1, 0.0, 0.0
        self.kept: list[nn.Module] = []
        self.since: dict[int, tuple[int, bool]] = {}
        self._hooks: list[tuple[weakref.ref[nn.Module], Any]] = []
        self._loaders: weakref.WeakKeyDictionary[Any, LoaderFacts] = weakref.WeakKeyDictionary()

    @property
    def _looking(self) -> Any:
        return self._watcher.looking

    def stepped(self) -> None:
        """See that a step was taken: an evaluation is over."""
        self._evaluation = None

    def discovered(self, module: nn.Module, args: Any, trained: bool = True) -> None:
        """See a module that a person calls; from then on a hook of its own tells of it.

        Args:
            module: it.
            args: what it is given.
            trained: whether it may be what is trained; else nothing is told of its parameters.
        """
        if id(module) not in self._roots and self._watcher.only is None:
            if any(is_lazy(p) for p in module.parameters()):  # at the next call they will be there
                for name, part in module.named_modules():
                    self._looking.names.setdefault(id(part), name or type(module).__name__)
                return
            self.hook(module, trained)
            self.called(module, args)
            if self._watcher.compiled:
                self._looking.switch_off()

    def hook(self, module: nn.Module, trained: bool = True) -> None:
        """Have a module tell whenever it is called."""
        self._root(module, trained)
        handle = module.register_forward_pre_hook(self.called)
        self._hooks.append((weakref.ref(module), handle))
        self._watcher.undo.append(handle.remove)

    def unhook(self) -> None:
        """Have no module tell for a while."""
        for _, handle in self._hooks:
            handle.remove()

    def rehook(self) -> None:
        """Have those modules tell again that told before."""
        alive = [(reference, reference()) for reference, handle in self._hooks]
        self.unhook()
        self._hooks = [
            (reference, module.register_forward_pre_hook(self.called))
            for reference, module in alive
            if module is not None
        ]

    def rested(self, step: int) -> None:
        """See that a step was taken after an evaluation had been announced."""
        if self._looking.on:
            self.leave_evaluation()
        if self.seen.evaluations and self.seen.evaluations[-1].step >= step - 1:
            self._watcher.rest.found()
        self._evaluation = None

    def _root(self, module: nn.Module, trained: bool = True) -> int:
        known = self.known(module)
        if known is not None and not (
            known.shapes and torch.is_grad_enabled()
        ):  # else it is trained after all
            return self._roots[id(module)][1]
        facts = RootFacts(type(module).__name__)
        index = len(self.seen.roots)
        self.seen.roots.append(facts)
        self._roots[id(module)] = weakref.ref(module), index
        if len(self.kept) < KEPT:
            self.kept.append(module)
        if type(module).__name__ == "OptimizedModule" or getattr(module, "_compiled_call_impl", None):
            self._watcher.is_compiled()
        same = sum(one.kind == facts.kind for one in self.seen.roots)
        prefix = "" if not index else f"{facts.kind}." if same == 1 else f"{facts.kind}.{index}."
        for name, part in module.named_modules():
            self._looking.names.setdefault(id(part), prefix + (name or type(module).__name__))
            kept = isinstance(part, _MODES) and getattr(part, "p", 1)
            if (kept and getattr(part, "track_running_stats", True)) or _drops(part):
                facts.mode_matters.append(prefix + name)
            for own, p in part.named_parameters(recurse=False) if trained else ():
                if is_lazy(p):
                    continue
                full = prefix + (f"{name}.{own}" if name else own)
                facts.parameters.append(self.know(full, p, part))
        if not trained:
            facts.shapes = tuple(sorted(tuple(p.shape) for p in module.parameters()))
        return index

    def know(self, name: str, p: Tensor, module: nn.Module) -> str:
        """Note a parameter of a module; return the name that it is known by."""
        known = self.names.get(id(p))
        if known is not None and not known.startswith(("parameter.", UNLISTED)):
            return known
        optimizer = self.seen.parameters.pop(known).optimizer if known in self.seen.parameters else -1
        self.names[id(p)] = name
        with torch.no_grad():
            facts = facts_of(name, p, type(module).__name__, True, self._watcher.later, module)
            self.seen.parameters[name] = facts
        facts.optimizer = optimizer
        facts.trained_before = id(p) in self._loaded
        if known is not None:  # optimizers know it by its old name
            for one in self.seen.optimizers:
                one.parameters = [name if x == known else x for x in one.parameters]
            for window in self.seen.windows:
                for moved in window.moved:
                    moved.name = name if moved.name == known else moved.name
                window.missing = [name if x == known else x for x in window.missing]
        return name

    def called(self, module: nn.Module, args: Any) -> None:
        """See that a person calls a module: the hook of those that are known."""
        if mapped():
            return
        differentiated = torch.is_grad_enabled()
        window = None if self._watcher.hand.sealed or self._watcher.enough else self._watcher.window
        if differentiated and window is None and not self._looking.on:
            self._counted(self._root(module), module.training)
            self._watcher.cost += COUNTED
            return
        if not differentiated and self.acts():
            self._looking.switch_off()
            self.seen.roots[self._root(module)].calls_without += 1
            self.seen.unseen += 1
            self._watcher.cost += COUNTED
            return
        start = time.perf_counter()
        index = self._root(module)
        facts = self.seen.roots[index]
        given = args[0] if args and isinstance(args[0], Tensor) else None
        if given is None:
            given = next((a for a in args if isinstance(a, Tensor)), None)
        if differentiated:
            matters = module.training
            self._counted(index, matters)
            if window is not None:
                if self._looking.on:
                    self._looking.resume()
                elif not self._watcher.compiled:
                    self._looking.switch_on(module)
                window.modes[index] = matters
                self.given[index] = args
                facts.inputs = max(facts.inputs, sum(isinstance(a, Tensor) for a in args))
                if given is not None:
                    window.batches.append(self._batch(given, True, index))
                    self._watcher.examples.given(given, self.seen.steps + 1)
                    self._watcher.examples.arguments = args, facts
            elif self._looking.on:
                self.leave_evaluation()
        else:
            facts.calls_without += 1
            now = self._evaluation
            if now is None or now.root != index:
                self.end_of_evaluation()
                now = self._evaluation = Evaluation(self.seen.steps, index)
                self.seen.evaluations.append(now)
                if len(self.seen.evaluations) > 2000:
                    del self.seen.evaluations[1000]
            now.calls += 1
            now.training += module.training
            if given is not None and (shape := given.shape):
                now.examples += shape[0]
            if now.calls == 1 and self._evaluation_due():
                self._looked += 1
                self._next_look = len(self.seen.evaluations) + 1 + len(self.seen.evaluations) // 6
                self._look_at = now
                self._looking.layers_too = self._looked <= EVALUATIONS or window is not None
            if now is self._look_at and now.calls <= 4 and not self._watcher.compiled:
                if self._looking.on:
                    self._looking.resume()
                else:
                    self._looking.clear()
                    self._looking.switch_on(module)
                if given is not None and self._looking.layers_too:
                    now.batches.append(self._batch(given, False, index))
                    self._watcher.examples.held(given)
            elif self._looking.on and window is None:
                self.leave_evaluation()
        took = time.perf_counter() - start
        if self._looking.on:
            self._looking.spent += took
        else:
            self._watcher.cost += took

    def acts(self) -> bool:
        """Whether evaluations are many, as an agent's, and have taken half the budget."""
        cost = self._watcher.cost + self._looking.spent
        return len(self.seen.evaluations) > ACTS and not self.budget.allows(cost, 0.5)

    def _counted(self, index: int, training: bool) -> None:
        """Count a call with gradients enabled."""
        facts = self.seen.roots[index]
        facts.calls += 1
        facts.calls_in_eval += not training
        self._evaluation = None
        since, trained = self.since.get(index, (-1, False))
        self.since[index] = self._watcher.losses.backwards, training
        if since != self._watcher.losses.backwards:
            if since >= 0:  # a backward came after the call before
                facts.trained += 1
                facts.trained_in_eval += not trained
            facts.calls_after = facts.training_after = 0
        facts.calls_after += 1
        facts.training_after += training

    def _evaluation_due(self) -> bool:
        """Whether an evaluation that begins is looked at: the first, the next if bearable, then fewer."""
        if len(self.seen.evaluations) < self._next_look:
            return False
        if self._looked == 1 and self.budget.bears(EVALUATIONS * self.look_cost):
            return True
        if not self._looked:
            return True
        own = self.budget.within(self._spent + self.look_cost, FOR_EVALUATIONS)
        return own and self.budget.bears(self.look_cost)

    def leave_evaluation(self) -> None:
        """Cease to look at an evaluation that is no part of a step that is looked at."""
        self.end_of_evaluation()
        self._looking.switch_off()
        self._looking.layers_too = True
        cost = self.budget.charge(self._looking.spent)
        self._spent += cost
        first = self._looked <= EVALUATIONS
        self.look_cost = cost / EVALUATIONS if first else cost  # layers are not looked at for ever
        self._looking.spent = 0.0

    def end_of_evaluation(self) -> None:
        """Note what was seen of an evaluation."""
        looking = self._looking
        now = self.seen.evaluations[-1] if self.seen.evaluations else None
        if now is None or not (looking.criteria or looking.layers or looking.equal[1]):
            return
        now.criteria += [c for c in looking.criteria if not c.grad and c not in now.criteria]
        now.layers += [c for c in looking.layers if not c.grad][:64]
        if looking.equal[1]:
            now.accuracy = looking.equal[0] / looking.equal[1]
            looking.equal = [0, 0]
        looking.layers = [c for c in looking.layers if c.grad]
        looking.criteria = [c for c in looking.criteria if c.grad]

    def _batch(self, given: Tensor, grad: bool, root: int) -> Batch:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            base = given._base
            larger = base is not None and base.dim() > 0 and given.dim() > 0 and len(base) > len(given)
            of = len(base) if base is not None and larger else 0
            part = self._looking.parts.get(id(given))
            if part is not None and part[0]() is given:
                larger, of = True, max(of, part[1])
            return Batch(
                fingerprint(given),
                tuple(given.shape),
                len(given) if given.dim() else 1,
                given.is_floating_point(),
                larger,
                self.seen.steps + 1,
                grad,
                root,
                of,
            )

    def known(self, module: nn.Module) -> RootFacts | None:
        """Return what is known of a module that a person calls."""
        known = self._roots.get(id(module))
        return self.seen.roots[known[1]] if known is not None and known[0]() is module else None

    def alive(self) -> Iterator[tuple[int, nn.Module]]:
        """Yield the modules that a person calls, with their numbers, as far as they are there yet."""
        for reference, index in list(self._roots.values()):
            module = reference()
            if module is not None:
                yield index, module

    def load(self, original: Callable[..., Any], module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """See that a state is loaded into a module."""
        out = original(module, *args, **kwargs)
        for p in module.parameters():
            self._loaded.add(id(p))
            facts = self.seen.parameters.get(self.names.get(id(p), ""))
            if facts is not None:
                facts.trained_before = True
        return out

    def unregistered(self) -> None:
        """Note the parameters of layers that nobody lists."""
        for module in self._looking.unregistered.values():
            for own, p in module.named_parameters(recurse=False):
                if id(p) not in self.names or self.names[id(p)].startswith("parameter."):
                    place = sum(UNLISTED in n for n in self.seen.parameters)
                    name = self.know(f"{UNLISTED}{place}.{type(module).__name__}.{own}", p, module)
                    self.seen.parameters[name].registered = False
        self._looking.unregistered.clear()

    def order(self) -> None:
        """Note in which order layers were called."""
        looking = self._looking
        for place, module in enumerate(dict.fromkeys(looking.order)):
            prefix = looking.names.get(module)
            for facts in self.seen.parameters.values() if prefix is not None else ():
                if facts.order < 0 and facts.name.rpartition(".")[0] == prefix:
                    facts.order = place
        looking.order.clear()

    # Data -------------------------------------------------------------------------------------------
    def iterate(self, original: Callable[..., Any], loader: Any) -> Any:
        """See that a data loader is begun."""
        facts = self._loaders.get(loader)
        if facts is None:
            facts = self._loaders[loader] = _loader(loader)
            self.seen.loaders.append(facts)
        facts.iterators += 1
        return original(loader)


def _drops(part: nn.Module) -> bool:
    """Whether a module without children that are dropouts drops something while it trains."""
    if isinstance(part, nn.RNNBase):
        return part.dropout > 0 and part.num_layers > 1
    return isinstance(part, nn.MultiheadAttention) and part.dropout > 0


def _loader(loader: Any) -> LoaderFacts:
    try:
        batches = len(loader)
    except TypeError:
        batches = 0
    try:
        examples = len(loader.dataset)
    except TypeError:
        examples = 0
    sampler = getattr(loader, "sampler", None)
    shuffled = isinstance(sampler, RandomSampler) or not isinstance(sampler, SequentialSampler | None)
    return LoaderFacts(batches, examples, shuffled)
