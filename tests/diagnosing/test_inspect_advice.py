"""Advice: each fault is named with what was measured, and sound networks are left alone."""

import pytest
import torch
from inspected import SETTINGS, data, mlp, pictures, problem, subject_of
from torch import nn
from torch.nn import functional as F

import descend
from descend.applications.targets import problem_from_target
from descend.diagnosing.inspecting.advice import Known
from descend.diagnosing.inspecting.chance import chance
from descend.diagnosing.inspecting.cost import cost
from descend.diagnosing.inspecting.depth import depth
from descend.diagnosing.inspecting.rules import advice
from descend.diagnosing.inspecting.shapes import shapes


def of(made):
    subject, seen = subject_of(made)
    table = shapes(seen, cost(subject).by_layer, subject.examples)
    known = Known(subject, seen, table, chance(subject, seen), depth(subject, seen), subject.target())
    found = advice(known)
    for one in found:
        assert one.change.endswith(".") and one.evidence.endswith("."), one
        assert any(c.isdigit() for c in one.evidence), one  # a measurement has a number
    return found


def changed(change):
    layers = mlp()
    with torch.no_grad():
        change(layers)
    return problem(*layers)


def on_targets(*layers, y=lambda x: x[:, :1], loss="mse"):
    x, _ = data()
    return problem(*layers, loss=loss, train=(x, y(x)))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.idle, self.b = nn.Linear(20, 32), nn.Linear(20, 32), nn.Linear(32, 5)

    def forward(self, x):
        return self.b(F.relu(self.a(x)))


def between(index, *layers):
    found = mlp()
    found[index:index] = layers
    return found


FAULTY = {
    "no activation": (
        lambda: problem(*between(1, nn.Dropout(0.1), nn.Linear(64, 64))),
        ["activation between"],
    ),
    "softmax before cross_entropy": (lambda: problem(*mlp(), nn.Softmax(-1)), ["Leave out the softmax"]),
    "sigmoid before logits": (
        lambda: on_targets(
            *mlp(outputs=1), nn.Sigmoid(), y=lambda x: (x[:, :1] > 0).float(), loss="binary_cross_entropy"
        ),
        ["Leave out the sigmoid"],
    ),
    "relu before cross_entropy": (lambda: problem(*mlp(), nn.ReLU()), ["Leave out the relu"]),
    "range misses the target": (lambda: on_targets(*mlp(outputs=1), nn.Tanh()), ["tanh"]),
    "bias before a norm": (lambda: problem(*between(1, nn.BatchNorm1d(64))), ["bias=False"]),
    "dropout before a norm": (
        lambda: problem(
            *between(2, nn.Dropout(0.5), nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU())
        ),
        ["behind the last batch norm"],
    ),
    "far more outputs than classes": (lambda: problem(*mlp(outputs=1000)), ["Give the last layer 5 outputs"]),
    "a bottleneck": (
        lambda: problem(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2), nn.ReLU(), nn.Linear(2, 5)),
        ["Widen what"],
    ),
    "a heavy layer": (
        lambda: problem(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4096, 256),
            nn.ReLU(),
            nn.Linear(256, 2),
            train=pictures(512),
        ),
        ["Pool the map"],
    ),
    "too few examples": (
        lambda: problem(*mlp(600), train=tuple(t[:64] for t in data())),
        ["smaller function"],
    ),
    "inputs far from zero": (
        lambda: problem(*mlp(), train=(data()[0] * 5 + 300, data()[1])),
        ["Standardise the inputs"],
    ),
    "features of different sizes": (
        lambda: problem(*mlp(), train=(data()[0] * torch.logspace(-4, 0, 20), data()[1])),
        ["Standardise the inputs"],
    ),
    "a start that is too large": (lambda: changed(lambda m: m[-1].weight.mul_(100)), ["Start 4"]),
    "a target far from zero": (
        lambda: on_targets(*mlp(outputs=1), y=lambda x: x[:, :1] + 1e3),
        ["Standardise the target"],
    ),
    "gradients that vanish": (lambda: problem(*mlp(depth=8, act=nn.Sigmoid)), ["in place of sigmoid"]),
    "a dead layer": (lambda: changed(lambda m: m[2].bias.fill_(-50)), ["cuts 0, 2", "otherwise"]),
    "saturated units": (
        lambda: problem(*[m if k else wild(m) for k, m in enumerate(mlp(act=nn.Tanh))]),
        ["Scale down"],
    ),
    "unused parameters": (
        lambda: descend.Problem(Unused(), "cross_entropy", train=data(), settings=SETTINGS),
        ["idle.weight"],
    ),
}


def wild(layer):
    nn.init.normal_(layer.weight, std=5)
    return layer


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_is_named(fault):
    made, words = FAULTY[fault]
    found = of(made())
    assert [one for one in found if words[0] in one.change], found
    for word in words:
        assert any(word in one.change for one in found)
    assert len(found) == len(words), found


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(20, 64), nn.Linear(64, 5)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64)) for _ in range(6)
        )

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.recur, self.last = (
            nn.Embedding(30, 16),
            nn.GRU(16, 32, batch_first=True),
            nn.Linear(32, 5),
        )

    def forward(self, x):
        return self.last(self.recur(self.embed(x))[0][:, -1])


def convolutions():
    torch.manual_seed(0)
    return [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, 2),
    ]


def tokens():
    x = torch.randint(0, 30, (128, 24), generator=torch.Generator().manual_seed(0))
    return x, x[:, 0] % 5


HEALTHY = {
    "perceptron": lambda: problem(*mlp()),
    "tanh": lambda: problem(*mlp(act=nn.Tanh)),
    "regression": lambda: on_targets(*mlp(outputs=1)),
    "positive targets": lambda: on_targets(*mlp(outputs=1), nn.ReLU(), y=lambda x: x[:, :1].abs()),
    "autoencoder": lambda: on_targets(
        nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 20), y=lambda x: x
    ),
    "factorised": lambda: problem(
        nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 8), nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 5)
    ),
    "logistic": lambda: problem(nn.Linear(20, 5)),
    "residual": lambda: descend.Problem(Residual(), "cross_entropy", train=data(), settings=SETTINGS),
    "recurrent": lambda: descend.Problem(Sequence(), "cross_entropy", train=tokens(), settings=SETTINGS),
    "convolutions": lambda: problem(*convolutions(), train=pictures()),
    "yes or no": lambda: on_targets(
        *mlp(outputs=1), y=lambda x: (x[:, :1] > 0).float(), loss="binary_cross_entropy"
    ),
    "label smoothing": lambda: problem(*mlp(), loss=nn.CrossEntropyLoss(label_smoothing=0.1)),
    **{
        name: (lambda name=name: problem_from_target(name))
        for name in ("digits", "diabetes", "breast-cancer", "ackley")
    },
}


@pytest.mark.parametrize("name", HEALTHY)
def test_sound_networks_are_left_alone(name):
    assert of(HEALTHY[name]()) == []
