"""Taking over a saved state: from descend, or from torch.optim."""

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.methods import evaluating

if TYPE_CHECKING:
    from descend.methods.method import Method

_TORCH_STATE: dict[str, str | None] = {
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "max_exp_avg_sq": "peak",
    "momentum_buffer": "m",
    "square_avg": "v",
    "grad_avg": "mean",
    "sum": "v",
    "acc_delta": "u",
    "prev": "before",
    "step_size": "size",
    "ax": "average",
    "mu": None,  # of ASGD: it follows from the step
}
"""torch.optim's names of what its methods keep, so that its checkpoints can be continued here."""


def take_over(
    method: "Method", state_dict: dict[str, Any], load: Callable[[Any, dict[str, Any]], None]
) -> None:
    """Load a state, as :meth:`.Method.load_state_dict`, without hooks; ``load`` is torch's own way."""
    kept = {
        key: method._class(group).base.kept
        for group, loaded in zip(method.param_groups, state_dict["param_groups"], strict=False)
        for key in loaded["params"]
    }
    state = state_dict["state"]
    renamed = {k: _renamed(own, kept[k]) if k in kept else own for k, own in state.items()}
    saved = {**state_dict, "state": renamed}
    load(method, saved)
    # torch casts what it loads to the parameter's dtype, and so loses what a float32 state of
    # bfloat16 parameters was kept for; take each tensor again as it was saved.
    for group, loaded in zip(method.param_groups, saved["param_groups"], strict=True):
        for p, key in zip(group["params"], loaded["params"], strict=True):
            own = saved["state"].get(key, {})
            method._resumed = method._resumed or "training" in own
            for name, value in own.items():
                if isinstance(value, Tensor):
                    method.state[p][name] = value.to(p.device, copy=True)
        for name, kept in method._rule(group).kept.items():
            if kept.kind == "all" and name in group and group["params"]:
                group[name] = group[name].to(group["params"][0].device)
    evaluating.resume(method)


def _renamed(own: dict[str, Any], kept: Container[str]) -> dict[str, Any]:
    """Take torch.optim's names for what is kept to ours, but for names that are ours."""
    torchs = {name: ours for name, ours in _TORCH_STATE.items() if name in own and name not in kept}
    if not torchs:
        return {**own, "step": int(own["step"])} if "step" in own else own
    named = ((torchs.get(name, name), value) for name, value in own.items() if value is not None)
    result = {name: value for name, value in named if name is not None}
    for name, value in result.items():
        if isinstance(value, Tensor) and value.is_complex():
            result[name] = torch.view_as_real(value)
    # torch's SGD does not count; that it has a buffer says that it has stepped.
    result["step"] = int(own["step"]) if "step" in own else int("m" in result)
    return result
