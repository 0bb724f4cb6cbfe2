"""Bitterness of a beer from the hop schedule of a home brewer's log.

cause: learning-rate-too-high
family: mlp
metric: r2, higher
repair:
    - optimizer = optim.Adam(model.parameters(), lr=0.1)
    + optimizer = optim.Adam(model.parameters(), lr=0.001)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

np.random.seed(5)
torch.manual_seed(5)

# --- the brewing log: three hop additions each with grams, alpha acid, minutes in the kettle
n = 2400
grams = np.random.gamma(3, 9, (n, 3))
alpha = np.random.uniform(2.5, 15, (n, 3))
minutes = np.stack(
    [np.random.uniform(45, 90, n), np.random.uniform(10, 40, n), np.random.uniform(0, 10, n)], axis=1
)
gravity = np.random.normal(1.052, 0.01, n).clip(1.03, 1.1)
volume = np.random.uniform(15, 30, n)
dry_hop = np.random.exponential(20, n)
pellets = np.random.randint(0, 2, n)

bigness = 1.65 * 0.000125 ** (gravity - 1)
utilisation = bigness[:, None] * (1 - np.exp(-0.04 * minutes)) / 4.15 * (1 + 0.1 * pellets[:, None])
ibu = (utilisation * grams * alpha * 10).sum(1) / volume
ibu = ibu + 0.02 * dry_hop + np.random.normal(0, 1.5, n)

X = np.column_stack([grams, alpha, minutes, gravity, volume, dry_hop, pellets])
y = ibu.reshape(-1, 1)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=5)

sx, sy = StandardScaler(), StandardScaler()
X_train = torch.tensor(sx.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(sx.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(sy.fit_transform(y_train), dtype=torch.float32)
y_test = torch.tensor(sy.transform(y_test), dtype=torch.float32)

model = nn.Sequential(
    nn.Linear(X_train.shape[1], 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.1)

batch_size = 32
for epoch in range(25):
    perm = torch.randperm(len(X_train))
    running_loss = 0.0
    for i in range(0, len(X_train), batch_size):
        idx = perm[i : i + batch_size]
        optimizer.zero_grad()
        outputs = model(X_train[idx])
        loss = criterion(outputs, y_train[idx])
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(idx)
    if (epoch + 1) % 5 == 0:
        print(f"Epoch {epoch + 1}, train loss {running_loss / len(X_train):.4f}")

with torch.no_grad():
    pred = model(X_test)
mae = (pred - y_test).abs().mean().item() * sy.scale_[0]
print(f"mean absolute error: {mae:.2f} IBU")
print(f"metric: {r2_score(y_test.numpy(), pred.numpy()):.4f}")
