"""Bird species from spectrograms of a night's recordings in a nature reserve.

cause: class-imbalance
family: cnn
metric: macro_recall, higher
repair:
    - loss_fn = nn.CrossEntropyLoss()
    + loss_fn = nn.CrossEntropyLoss(weight=sum(COUNTS) / (len(COUNTS) * torch.tensor(COUNTS)))
"""

import math

import torch
from torch import nn

BIRDS = ["robin", "blackbird", "nightjar", "corncrake", "bittern"]
COUNTS = [1400, 420, 60, 45, 30]
FREQ, TIME = 20, 28


def record(species, generator):
    """A spectrogram with one call somewhere in it, and the wind."""
    n = len(species)
    f = torch.arange(FREQ).view(1, FREQ, 1)
    t = torch.arange(TIME).view(1, 1, TIME).float()
    onset = 16 * torch.rand(n, 1, 1, generator=generator)
    base = 5 + 9 * torch.rand(n, 1, 1, generator=generator)
    slope = torch.tensor([0.5, 0.15, -0.15, -0.5, 0.0])[species].view(-1, 1, 1)
    wobble = torch.tensor([0.5, 2.0, 0.4, 1.6, 1.2])[species].view(-1, 1, 1)
    ridge = base + slope * (t - onset - 6) + wobble * torch.sin(2 * math.pi * (t - onset) / 6)
    gate = torch.sigmoid(2 * (t - onset)) * torch.sigmoid(2 * (onset + 12 - t))
    call = gate * torch.exp(-((f - ridge) ** 2) / 2.5)
    loud = 0.7 + 0.6 * torch.rand(n, 1, 1, generator=generator)
    return (loud * call + 0.5 * torch.randn(n, FREQ, TIME, generator=generator)).unsqueeze(1)


def build():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(24 * 5 * 7, 48),
        nn.ReLU(),
        nn.Linear(48, len(BIRDS)),
    )


def recalls(model, x, y):
    model.eval()
    with torch.no_grad():
        guess = model(x).argmax(1)
    return [(guess[y == k] == k).float().mean().item() for k in range(len(BIRDS))]


def main():
    torch.manual_seed(31)
    generator = torch.Generator().manual_seed(31)
    y = torch.repeat_interleave(torch.arange(len(BIRDS)), torch.tensor(COUNTS))
    x = record(y, generator)
    y_test = torch.arange(len(BIRDS)).repeat(120)
    x_test = record(y_test, generator)

    model = build()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for epoch in range(12):
        model.train()
        loss_sum = 0.0
        for rows in torch.randperm(len(y), generator=generator).split(32):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
        each = recalls(model, x_test, y_test)
        print(
            f"epoch {epoch:2d} loss {loss_sum:7.2f} "
            + " ".join(f"{b} {r:.2f}" for b, r in zip(BIRDS, each, strict=True))
        )
    print(f"metric: {sum(each) / len(each):.4f}")


if __name__ == "__main__":
    main()
