"""A method as an object: the plumbing between a rule and ``torch.optim``, written once.

A method's class holds its hyperparameters, under torch's names and in torch's order, and its rule;
everything else is here::

    class SignSGD(Method):
        rule: ClassVar = sign_rule
        lr: float = 1e-3
"""

import inspect
import typing
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, dataclass_transform

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.errors import UsageError, nearest
from descend.methods.executors import foreach, reference
from descend.methods.modifiers import ascent
from descend.methods.rule import Rule

EXECUTORS: dict[str, Callable[..., None]] = {"reference": reference.run, "foreach": foreach.run}

_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "lr": ("at least 0", lambda x: x >= 0),
    "momentum": ("in [0, 1)", lambda x: 0 <= x < 1),
    "dampening": ("in [0, 1]", lambda x: 0 <= x <= 1),
    "betas": ("each in [0, 1)", lambda x: 0 <= x < 1),
    "eps": ("at least 0", lambda x: x >= 0),
    "weight_decay": ("at least 0", lambda x: x >= 0),
}

_TORCH_STATE = {"exp_avg": "m", "exp_avg_sq": "v", "max_exp_avg_sq": "peak", "momentum_buffer": "m"}
"""torch.optim's names of what its methods keep, so that its checkpoints can be continued here."""


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


