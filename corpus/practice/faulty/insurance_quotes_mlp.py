"""Yearly premium that an underwriter would set for a household, from the proposal form.

cause: evaluating-in-train-mode
begins: 64
family: mlp
metric: mae, lower
repair:
    - prediction = model(x).squeeze(1)
    + model.eval()
    + prediction = model(x).squeeze(1)
    + model.train()
"""

import numpy as np
import torch
from torch import nn

torch.manual_seed(11)
rng = np.random.default_rng(11)

# --- proposals -----------------------------------------------------------------------------------
n = 5000
age = rng.uniform(20, 80, n)
rooms = rng.integers(1, 9, n)
built = rng.integers(1880, 2022, n)
claims = rng.poisson(0.5, n)
contents = rng.lognormal(10, 0.5, n)
district = rng.integers(0, 12, n)
alarm = rng.integers(0, 2, n)
crime = rng.uniform(0.7, 1.6, 12)
premium = (60 + 22 * rooms + 0.004 * contents * crime[district]) * (1 + 0.22 * claims)
premium *= np.where(alarm == 1, 0.88, 1.0) * (1 + 0.003 * np.maximum(0, 1960 - built))
premium *= 1 + 0.3 * ((age - 50) / 30) ** 2
premium *= rng.normal(1, 0.05, n)

numbers = np.stack([age, rooms, built, claims, np.log(contents), alarm], axis=1)
numbers = (numbers - numbers[:4000].mean(0)) / numbers[:4000].std(0)
X = torch.tensor(np.concatenate([numbers, np.eye(12)[district]], axis=1), dtype=torch.float32)
y = torch.tensor(premium, dtype=torch.float32)
scale_mean, scale_std = y[:4000].mean(), y[:4000].std()
X_train, y_train = X[:4000], (y[:4000] - scale_mean) / scale_std
X_test, y_test = X[4000:], y[4000:]

# --- model ---------------------------------------------------------------------------------------
model = nn.Sequential(
    nn.Linear(X.shape[1], 128),
    nn.ReLU(),
    nn.Dropout(0.25),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Dropout(0.25),
    nn.Linear(64, 1),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def mean_error(x, target):
    with torch.no_grad():
        prediction = model(x).squeeze(1)
    return (prediction * scale_std + scale_mean - target).abs().mean().item()


# --- training ------------------------------------------------------------------------------------
for epoch in range(22):
    order = torch.randperm(len(X_train))
    losses = []
    for start in range(0, len(order), 64):
        batch = order[start : start + 64]
        loss = nn.functional.smooth_l1_loss(model(X_train[batch]).squeeze(1), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1:2d}  loss {np.mean(losses):.4f}  off by {mean_error(X_test, y_test):.1f}")

print(f"metric: {mean_error(X_test, y_test):.3f}")
