"""The methods that torch.optim has."""

from functools import partial

import torch
from cases import Case

_ADAM = (
    {},
    {"weight_decay": 0.1},
    {"amsgrad": True, "betas": (0.8, 0.99), "eps": 1e-6},
    {"maximize": True, "betas": (0.0, 0.9)},
    {"weight_decay": 0.1, "amsgrad": True, "maximize": True},
)

CASES: dict[str, Case] = {
    "sgd": Case(
        torch.optim.SGD,
        (
            {},
            {"weight_decay": 0.1},
            {"momentum": 0.9, "dampening": 0.3},
            {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True, "maximize": True},
        ),
        cyclic="momentum",
    ),
    "momentum": Case(
        partial(torch.optim.SGD, momentum=0.9),
        ({}, {"momentum": 0.5, "weight_decay": 0.1}, {"nesterov": True}),
        cyclic="momentum",
    ),
    "nesterov": Case(
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        ({}, {"momentum": 0.5, "weight_decay": 0.1}, {"maximize": True}),
        cyclic="momentum",
    ),
    "adam": Case(torch.optim.Adam, _ADAM, cyclic="betas"),
    "adamw": Case(torch.optim.AdamW, _ADAM, cyclic="betas"),
}
