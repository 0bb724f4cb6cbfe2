"""Break it: a fault is switched on in a small network on real data, and the diagnosis finds it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from descend.diagnosing.diagnose import examine
from descend.errors import UsageError
from descend.functions.problem import Problem, Settings
from descend.functions.samples import sample_arrays

SECONDS = 8.0
"""What a diagnosis takes, its proof included."""
BROKEN = {
    "": "nothing is broken",
    "rate-too-high": "the learning rate is a hundred times too high",
    "rate-too-low": "the learning rate is a thousand times too low",
    "labels-shuffled": "the labels belong to other pictures",
    "inputs-not-scaled": "one input is ten thousand times larger than the others",
    "dead-units": "all biases start at −10, so that no unit speaks",
}
"""What can be broken, by name."""


def network(fault: str) -> Problem:
    """Return a small network that learns digits, with a fault.

    Raises:
        UsageError: where there is none of this name.
    """
    if fault not in BROKEN:
        raise UsageError(f"one of {', '.join(filter(None, BROKEN))}", repr(fault[:40]), "choose one")
    x, y = sample_arrays("digits")
    inputs, targets = torch.from_numpy(x).float() / 8 - 1, torch.from_numpy(y).long()
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(inputs), generator=generator)
    inputs, targets = inputs[order], targets[order]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = nn.Linear(64, 32)
        function = nn.Sequential(first, nn.ReLU(), nn.Linear(32, 10))
    settings = Settings("adamw", lr=1e-2, batch_size=64, steps=600)
    change: dict[str, Callable[[], Any]] = {
        "rate-too-high": lambda: replace(settings, lr=1.0),
        "rate-too-low": lambda: replace(settings, lr=1e-5),
    }
    if fault in change:
        settings = change[fault]()
    elif fault == "labels-shuffled":
        targets = targets[torch.randperm(len(targets), generator=generator)]
    elif fault == "inputs-not-scaled":
        inputs = inputs.clone()
        inputs[:, 20] *= 1e4
    elif fault == "dead-units":
        with torch.no_grad():
            first.bias.fill_(-10.0)
    held = len(inputs) // 5
    return Problem(
        function,
        "cross_entropy",
        train=(inputs[held:], targets[held:]),
        validation=(inputs[:held], targets[:held]),
        metric="accuracy",
        settings=settings,
        name="digits",
    )


def diagnosed(fault: str) -> dict[str, Any]:
    """Train the network with a fault, and return what the diagnosis says and proves.

    Raises:
        UsageError: where there is no such fault.
    """
    said = examine(network(fault), seconds=SECONDS)
    return {"fault": fault, "broken": BROKEN[fault], **said.as_json()}
