"""Our methods as entries of PyTorch's own table of optimizers, for its generic tests.

``torch.testing._internal.common_optimizers`` ships with torch and drives ``test/test_optim.py`` in its
repository; ``bench/torch_generic_tests.py`` runs that file with these entries in place of torch's.
"""

# pyright: reportArgumentType=false
# torch annotates its table narrower than it uses it.

import unittest
from collections.abc import Iterable
from typing import Any

import torch
from cases import CASES, compared, has, lr
from torch.testing._internal import common_optimizers as generic
from torch.testing._internal.common_methods_invocations import DecorateInfo

from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.method import EXECUTORS, Method

ROUNDED_ONCE = (
    "the equations run in this format round after every operation (and in float16 squares of small gradients "
    "are 0), fused computes in float32 and rounds once; test_parity.py compares both with float64"
)

NOT_APPLICABLE: dict[str, dict[str, str]] = {
    # test → what a method has that it cannot apply to → why
    "test_param_groups_lr": {
        "no lr": "it has no learning rate that could be made small",
        "one for all": "one distance is found for all groups, so that a rate of 1e-28 is not a small step",
    },
    "test_tensor_lr": {"no lr": "it has no learning rate"},
    "test_load_state_dict_pre_hook_and_prepend": {"no lr": "the hook changes the learning rate"},
    "test_non_empty_state": {"graph": "the test's loss is linear, and its gradient has no graph"},
    "test_step_is_noop_for_zero_grads": {"graph": "the test gives gradients, and it needs a loss"},
    "test_load_nontensor_step": {"graph": "the test gives gradients, and it needs a loss"},
    "test_deepcopy_copies_all_public_attrs": {"graph": "the test gives gradients, and it needs a loss"},
    "test_complex": {"shapes": "it takes matrices, which the real and imaginary parts of a vector are not"},
    "test_complex_2d": {
        "shapes": "it takes matrices, and the test has a vector of two numbers",
        "whole tensor": "the test gives the real and imaginary parts as two tensors, and it looks at each "
        "tensor as a whole",
    },
}
"""What cannot apply to methods of some kind, and why; a row's exceptions are added to it."""


def traits(name: str) -> set[str]:
    """Return what the tests need to know of a method, from its class and its row."""
    case, cls = CASES[name], TABLE[name]
    one_for_all = any(kept.kind == "all" for kept in cls.rule.kept.values())
    found = {
        "no lr": not has(name, "lr"),
        "one for all": one_for_all,
        "shapes": cls.takes is not None,
        "whole tensor": case.whole_tensor or one_for_all,
        "graph": case.graph,
    }
    return {trait for trait, holds in found.items() if holds}


def by_flags(cls: type[Method]) -> type[Method]:
    """Return a method that takes torch's flags for its executors: reference, foreach and fused."""

    def __init__(self: Any, *args: Any, foreach: Any = None, fused: Any = None, **kwargs: Any) -> None:
        chosen = "fused" if fused else "reference" if foreach is False else "foreach"
        cls.__init__(self, *args, executor=chosen if chosen in EXECUTORS else "foreach", **kwargs)

    return type(cls.__name__, (cls,), {"__init__": __init__, "__doc__": cls.__doc__})


def inputs(name: str) -> Any:
    """Return the function that gives a method's hyperparameters: its defaults, and its row's variants."""

    def optim_inputs(device: Any, dtype: Any = None) -> list[generic.OptimizerInput]:
        found = []
        for variant in ({}, *CASES[name].variants):
            h = {**lr(name), **variant}
            if has(name, "weight_decay"):  # the tests look here for whether parameters shrink by themselves
                h.setdefault("weight_decay", TABLE[name].defaults["weight_decay"])
            found.append(generic.OptimizerInput(params=None, kwargs=h, desc=str(variant)))
        return found

    return optim_inputs


def errors(name: str) -> Any:
    """Return the function that gives what must be refused: torch's own cases, and a range of ours."""

    def optim_errors(device: Any, dtype: Any) -> Iterable[generic.ErrorOptimizerInput]:
        cls = by_flags(TABLE[name])
        p = torch.nn.Parameter(torch.randn(2, 2, device=device, dtype=dtype))
        for given in generic.get_error_inputs_for_all_optims(device, dtype):
            lr = given.optimizer_error_input.kwargs.get("lr")
            if lr is None:
                yield given
            elif "lr" in cls.defaults:  # in our words, and with a parameter
                yield generic.ErrorOptimizerInput(
                    generic.OptimizerInput(params=[p], kwargs={"lr": lr}),
                    error_type=UsageError,
                    error_regex="lr at least 0",
                )
        if "lr" in cls.defaults:
            yield generic.ErrorOptimizerInput(
                generic.OptimizerInput(params=[p], kwargs={"lr": -1.0}),
                error_type=UsageError,
                error_regex="lr at least 0",
            )

    return optim_errors


def why_not(name: str) -> dict[str, str]:
    """Return the generic tests that cannot apply to a method, and why."""
    found = {
        test: reasons[trait]
        for test, reasons in NOT_APPLICABLE.items()
        for trait in sorted(traits(name) & reasons.keys())
    }
    return {**found, **CASES[name].generic}


def info(name: str) -> generic.OptimizerInfo:
    """Return a method's entry."""
    skips = [
        DecorateInfo(unittest.skip(reason), "TestOptimRenewed", test)
        for test, reason in why_not(name).items()
    ]
    skips.append(
        DecorateInfo(
            unittest.skip(ROUNDED_ONCE),
            "TestOptimRenewed",
            "test_fused_matches_forloop",
            dtypes=(torch.bfloat16, torch.float16),
        )
    )
    return generic.OptimizerInfo(
        by_flags(TABLE[name]),
        optim_inputs_func=inputs(name),
        optim_error_inputs_func=errors(name),
        supported_impls=("foreach", "fused") if "fused" in EXECUTORS else ("foreach",),
        supports_fused_on=("cpu", "cuda"),
        not_og_supported_flags=("foreach", "fused", "maximize"),
        supports_complex="complex" not in CASES[name].without,
        skips=skips,
    )


def infos() -> list[generic.OptimizerInfo]:
    """Return every method's entry."""
    return [info(name) for name in compared]
