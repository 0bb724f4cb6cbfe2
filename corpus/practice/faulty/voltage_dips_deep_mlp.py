"""Causes of voltage dips in a distribution grid, from summary features of the waveform.

cause: vanishing-gradients
family: mlp
metric: accuracy, higher
repair:
    - self.activation = nn.Sigmoid()
    + self.activation = nn.ReLU()
"""

import numpy as np
import torch
from torch import nn

CAUSES = ("short circuit", "motor start", "transformer", "switching")


def events(n, rng):
    y = rng.integers(0, 4, n)
    t = np.linspace(0, 1, 80)
    depth = rng.uniform(0.1, 0.6, n)
    start = rng.uniform(0.1, 0.4, n)
    length = rng.uniform(0.15, 0.5, n)
    rows = []
    for c, d, s, w in zip(y, depth, start, length, strict=True):
        inside = (t > s) & (t < s + w)
        v = np.ones_like(t)
        if c == 0:
            v[inside] -= d
        elif c == 1:
            v[t > s] -= d * np.exp(-(t[t > s] - s) / w)
        elif c == 2:
            v[t > s] -= d * np.exp(-(t[t > s] - s) / w) * (1 + np.cos(40 * t[t > s])) / 2
        else:
            v[t > s] += d * np.exp(-(t[t > s] - s) / 0.06) * np.sin(90 * (t[t > s] - s))
        v += 0.06 * rng.normal(size=len(t))
        rows.append([*v.reshape(16, 5).mean(1), *v.reshape(16, 5).std(1)])
    return np.array(rows, dtype=np.float32), y


class DeepMLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1))
        self.activation = nn.Sigmoid()

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def main():
    rng = np.random.default_rng(77)
    torch.manual_seed(77)
    x, y = events(2400, rng)
    x_test, y_test = events(800, rng)
    mu, sd = x.mean(0), x.std(0)
    x, x_test = torch.from_numpy((x - mu) / sd), torch.from_numpy((x_test - mu) / sd)
    y, y_test = torch.from_numpy(y), torch.from_numpy(y_test)

    model = DeepMLP([32, 64, 64, 64, 64, 64, 64, 64, 32, len(CAUSES)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(20):
        losses = []
        for rows in torch.randperm(len(x)).split(48):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch:3d}  loss {np.mean(losses):.4f}  test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
