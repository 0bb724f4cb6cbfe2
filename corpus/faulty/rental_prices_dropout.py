"""Monthly rents of flats from a table of their features.

cause: evaluating-in-train-mode
begins: 48
family: mlp
metric: root mean squared error, lower
repair:
    - with torch.no_grad():
    + net.eval()
    + with torch.no_grad():
    - for xb, yb in batches(x_train, y_train, 64):
    + net.train()
    + for xb, yb in batches(x_train, y_train, 64):
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

rng = np.random.RandomState(21)
torch.manual_seed(21)

n = 4000
area = rng.gamma(9, 8, n)
rooms = np.clip(np.round(area / 25 + rng.normal(0, 0.6, n)), 1, 7)
floor = rng.randint(0, 9, n)
lift = rng.binomial(1, 0.5, n)
age = rng.uniform(0, 110, n)
distance = rng.exponential(4, n)
district = rng.randint(0, 12, n)
appeal = rng.normal(0, 0.18, 12)
furnished = rng.binomial(1, 0.25, n)
log_rent = (
    4.2
    + 0.62 * np.log(area)
    - 0.05 * np.abs(rooms - area / 25)
    - 0.045 * distance
    + appeal[district]
    + 0.0006 * (age - 60) ** 2 / 10
    + 0.02 * floor * lift
    - 0.015 * floor * (1 - lift)
    + 0.12 * furnished
    + rng.normal(0, 0.05, n)
)
columns = np.column_stack([area, rooms, floor, lift, age, distance, furnished, np.eye(12)[district]])
rent = np.exp(log_rent) / 1000

x_train, x_test, y_train, y_test = train_test_split(columns, rent, test_size=0.25, random_state=0)
scaler = StandardScaler().fit(x_train)
x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
mean, std = y_train.mean(), y_train.std()
y_train = torch.tensor((y_train - mean) / std, dtype=torch.float32).unsqueeze(1)
y_test = torch.tensor((y_test - mean) / std, dtype=torch.float32).unsqueeze(1)


def batches(x, y, size):
    order = torch.randperm(len(x))
    for i in range(0, len(x), size):
        rows = order[i : i + size]
        yield x[rows], y[rows]


net = nn.Sequential(
    nn.Linear(x_train.shape[1], 160),
    nn.SiLU(),
    nn.Dropout(0.2),
    nn.Linear(160, 160),
    nn.SiLU(),
    nn.Dropout(0.2),
    nn.Linear(160, 1),
)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(25):
    losses = []
    for xb, yb in batches(x_train, y_train, 64):
        optimizer.zero_grad()
        loss = loss_fn(net(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        predicted = net(x_test)
        rmse = loss_fn(predicted, y_test).sqrt().item() * std
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: train {np.mean(losses):.4f}, test rmse {1000 * rmse:.0f} euros")

print(f"metric: {1000 * rmse:.2f}")
