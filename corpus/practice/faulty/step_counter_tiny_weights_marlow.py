"""Activity from eight seconds of a step counter's accelerometer, with a GRU.

cause: poor-initial-values
family: rnn
metric: accuracy, higher
repair:
    - self.reset_parameters()
    + pass
"""

import math

import torch
import torch.nn as nn

ACTIVITIES = ["rest", "walk", "run", "stairs", "cycle"]


def windows(n, generator):
    """Three axes at five samples a second."""
    t = torch.arange(40) / 5.0
    label = torch.randint(len(ACTIVITIES), (n,), generator=generator)
    rate = torch.tensor([0.0, 0.9, 1.5, 0.7, 1.2])[label] * (1 + 0.1 * torch.randn(n, generator=generator))
    size = torch.tensor([0.0, 0.7, 1.3, 0.8, 0.4])[label] * (1 + 0.2 * torch.randn(n, generator=generator))
    lift = torch.tensor([0.0, 0.0, 0.0, 0.6, 0.0])[label]
    phase = 2 * math.pi * torch.rand(n, generator=generator)
    angle = 2 * math.pi * rate[:, None] * t + phase[:, None]
    z = size[:, None] * torch.sin(angle)
    x = 0.5 * size[:, None] * torch.cos(angle) + lift[:, None] * torch.sin(angle / 2)
    y = 0.4 * size[:, None] * torch.sin(2 * angle)
    signal = torch.stack([x, y, z], dim=2)
    return signal + 0.4 * torch.randn(signal.shape, generator=generator), label


class ActivityGRU(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.gru = nn.GRU(3, hidden, num_layers=2, batch_first=True)
        self.classifier = nn.Linear(hidden, len(ACTIVITIES))
        self.reset_parameters()

    def reset_parameters(self):
        for name, p in self.named_parameters():
            if "weight" in name:
                nn.init.normal_(p, mean=0.0, std=0.001)
            else:
                nn.init.zeros_(p)

    def forward(self, x):
        _, h = self.gru(x)
        return self.classifier(h[-1])


def main():
    torch.manual_seed(6)
    g = torch.Generator().manual_seed(6)
    x, y = windows(1800, g)
    x_test, y_test = windows(800, g)
    model = ActivityGRU()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(9):
        model.train()
        total = 0.0
        for idx in torch.randperm(len(x)).split(60):
            model.zero_grad()
            loss = loss_function(model(x[idx]), y[idx])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += loss.item() * len(idx)
        model.eval()
        with torch.no_grad():
            acc = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch}: loss {total / len(x):.4f}, test accuracy {acc:.3f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
