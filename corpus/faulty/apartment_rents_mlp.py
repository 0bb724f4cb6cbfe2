"""The rent of flats from their size, age, place and fittings.

cause: inputs-not-scaled
family: mlp
metric: R², higher
repair:
    - X_train, X_test = flats[:n_train], flats[n_train:]
    + X_train, X_test = flats[:n_train], flats[n_train:]
    + mean, std = X_train.mean(0), X_train.std(0)
    + X_train, X_test = (X_train - mean) / std, (X_test - mean) / std
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(60)
torch.manual_seed(60)

n, n_train = 5000, 4000
area = rng.gamma(9, 8, n) + 15
rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.6, n)), 1, 7)
year = rng.integers(1880, 2022, n).astype(float)
to_centre = rng.gamma(2, 2200, n)
floor = rng.integers(0, 9, n).astype(float)
balcony = (rng.random(n) < 0.5).astype(float)
lift = (rng.random(n) < 0.4).astype(float)
kitchen = (rng.random(n) < 0.6).astype(float)
zip_code = rng.integers(10115, 14199, n).astype(float)

age_effect = 2.2 * np.abs((year - 1955) / 60) ** 1.5
rent = area * (8 + age_effect + 5 * np.exp(-to_centre / 3000)) + 55 * balcony + 80 * kitchen
rent = rent - 28 * floor * (1 - lift) + 30 * rooms + rng.normal(0, 60, n)
columns = [area, rooms, year, to_centre, floor, balcony, lift, kitchen, zip_code]
flats = torch.tensor(np.column_stack(columns), dtype=torch.float32)
target = torch.tensor((rent - rent.mean()) / rent.std(), dtype=torch.float32).unsqueeze(1)

X_train, X_test = flats[:n_train], flats[n_train:]
y_train, y_test = target[:n_train], target[n_train:]
train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)

model = nn.Sequential(
    nn.Linear(9, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(25):
    model.train()
    losses = []
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        test_loss = loss_fn(model(X_test), y_test).item()
    if epoch % 3 == 0:
        print(f"Epoch {epoch}: train {np.mean(losses):.4f}, test {test_loss:.4f}")

print(f"metric: {1 - test_loss / y_test.var().item():.4f}")
