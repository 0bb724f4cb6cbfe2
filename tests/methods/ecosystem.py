"""What the tests of other people's training loops share: a small network, data, a loop written out."""

import torch
from torch import nn

import descend

KINDS = {
    "adamw": {"lr": 1e-2},  # elementwise
    "lion": {"lr": 1e-3},
    "lamb": {"lr": 1e-2},  # norms of tensors
    "lars": {"lr": 5.0},
    "stableadamw": {"lr": 1e-2},
    "prodigy": {},  # sums over all parameters
    "dog": {"reps_rel": 1e-2},
    "muon": {"lr": 1e-2},  # whole matrices, and other methods for the rest
    "soap": {"lr": 1e-2},
    "adafactor": {"lr": 1e-2},
    "schedulefreeadamw": {"lr": 1e-2},  # two points
}
"""A method of each kind, with its learning rate here."""

MODIFIED = {**KINDS, "adamw": {"lr": 1e-2, "clip_norm": 0.05, "average": 0.9}}
"""The same, the first with modifiers."""

FEW = ("adamw", "lamb", "prodigy", "muon", "soap", "schedulefreeadamw")


class Network(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(6, 8)
        self.hidden = nn.Linear(8, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.hidden(torch.tanh(self.first(x)))))


def network(seed=0):
    return Network(seed)


def method(name, model, **given):
    return descend.optimizer(name, model, show=False, **{**MODIFIED[name], **given})


def data(count=32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    return torch.utils.data.TensorDataset(x, x[:, :3].argmax(1))


def batches(size=4, count=32):
    return torch.utils.data.DataLoader(data(count), batch_size=size)


def loss_of(model, batch):
    x, y = batch
    return nn.functional.cross_entropy(model(x), y)


def by_hand(model, opt, schedule=None, epochs=1, accumulate=1, clip=None, size=4):
    """The loop that everybody writes, as what others are compared with; returns the losses."""
    losses = []
    for _ in range(epochs):
        for i, batch in enumerate(batches(size)):
            loss = loss_of(model, batch)
            (loss / accumulate).backward()
            losses.append(loss.item())
            if (i + 1) % accumulate == 0:
                if clip is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                opt.step()
                if schedule is not None:
                    schedule.step()
                opt.zero_grad()
    return losses


def same(model, other):
    """Whether two models have the very same numbers, up to the rounding of sums in another order."""
    return all(
        torch.allclose(p, q, rtol=1e-6, atol=1e-7)
        for p, q in zip(model.parameters(), other.parameters(), strict=True)
    )
