"""Digits by layers in which only the strongest units of each layer speak, the others are silent.

family: mlp
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class Winners(nn.Module):
    """Keeps the k largest activations of each row; a unit that has won often is held back a little."""

    def __init__(self, size, k, boost=1.0):
        super().__init__()
        self.k, self.boost = k, boost
        self.register_buffer("duty", torch.full((size,), k / size))

    def forward(self, h):
        size = h.shape[1]
        handicap = torch.exp(self.boost * (self.k / size - self.duty))
        chosen = (h * handicap).topk(self.k, dim=1).indices
        mask = torch.zeros_like(h).scatter_(1, chosen, 1.0)
        if self.training:
            self.duty.lerp_(mask.mean(0), 0.02)
        return F.relu(h * mask)


class SparseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 400), Winners(400, 24), nn.Linear(400, 200), Winners(200, 16), nn.Linear(200, 10)
        )

    def forward(self, x):
        return self.layers(x)


def run():
    torch.manual_seed(9)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x = (x - x[:1300].mean()) / x[:1300].std()
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    net = SparseNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(25):
        net.train()
        for rows in torch.randperm(1300).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = (net(x[1300:]).argmax(1) == y[1300:]).float().mean().item()
        if epoch % 4 == 0:
            print(f"epoch {epoch:2d}: loss {loss.item():.4f}, right {right:.4f}")
    return right


print("metric:", run())
