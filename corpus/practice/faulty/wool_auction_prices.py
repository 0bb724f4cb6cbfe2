"""The price of a bale of wool at auction from its laboratory sheet, a perceptron trained two lots at a time.

cause: batch-too-small
also: learning-rate-too-high
family: mlp
metric: mean squared error against the noiseless price, lower
repair:
    - for xb, yb in DataLoader(train, batch_size=2, shuffle=True):
    + for xb, yb in DataLoader(train, batch_size=32, shuffle=True):
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def lots(n, rng):
    micron = rng.normal(20.5, 2.3, n)
    length = rng.normal(85, 12, n)
    strength = rng.normal(36, 7, n)
    vegetable = rng.gamma(2, 0.8, n)
    wool_yield = rng.normal(66, 5, n)
    colour = rng.gamma(3, 0.5, n)
    price = (
        1.6 * np.exp(-(micron - 17) / 4)
        + 0.25 * np.tanh((length - 75) / 12)
        + 0.2 * np.minimum(strength - 38, 0) / 7
        - 0.12 * vegetable
        + 0.02 * (wool_yield - 66)
        - 0.1 * (colour > 2)
    )
    x = np.column_stack([micron, length, strength, vegetable, wool_yield, colour])
    return x, price


rng = np.random.default_rng(1901)
torch.manual_seed(1901)
x, fair = lots(2000, rng)
paid = fair + rng.normal(0, 1.0, len(fair))  # bidders have moods
mean, std = x[:1500].mean(0), x[:1500].std(0)
x = torch.tensor((x - mean) / std, dtype=torch.float32)
centre, scale = paid[:1500].mean(), paid[:1500].std()
paid = torch.tensor((paid - centre) / scale, dtype=torch.float32).unsqueeze(1)
fair = torch.tensor((fair - centre) / scale, dtype=torch.float32).unsqueeze(1)
train = TensorDataset(x[:1500], paid[:1500])

model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.MSELoss()

for epoch in range(4):
    total = 0.0
    for xb, yb in DataLoader(train, batch_size=2, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    with torch.no_grad():
        mse = criterion(model(x[1500:]), fair[1500:]).item()
    print(f"epoch {epoch}: train {total / 1500:.4f}  against the fair price {mse:.4f}")

print(f"metric: {mse:.5f}")
