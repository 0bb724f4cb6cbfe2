"""A method as an object: the plumbing between a rule and ``torch.optim``, written once.

A method's class holds its hyperparameters, under torch's names and in torch's order, and its rule;
everything else is here::

    class SignSGD(Method):
        rule: ClassVar = sign_rule
        lr: float = 1e-3
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from descend.errors import UsageError, nearest
from descend.methods import capturing, evaluating, gathering, loss_scaling, modifiers, same_again, storing
from descend.methods.checks import check_group, member
from descend.methods.constructor import Constructor, declared
from descend.methods.executors import foreach, fused, reference
from descend.methods.families import family_of
from descend.methods.gathering import by_form, moving_of
from descend.methods.loading import take_over
from descend.methods.modifiers import MODIFIERS, composed
from descend.methods.modifiers.calls import taken
from descend.methods.modifiers.measuring import Moving
from descend.methods.rule import Batch, Rule

EXECUTORS: dict[str, Callable[[Rule, list[Batch]], None]] = {
    "reference": reference.run,
    "foreach": foreach.run,
    "fused": fused.run,
}

_MODIFYING = {name for m in MODIFIERS.values() for name in (m.switch, *m.others)}
"""Hyperparameters of modifiers, which every method takes."""

_EVERYONES = _MODIFYING | set(storing.NAMES)
"""Further hyperparameters that every method takes."""

_PLAIN = (bool, int, float, str, type(None))
_FIXED = set(_PLAIN)


def _plain(name: str) -> Callable[..., Any]:
    """Return a method of Optimizer without the wrapper that imports torch's compiler.

    torch marks these methods as not compilable, and the marking alone imports ``torch._dynamo`` on the
    first call: 2.3 s before the first step.
    """
    method = getattr(Optimizer, name)
    return getattr(method, "__wrapped__", method)


_add_param_group = _plain("add_param_group")
_state_dict = _plain("state_dict")
_load_state_dict = _plain("load_state_dict")
_zero_grad = _plain("zero_grad")


class Method(Constructor):
    """A method of gradient descent: a rule, its hyperparameters, an executor.

    Args:
        params: parameters, named parameters, or a list of groups, as ``torch.optim`` takes them.
        maximize: climb instead of descending.
        executor: ``fused`` (one pass over memory, on CPUs and CUDA devices), ``foreach`` (portable, any
            device) or ``reference`` (the oracle: one tensor at a time).
        foreach, fused: taken for the sake of code written for torch.optim, and without effect.
        capturable: whether CUDA graphs capture its steps, after one outside. Steps are then counted on the
            device; a graph keeps the hyperparameters that it was captured with, but for tensors on the
            device, such as ``lr=torch.tensor(1e-3, device="cuda")``, which it reads in every replay.
        clip_norm, cautious, average, sam, ...: modifiers, which any method takes: ``docs/modifiers.md``.
        state_format, parameter_format, rounding_seed: number formats, as well: ``docs/formats.md``.

    It never writes to a gradient; every hyperparameter lives in ``param_groups`` under torch's name;
    steps are counted for each parameter; what is kept (``state[p]["m"]``, ...) keeps its dtype through
    ``load_state_dict``. A complex parameter is descended as its real and imaginary parts.

    Raises:
        UsageError: where a hyperparameter is unknown or out of its range.
    """

    rule: ClassVar[Rule]
    """The equations; once the class is made, with decay and the sign of the climb around them."""
    decay: ClassVar[Callable[[Rule], Rule] | None] = None
    """The kind of weight decay around the equations; ``None`` where they hold their own, or have none."""
    evaluation_point: ClassVar[Callable[..., Any] | None] = None
    """``(w, g, s, h) → the point to evaluate at``, where that is not the point of the gradients."""
    schedule: ClassVar[str | None] = None
    """The schedule of the learning rate that it wants, where that is not a descent's usual one."""
    takes: ClassVar[Callable[[Tensor], bool] | None] = None
    """Which parameters it can take, by shape; ``None`` for all."""
    routes: ClassVar[Callable[[Mapping[str, Any]], Mapping[str, Mapping[str, Any]]] | None] = None
    """Hyperparameters → where each kind of parameter goes that it does not simply take
    (:mod:`descend.methods.routing`): hyperparameters of a group, with ``method`` for another method and
    ``lr_ratio`` for a share of the learning rate given; ``None`` where it takes all."""
    suggested: ClassVar[Callable[[Mapping[str, Any]], Mapping[str, Any]] | None] = None
    """Hyperparameters that were given → more that ``descend.optimizer`` takes where they were not, because
    the class's own defaults are torch's or the authors' and start badly."""
    alone: ClassVar[bool] = False
    """Whether it needs more than gradients, so that it is no method for a group of another's parameters."""
    lengthened: ClassVar[Callable[[Tensor, Mapping[str, Any]], float] | None] = None
    """(parameter, hyperparameters) → by how much a step is lengthened for the parameter's shape."""
    equation: ClassVar[str] = ""
    """The equations in one line."""
    ranges: ClassVar[Mapping[str, tuple[str, Callable[[float], bool]]]] = {}
    """Ranges of hyperparameters that it alone has, or means something else by than others do."""
    pairs: ClassVar[Mapping[str, tuple[str, Callable[[float, float], bool]]]] = {}
    """What the two numbers of a hyperparameter must be to each other."""
    choices: ClassVar[Mapping[str, tuple[str | None, ...]]] = {}
    """The names that a hyperparameter may be."""
    summary: ClassVar[str] = ""
    """What it is, in one line."""
    family: ClassVar[str] = ""
    """Its kin, from the module it stands in: see :mod:`descend.methods.families`."""
    bytes_per_parameter: ClassVar[float] = 0
    """Memory of its state, in bytes a float32 parameter of a 1024 × 1024 matrix, at the defaults."""

    named: ClassVar[dict[str, type["Method"]]] = {}
    """Every class of method by its name in lower case, for groups that name their own (routing)."""
    base: ClassVar[Rule]
    """The equations alone."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.defaults = {**getattr(cls, "defaults", {}), **declared(cls)}
        cls.defaults.setdefault("maximize", False)
        if "rule" in cls.__dict__:  # a subclass of a method has it already
            cls.base = cls.rule
        cls.rule = composed(cls.base, cls.decay)
        cls.named.setdefault(cls.__name__.lower(), cls)
        if "family" not in cls.__dict__:
            cls.family = family_of(cls.__module__)
        cls.summary = (inspect.getdoc(cls) or "").partition("\n")[0]
        cls.bytes_per_parameter = _bytes_per_parameter(cls.rule, cls.defaults)
        P = inspect.Parameter
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [P("params", P.POSITIONAL_OR_KEYWORD)]
            + [P(n, P.POSITIONAL_OR_KEYWORD, default=v) for n, v in cls.defaults.items()]
            + [P("executor", P.KEYWORD_ONLY, default="fused")]
        )

    def __init__(self, params: Any, *args: Any, executor: str = "fused", **hyperparameters: Any):
        cls = type(self)
        for flag in ("foreach", "fused", "differentiable"):
            if hyperparameters.pop(flag, None) and flag == "differentiable":
                raise UsageError(f"{flag}=False", f"{flag}=True", "leave it out: descend has no such mode")
        capturable = hyperparameters.pop("capturable", False)
        if len(args) > len(cls.defaults):
            raise UsageError(
                f"at most {len(cls.defaults)} hyperparameters of {cls.__name__}", f"{len(args)}", ""
            )
        given = dict(zip(cls.defaults, args, strict=False))
        for name, value in hyperparameters.items():
            if name not in cls.defaults and name not in _EVERYONES:
                raise UsageError(
                    f"a hyperparameter of {cls.__name__} or of a modifier",
                    repr(name),
                    nearest(name, [*cls.defaults, *_EVERYONES]),
                )
            given[name] = value
        if executor not in EXECUTORS:
            raise UsageError("the name of an executor", repr(executor), nearest(executor, list(EXECUTORS)))
        self.executor = executor
        self._training: dict[Tensor, Tensor] = {}  # where each parameter trains, while it is elsewhere
        self._resumed = False
        self._held: dict[int, same_again.Held] = {}
        self._doubtful: loss_scaling.Doubtful | None = None
        self._graphs = capturing.graphs_of(self) if capturable else None
        Optimizer.__init__(self, params, {**cls.defaults, **given})

    def __getstate__(self) -> dict[str, Any]:
        self._settle()
        own = {"executor": self.executor, "capturable": self._graphs is not None}
        return {**super().__getstate__(), **own, **evaluating.copied(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = dict(state)
        capturable = own.pop("capturable", None)
        super().__setstate__(own)
        if capturable is not None:  # a copy, which no graph knows; not a state that is loaded
            self._graphs = capturing.Graphs() if capturable else None
        self._held: dict[int, same_again.Held] = {}
        self._doubtful: loss_scaling.Doubtful | None = None
        for group in self.param_groups:
            for name, value in type(self).defaults.items():
                group.setdefault(name, value)
        evaluating.resume(self)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyperparameters of their own.

        Args:
            param_group: ``{"params": parameters, "lr": ..., ...}``; with ``"method": name`` they are
                descended by that method instead, from its own defaults.

        Raises:
            UsageError: where a hyperparameter is out of its range, a parameter not of a shape that the
                method takes, or the method none for some of the parameters.
        """
        cls = member(type(self), param_group.get("method"))
        if cls is not type(self):
            param_group = {**cls.defaults, **param_group}
        _add_param_group(self, param_group)
        modifiers.complete(self.param_groups[-1], self.state)
        try:
            check_group(cls, self.param_groups[-1])
        except UsageError:
            self.param_groups.pop()
            raise

    @staticmethod
    def modifying() -> set[str]:
        """Return the names of further hyperparameters, which every method takes."""
        return _EVERYONES

    def _class(self, group: Mapping[str, Any]) -> type["Method"]:
        """Return the method that a group is descended by."""
        name = group.get("method")
        return type(self) if name is None else Method.named[name]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step with every parameter that has a gradient.

        Args:
            closure: evaluates the loss anew and returns it, with gradients enabled.

        Returns:
            What ``closure`` returned, or ``None``.

        Raises:
            UsageError: where a gradient is sparse, there is no closure and the method needs one, or a CUDA
                graph is being captured that could not replay the step.
        """
        if _watched(self):
            return _with_hooks(self) if closure is None else _with_hooks(self, closure)
        return self._without_gradients(closure)

    # torch would wrap it to call hooks and tell the profiler: 15 µs a step, of which none are needed mostly.
    step.hooked = True  # type: ignore[attr-defined]

    def _without_gradients(self, closure: Callable[[], Any] | None = None) -> Any:
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        try:
            return self._step(closure)
        finally:
            torch.set_grad_enabled(before)

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        """Take a step, as :meth:`step`, with gradients disabled and without hooks."""
        graphs = self._graphs
        if graphs is None and capturing.capturing():
            raise UsageError(
                "capturable=True for steps in a CUDA graph, which are else counted by the host",
                "a step while a graph is captured",
                "make the optimizer with capturable=True, or call step() after each replay",
            )
        self._settle()
        if graphs is not None:
            graphs.begin(self, self._active())
        if self._training or self._resumed:
            evaluating.back_to_training(self)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        active = self._active()
        found_inf = getattr(self, "found_inf", None)
        if self._held and not active and found_inf is None and self._again():
            return loss
        moving = self._found()  # refuses before anything moves
        if active:
            for group in self.param_groups:
                modifiers.complete(group, self.state)
            moving = taken(self, active, closure, moving)
        work: dict[Rule, list[Batch]] = {}
        made: list[list[Batch]] = []  # of each group
        for group, (owners, w, g) in moving:
            made.append([])
            if not owners:
                continue
            rule, h = self._rule(group, active), self._hyperparameters(group, active)
            for form, found in by_form(rule, owners, w, g):
                batches = gathering.batches(self, rule, form, group, h, *found)
                work.setdefault(rule, []).extend(batches)
                made[-1] += batches
        if found_inf is not None and graphs is None:
            moved = [self.state[p] for _, (owners, _, _) in moving for p in owners]
            self._doubtful = loss_scaling.Doubtful(found_inf, moved)
        for rule, batches in work.items():
            loss_scaling.hand_over(self, batches)
            self._execute(rule, batches)
        if self.executor == "fused" and not active and graphs is None:
            self._hold(moving, made)
        return loss

    def _hold(self, moving: Moving, made: list[list[Batch]]) -> None:
        """Hold what this step found out, for steps like it."""
        self._held.clear()
        for (group, (owners, _, _)), batches in zip(moving, made, strict=True):
            rule = self._class(group).rule
            held = same_again.hold(self, group, rule, owners, batches) if batches else None
            if held is None:  # all groups, or none: their totals belong together
                self._held.clear()
                return
            self._held[id(group)] = held

    def _again(self) -> bool:
        """Take a step like the last one; false where nothing could be taken that way."""
        found = []
        for group in self.param_groups:
            held = self._held.get(id(group))
            if held is None or self._class(group).rule is not held.rule:
                return False
            step = same_again.ready(self, group, held, self._hyperparameters(group, ()))
            if not step:
                return False
            found.append((held, step))
        for held, step in found:  # nothing has moved before every group is ready
            same_again.take(held, step)
        return True

    def _execute(self, rule: Rule, batches: list[Batch]) -> None:
        EXECUTORS[self.executor](rule, batches)

    def _found(self) -> Moving:
        """Return each group with its parameters that have a gradient, these as real, and the gradients."""
        return [(group, moving_of(group)) for group in self.param_groups]

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Asked by ``torch.amp.GradScaler``: whether a step itself divides by the scale of the loss."""
        return type(self)._found is Method._found and loss_scaling.possible(self)

    def _settle(self) -> None:
        """Take back steps that were counted and, as is known by now, not taken."""
        if self._doubtful is not None:
            self._doubtful.settle()
            self._doubtful = None

    @property
    def needs_closure(self) -> bool:
        """Whether ``step`` has to be given a closure that evaluates loss and gradients anew."""
        return any(group.get("sam") for group in self.param_groups)

    def kept_for_all(self) -> dict[str, Tensor]:
        """Return the numbers that it keeps for all parameters; they are in every group."""
        group = self.param_groups[0]
        return {n: group[n] for n, k in self.rule.kept.items() if k.kind == "all" and n in group}

    @property
    def needs_graph(self) -> bool:
        """Whether the next step needs gradients from ``loss.backward(create_graph=True)``."""
        return False

    def _active(self) -> tuple[str, ...]:
        """Return the modifiers that are on in any group."""
        groups = self.param_groups
        if all(map(_MODIFYING.isdisjoint, groups)):
            return ()
        return tuple([name for name in MODIFIERS if any(group.get(name) for group in groups)])

    def _rule(self, group: dict[str, Any], active: tuple[str, ...] | None = None) -> Rule:
        """Return a group's equations, with the modifiers around them that are on in any group."""
        cls = self._class(group)
        active = self._active() if active is None else active
        return composed(cls.base, cls.decay, active) if active else cls.rule

    def _hyperparameters(
        self, group: dict[str, Any], active: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        h = {}
        for name in self._class(group).defaults:
            value = group[name]
            h[name] = value if type(value) in _FIXED else self._number(group, name, value)
        active = self._active() if active is None else active
        if active:
            for name in _MODIFYING & group.keys():
                h[name] = self._number(group, name, group[name])
            for name in active:  # on in another group
                h[name] = h.get(name) or 0.0
        return h

    def _number(self, group: dict[str, Any], name: str, value: Any) -> Any:
        if self._graphs is None:
            return _plain_number(value)
        return self._graphs.number(group, name, value, _plain_number)

    def evaluation(self) -> AbstractContextManager[None]:
        """Evaluate where the method evaluates: ``with opt.evaluation(): loss = ...``.

        Schedule-free methods, averaged weights and Lookahead train at one point and are meant to be judged
        and kept at another; inside the context the parameters are at that other point. For every other
        method it changes nothing. States may be saved in either mode.

        Raises:
            UsageError: by ``step`` inside the context.
        """
        self._settle()
        return evaluating.evaluation(self)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as ``torch.optim.Optimizer.zero_grad``."""
        if self._resumed:
            evaluating.resume(self)
        _zero_grad(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as torch does; it loads with ``torch.load(weights_only=True)``."""
        self._settle()
        return evaluating.with_training_points(self, _state_dict(self))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, each tensor in the dtype it was saved in.

        Args:
            state_dict: from this class, or from the torch.optim class of the same name.

        Raises:
            UsageError: inside of :meth:`evaluation`.
        """
        self._settle()
        if self._training:
            raise UsageError("a state loaded outside of opt.evaluation()", "one inside it", "leave it first")
        # Hooks come around all of this: what they hand back is loaded, and what they find is what stays.
        before, after = self._optimizer_load_state_dict_pre_hooks, self._optimizer_load_state_dict_post_hooks
        state_dict = dict(state_dict)
        # Loading makes new tensors; graphs know the old ones.
        put_back = None if self._graphs is None else self._graphs.remembered(self)
        for hook in before.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        self._optimizer_load_state_dict_pre_hooks = OrderedDict()
        self._optimizer_load_state_dict_post_hooks = OrderedDict()
        try:
            take_over(self, state_dict, _load_state_dict)
        finally:
            self._optimizer_load_state_dict_pre_hooks = before
            self._optimizer_load_state_dict_post_hooks = after
        if put_back is not None:
            put_back()
        for hook in after.values():
            hook(self)


def _bytes_per_parameter(rule: Rule, defaults: Mapping[str, Any]) -> float:
    """Return the memory of a method's state, as its class tells it."""
    like = torch.empty(1024, 1024, device="meta")
    kept = rule.keeps(defaults, rule.form(like) if rule.form else None)
    large = [k for k in kept.values() if k.kind in ("elementwise", "matrix")]
    numbers = sum(k.fresh(like, defaults).numel() for k in large)
    size = 4 * numbers / like.numel()
    return int(size) if size.is_integer() else size


def _plain_number(value: Any) -> Any:
    """Take a tensor or a numpy scalar, which torch allows as a learning rate, as a plain number."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple | list):
        return tuple(_plain_number(x) for x in value)
    return float(value)


def _watched(method: Method) -> bool:
    """Whether somebody wants to know of steps: a hook, of this method or of all, or torch's profiler."""
    return bool(
        method._optimizer_step_pre_hooks
        or method._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
        or torch.autograd._profiler_enabled()
    )


_with_hooks = Optimizer.profile_hook_step(Method._without_gradients)
"""A step as torch takes it: with hooks, and a name for the profiler."""
