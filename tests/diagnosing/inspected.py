"""Problems that inspections are tested on, and the parts of one inspection."""

import torch
from torch import nn

import descend
from descend.diagnosing.inspecting.calls import look
from descend.diagnosing.inspecting.subject import Subject

SETTINGS = descend.Settings("adamw", lr=1e-3, batch_size=64)


def data(n=256, features=20, classes=5):
    """Return inputs of ordinary size, and which of the first ones is largest."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, features, generator=g)
    return x, x[:, :classes].argmax(1)


def pictures(n=128):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, 16, 16, generator=g)
    return x, (x.mean((1, 2, 3)) > 0).long()


def problem(*layers, loss="cross_entropy", train=None, settings=SETTINGS):
    return descend.Problem(nn.Sequential(*layers), loss, train=train or data(), settings=settings)


def mlp(width=64, inputs=20, outputs=5, depth=2, act=nn.ReLU):
    """Return the layers of a perceptron as torch starts them, from a seed."""
    torch.manual_seed(0)
    parts, size = [], inputs
    for _ in range(depth):
        parts += [nn.Linear(size, width), act()]
        size = width
    return [*parts, nn.Linear(size, outputs)]


def subject_of(made):
    """Return a subject and what one forward and backward showed of it."""
    subject = Subject.of(made, 0, "cpu")
    return subject, look(subject, subject.function())