@dataclass_transform()
class Method(Optimizer):
    """A method of gradient descent: a rule, its hyperparameters, an executor.

    Args:
        params: parameters, named parameters, or a list of groups, as ``torch.optim`` takes them.
        maximize: climb instead of descending.
        executor: ``foreach`` (portable, any device) or ``reference`` (the oracle: one tensor at a time).
        foreach, fused: taken for the sake of code written for torch.optim, and without effect.

    It never writes to a gradient; every hyperparameter lives in ``param_groups`` under torch's name;
    steps are counted for each parameter; what is kept (``state[p]["m"]``, ...) keeps its dtype through
    ``load_state_dict``.

    Raises:
        UsageError: where a hyperparameter is unknown or out of its range.
    """

    rule: ClassVar[Rule]
    """The equations."""
    equation: ClassVar[str] = ""
    """The equations in one line."""
    summary: ClassVar[str] = ""
    """What it is, in one line."""
    bytes_per_parameter: ClassVar[int] = 0
    """Memory of its state, in bytes a float32 parameter, at the default hyperparameters."""

    if typing.TYPE_CHECKING:
        params: Iterable[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.defaults = {
            name: cls.__dict__[name]
            for name, kind in inspect.get_annotations(cls).items()
            if typing.get_origin(kind) is not ClassVar and kind is not ClassVar and name in cls.__dict__
        }
        cls.defaults["maximize"] = False
        cls.rule = ascent(cls.rule)
        cls.summary = (inspect.getdoc(cls) or "").partition("\n")[0]
        kept = cls.rule.keeps(cls.defaults)
        cls.bytes_per_parameter = 4 * sum(k.kind == "elementwise" for k in kept.values())
        P = inspect.Parameter
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [P("params", P.POSITIONAL_OR_KEYWORD)]
            + [P(n, P.POSITIONAL_OR_KEYWORD, default=v) for n, v in cls.defaults.items()]
            + [P("executor", P.KEYWORD_ONLY, default="foreach")]
        )

    def __init__(self, params: Any, *args: Any, executor: str = "foreach", **hyperparameters: Any):
        cls = type(self)
        for flag in ("foreach", "fused", "capturable", "differentiable"):
            if hyperparameters.pop(flag, None) and flag in ("capturable", "differentiable"):
                raise UsageError(f"{flag}=False", f"{flag}=True", "leave it out: descend has no such mode")
        given = dict(zip(cls.defaults, args, strict=False))
        for name, value in hyperparameters.items():
            if name not in cls.defaults:
                raise UsageError(
                    f"a hyperparameter of {cls.__name__}", repr(name), nearest(name, list(cls.defaults))
                )
            given[name] = value
        if executor not in EXECUTORS:
            raise UsageError("the name of an executor", repr(executor), nearest(executor, list(EXECUTORS)))
        self._execute = EXECUTORS[executor]
        self._names = tuple(cls.defaults)
        super().__init__(params, {**cls.defaults, **given})

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in type(self).defaults.items():
                group.setdefault(name, value)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyperparameters of their own.

        Args:
            param_group: ``{"params": parameters, "lr": ..., ...}``.

        Raises:
            UsageError: where a hyperparameter is out of its range.
        """
        _add_param_group(self, param_group)
        for name in self._names:
            self._check(name, self.param_groups[-1][name])
        group = self.param_groups[-1]
        if group.get("nesterov") and (not group["momentum"] or group["dampening"]):
            raise UsageError(
                "a momentum above 0 and no dampening with nesterov",
                f"momentum {group['momentum']} and dampening {group['dampening']}",
                "set momentum=0.9, dampening=0",
            )

    def _check(self, name: str, value: Any) -> None:
        default = type(self).defaults[name]
        if isinstance(default, bool) or name not in _RANGES:
            return
        expected, good = _RANGES[name]
        values = value if isinstance(value, tuple | list) else (value,)
        if isinstance(default, tuple) and len(values) != len(default):
            raise UsageError(f"{len(default)} numbers for {name}", repr(value), f"for example {default}")
        for x in values:
            if isinstance(x, bool | str) or not hasattr(x, "__float__") or not good(float(x)):
                raise UsageError(f"{name} {expected}", repr(value), f"for example {name}={default}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step with every parameter that has a gradient.

        Args:
            closure: evaluates the loss anew and returns it, with gradients enabled.

        Returns:
            What ``closure`` returned, or ``None``.

        Raises:
            UsageError: where a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group)
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        w: list[Tensor] = []
        g: list[Tensor] = []
        for p in group["params"]:
            gradient = p.grad
            if gradient is not None:
                if gradient.is_sparse:
                    raise UsageError("dense gradients", "a sparse one", "set sparse=False in the embedding")
                w.append(p)
                g.append(gradient)
        if not w:
            return
        h = {name: group[name] for name in self._names}
        for name, value in h.items():
            if isinstance(value, Tensor):  # torch allows a tensor as learning rate
                h[name] = float(value)
        rule = type(self).rule
        keeps = rule.keeps(h)
        steps: list[int] = []
        kept: dict[str, list[Tensor]] = {name: [] for name in keeps}
        state = self.state
        for p in w:
            own = state[p]
            own["step"] = step = int(own.get("step", 0)) + 1
            steps.append(step)
            for name, values in kept.items():
                value = own.get(name)
                if value is None:
                    value = own[name] = keeps[name].fresh(p)
                values.append(value)
        self._execute(rule, w, g, kept, steps, h)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as ``torch.optim.Optimizer.zero_grad``."""
        _zero_grad(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as torch does; it loads with ``torch.load(weights_only=True)``."""
        return _state_dict(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, each tensor in the dtype it was saved in.

        Args:
            state_dict: from this class, or from the torch.optim class of the same name.
        """
        saved = {**state_dict, "state": {k: _renamed(v) for k, v in state_dict["state"].items()}}
        _load_state_dict(self, saved)
        # torch casts what it loads to the parameter's dtype, and so loses what a float32 state of
        # bfloat16 parameters was kept for; take each tensor again as it was saved.
        for group, loaded in zip(self.param_groups, saved["param_groups"], strict=True):
            for p, key in zip(group["params"], loaded["params"], strict=True):
                own = saved["state"].get(key, {})
                for name, value in own.items():
                    if isinstance(value, Tensor):
                        self.state[p][name] = value.to(p.device, copy=True)


def _renamed(own: dict[str, Any]) -> dict[str, Any]:
    """Take torch.optim's names for what is kept to ours."""
    if "step" in own and not own.keys() & _TORCH_STATE.keys():
        return own
    result = {_TORCH_STATE.get(name, name): value for name, value in own.items() if value is not None}
    # torch's SGD does not count; that it has a buffer says that it has stepped.
    result["step"] = int(own["step"]) if "step" in own else 1
    return result
