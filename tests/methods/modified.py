"""What the tests of modifiers share."""

import io
from typing import Any

import pytest
import torch
from cases import apart, give, gradients

BASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # our hyperparameters, and what the texts have to know of the method
    "sgd": ({"momentum": 0.9, "weight_decay": 0.1}, {"decoupled": False, "mars_beta": 0.9}),
    "adamw": ({"weight_decay": 0.1}, {"decoupled": True, "mars_beta": 0.9}),
    "lion": ({"betas": (0.8, 0.9), "weight_decay": 0.1}, {"decoupled": True, "mars_beta": 0.8}),
}
bases = pytest.mark.parametrize("base", list(BASES))


def far(parameters, others):
    found = [apart(p, q) for p, q in zip(parameters, others, strict=True)]
    return max(found, key=lambda x: (x != x, x))  # what is not a number is farthest


def descended(method, parameters, steps, seed=1):
    for _, found in zip(range(steps), gradients(parameters, seed), strict=False):
        give(parameters, found)
        method.step()


def saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
