"""The methods without a rate, or a schedule of it, to tune."""

import torch
from cases import Case, package


def _training(make):
    """Take the authors' schedule-free methods as they are when they train."""

    def training(*args, **kwargs):
        method = make(*args, **kwargs)
        method.train()
        return method

    return training


def _dog(parameters, layerwise=False, **hyperparameters):
    """Make the authors' method; it needs a gradient of every parameter."""
    method = package("dog", "LDoG" if layerwise else "DoG")(parameters, **hyperparameters)
    step = method.step

    def complete_step():
        for p in method.param_groups[0]["params"]:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        return step()

    method.step = complete_step
    return method


def _sliding(cases):  # with a d0 that moves the parameters: from 1e-6 it hardly does along random gradients
    return tuple({"d0": 1e-2, **case} for case in cases)


_SHORT = {"bfloat16": "its first steps are 1e-6 of a parameter, and lost in bfloat16; see test_rate_free.py"}
_ONE_RATE = {"groups": "the authors' code refuses groups with rates of their own", **_SHORT}

_SCHEDULE_FREE = (
    {},
    {"weight_decay": 0.1, "warmup_steps": 10},
    {"r": 1.5, "weight_lr_power": 0.0, "lr": 0.1},
    {"warmup_steps": 7, "r": 0.5, "weight_lr_power": 1.0, "maximize": True},
)
_MODES = (lambda method: method.eval(), lambda method: method.train())

_OVERSHOOTS = "as the authors' code does, it finds its rate by growing it, and within 20 steps overshoots"

CASES: dict[str, Case] = {
    "schedulefreesgd": Case(
        _training(package("schedulefree", "SGDScheduleFree")),
        (*_SCHEDULE_FREE, {"momentum": 0.5, "weight_decay": 0.2}),
        generic={
            "test_param_group_with_lrscheduler_goes_right_direction": "a group takes the default rate of 1, "
            "which is too large for the test's loss",
        },
        source="schedulefree 1.4",
        evaluation=_MODES,
    ),
    "schedulefreeadamw": Case(
        _training(package("schedulefree", "AdamWScheduleFree")),
        (*_SCHEDULE_FREE, {"betas": (0.5, 0.9), "eps": 1e-5, "weight_decay": 0.2}),
        source="schedulefree 1.4",
        evaluation=_MODES,
    ),
    "prodigy": Case(
        package("prodigyopt", "Prodigy"),
        (
            {},
            *_sliding(
                (
                    {},
                    {"weight_decay": 0.1, "use_bias_correction": True},
                    {"weight_decay": 0.1, "decouple": False, "safeguard_warmup": True, "lr": 0.5},
                    {"growth_rate": 1.02, "d_coef": 2.0, "betas": (0.8, 0.99), "eps": 1e-6},
                    {"beta3": 0.9, "maximize": True, "betas": (0.5, 0.9)},
                )
            ),
        ),
        temporaries=7.5,
        source="prodigyopt 1.1.2",
        lr=1.0,
        without=_ONE_RATE,
    ),
    "dadaptadam": Case(
        package("dadaptation", "DAdaptAdam"),
        (
            {},
            *_sliding(
                (
                    {},
                    {"weight_decay": 0.1, "use_bias_correction": True},
                    {"weight_decay": 0.1, "decouple": True, "lr": 0.5},
                    {"growth_rate": 1.02, "betas": (0.8, 0.99), "eps": 1e-6, "maximize": True},
                )
            ),
        ),
        generic={
            "test_forloop_goes_right_direction": _OVERSHOOTS,
            "test_param_groups_weight_decay": _OVERSHOOTS,
        },
        temporaries=5.5,
        source="dadaptation 3.2",
        lr=1.0,
        without=_ONE_RATE,
    ),
    "dog": Case(
        _dog,
        (
            {},
            {"reps_rel": 1e-2, "weight_decay": 0.1},
            {"init_eta": 1e-2, "lr": 0.5},
            {"layerwise": True, "reps_rel": 1e-3, "eps": 1e-2},
            {"layerwise": True, "init_eta": 1e-2, "weight_decay": 0.1, "maximize": True},
        ),
        source="dog-optimizer 1.0.3",
        lr=1.0,
        programs=2,
        without={
            **_SHORT,
            "groups": "the authors' code takes each group by itself, ours all together",
            "experts": "the authors' code counts parameters without a gradient too",
        },
    ),
}
