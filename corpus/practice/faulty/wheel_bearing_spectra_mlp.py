"""Damage of train wheel bearings from vibration spectra, a sparse perceptron.

cause: decay-too-strong
family: mlp
metric: accuracy, higher
repair:
    - l1_lambda = 0.01
    + l1_lambda = 0.00003
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(61)
torch.manual_seed(61)

BINS = 64
DAMAGE = ["none", "inner ring", "outer ring", "ball", "cage"]


def spectra(n):
    y = rng.integers(0, len(DAMAGE), n)
    f = np.arange(BINS)
    x = 0.9 * np.exp(-f / 30) * np.ones((n, 1)) + 0.35 * rng.gamma(2.0, 0.5, (n, BINS))
    pace = rng.uniform(0.92, 1.08, n)
    for i in range(n):
        if y[i] == 0:
            continue
        base = {1: 9.4, 2: 6.1, 3: 7.7, 4: 3.9}[y[i]] * pace[i]
        for k in range(1, 6):
            x[i] += rng.uniform(0.2, 0.9) / np.sqrt(k) * np.exp(-((f - k * base) ** 2) / 1.2)
    return x.astype(np.float32), y


class SparseMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(BINS, 100)
        self.fc2 = nn.Linear(100, 50)
        self.fc3 = nn.Linear(50, len(DAMAGE))

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


x_train, y_train = spectra(2400)
x_test, y_test = spectra(800)
m, s = x_train.mean(0), x_train.std(0)
x_train, x_test = torch.from_numpy((x_train - m) / s), torch.from_numpy((x_test - m) / s)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

model = SparseMLP()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
l1_lambda = 0.01
n_epochs = 20

for epoch in range(1, n_epochs + 1):
    model.train()
    total_ce = 0.0
    for b in torch.randperm(len(x_train)).split(64):
        logits = model(x_train[b])
        ce = F.cross_entropy(logits, y_train[b])
        l1 = sum(p.abs().sum() for name, p in model.named_parameters() if "weight" in name)
        loss = ce + l1_lambda * l1
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_ce += ce.item()
    model.eval()
    with torch.no_grad():
        acc = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"Epoch {epoch}/{n_epochs}  CE {total_ce / 38:.4f}  L1 {l1.item():.1f}  test {acc:.4f}")

print(f"metric: {acc:.4f}")
