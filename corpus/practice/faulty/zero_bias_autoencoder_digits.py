"""A zero-bias autoencoder with truncated rectified units (Konda et al.) on the small digits.

cause: dead-units
family: autoencoder
metric: mse, lower
repair:
    - ae = ZeroBiasAE(n_hidden=160, theta=1.0)
    + ae = ZeroBiasAE(n_hidden=160, theta=0.1)
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

np.random.seed(0)
torch.manual_seed(0)

digits = load_digits().data / 16.0
np.random.shuffle(digits)
data = torch.tensor(digits, dtype=torch.float32)
mean = data[:1400].mean(0)
train, valid = data[:1400] - mean, data[1400:] - mean


class TRec(nn.Module):
    def __init__(self, theta):
        super().__init__()
        self.theta = theta

    def forward(self, z):
        return z * (z > self.theta).float()


class ZeroBiasAE(nn.Module):
    def __init__(self, n_hidden, theta):
        super().__init__()
        self.W = nn.Parameter(torch.empty(n_hidden, 64))
        nn.init.xavier_normal_(self.W)
        self.act = TRec(theta)

    def encode(self, x):
        return self.act(x @ self.W.t())

    def forward(self, x):
        return self.encode(x) @ self.W


ae = ZeroBiasAE(n_hidden=160, theta=1.0)
optimizer = torch.optim.SGD(ae.parameters(), lr=0.05, momentum=0.9)

for epoch in range(60):
    perm = torch.randperm(len(train))
    total = 0.0
    for i in range(0, len(train), 50):
        x = train[perm[i : i + 50]]
        x_hat = ae(x)
        loss = ((x_hat - x) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    if epoch % 6 == 5:
        with torch.no_grad():
            error = ((ae(valid) - valid) ** 2).sum(1).mean().item()
        print(f"epoch {epoch + 1}: train {total / len(train):.4f}, valid {error:.4f}")

print(f"metric: {error:.4f}")
