"""An autoencoder of drawn faces whose decoder uses the encoder's weights, transposed.

family: autoencoder
metric: mean squared error, lower
"""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 20


def faces(n, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:20j, -1:1:20j]
    out = np.empty((n, SIZE, SIZE))
    for face in out:
        dx, dy = rng.normal(0, 0.08, 2)
        wide, gaze = rng.uniform(0.6, 0.8), rng.normal(0, 0.05)
        smile, light = rng.normal(0, 0.3, 2)
        u, v = x - dx, y - dy
        face[:] = (1 + light * u) / (1 + np.exp(12 * (np.hypot(u / wide, v / 0.85) - 1)))
        for side in (-0.28, 0.28):
            face -= 0.8 * np.exp(-((u - side - gaze) ** 2 + (v + 0.25) ** 2) / 0.012)
        mouth = v - 0.4 + smile * (u**2 - 0.05)
        face -= 0.6 * np.exp(-(mouth**2) / 0.006 - u**2 / 0.06)
    out += rng.normal(0, 0.03, out.shape)
    return torch.tensor(out.reshape(n, -1), dtype=torch.float32)


class TiedAutoencoder(nn.Module):
    def __init__(self, sizes=(SIZE * SIZE, 160, 12)):
        super().__init__()
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(n) for n in reversed(sizes[:-1]))

    def encode(self, x):
        x = F.silu(self.encoder[0](x))
        return self.encoder[1](x)

    def forward(self, x):
        h = self.encode(x)
        h = F.silu(F.linear(h, self.encoder[1].weight.t(), self.biases[0]))
        return F.linear(h, self.encoder[0].weight.t(), self.biases[1])


def main():
    torch.manual_seed(24)
    train, test = faces(2400, 1), faces(500, 2)
    mean = train.mean(0)
    train, test = train - mean, test - mean
    loader = DataLoader(TensorDataset(train), batch_size=48, shuffle=True)
    model = TiedAutoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=25 * len(loader), eta_min=1e-5)
    for epoch in range(25):
        model.train()
        running = 0.0
        for (x,) in loader:
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item()
        model.eval()
        with torch.no_grad():
            error = F.mse_loss(model(test), test).item()
        if epoch % 3 == 0:
            print(f"epoch {epoch}: train {running / len(loader):.5f} test {error:.5f}")
    print(f"pixels' variance {test.var().item():.4f}, of which noise 0.0009")
    print(f"metric: {error:.6f}")


if __name__ == "__main__":
    main()
