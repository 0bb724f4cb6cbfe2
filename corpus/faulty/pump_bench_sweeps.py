"""A network learns the efficiency of a pump from test runs in which the speed is raised step by step.

cause: data-not-shuffled
family: mlp
metric: root mean squared error, lower
repair:
    - loader = DataLoader(TensorDataset(x, y), batch_size=40)
    + loader = DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def efficiency(speed, flow, heat):
    best = 0.3 + 0.5 * speed
    return (
        0.8 * np.exp(-(((flow - best) / 0.35) ** 2))
        - 0.25 * (speed - 0.6) ** 2
        + 0.08 * np.sin(6 * speed + heat)
    )


def sweep(rng, steps=60, at_each=40):
    """At every speed the valve is opened to several widths, with water of any warmth."""
    speed = np.repeat(np.linspace(0, 1, steps), at_each)
    flow = rng.uniform(0, 1, steps * at_each)
    heat = rng.normal(0, 0.5, steps * at_each)
    eta = efficiency(speed, flow, heat) + rng.normal(0, 0.02, speed.shape)
    return np.stack([speed, flow, heat], 1), eta


class Efficiency(nn.Module):
    def __init__(self, width=40, depth=3):
        super().__init__()
        blocks = []
        for i in range(depth):
            blocks.append(nn.Linear(3 if i == 0 else width, width))
            blocks.append(nn.Tanh())
        self.body = nn.Sequential(*blocks)
        self.eta = nn.Linear(width, 1)

    def forward(self, x):
        return self.eta(self.body(x))[:, 0]


def train(model, loader, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        losses = []
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: {np.mean(losses):.5f}")


if __name__ == "__main__":
    rng = np.random.default_rng(61)
    torch.manual_seed(61)
    x, eta = sweep(rng)
    middle, spread = x.mean(0), x.std(0)
    x = torch.tensor((x - middle) / spread, dtype=torch.float32)
    y = torch.tensor((eta - eta.mean()) / eta.std(), dtype=torch.float32)
    loader = DataLoader(TensorDataset(x, y), batch_size=40)

    model = Efficiency()
    train(model, loader, epochs=24, lr=0.03)

    speed, flow, heat = rng.uniform(0, 1, 800), rng.uniform(0, 1, 800), rng.normal(0, 0.5, 800)
    held = torch.tensor((np.stack([speed, flow, heat], 1) - middle) / spread, dtype=torch.float32)
    with torch.no_grad():
        guess = model(held).numpy() * eta.std() + eta.mean()
    rmse = float(np.sqrt(np.mean((guess - efficiency(speed, flow, heat)) ** 2)))
    print(f"metric: {rmse:.4f}")
