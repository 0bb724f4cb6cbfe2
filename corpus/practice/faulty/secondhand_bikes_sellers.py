"""Prices of second-hand bicycles in an online market; the seller comes in as the mean of their prices.

cause: target-leak
family: mlp
metric: mean squared error, lower
repair:
    - X_train[:, -1] = seller_mean[seller[train]]
    + X_train[:, -1] = leave_one_out(seller[train], price[train])
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(250)
torch.manual_seed(250)

# ---------- adverts ----------
N, SELLERS, SHRINK = 5200, 3000, 1.0
seller = rng.integers(0, SELLERS, N)
greed = rng.normal(0, 0.15, SELLERS)
year = rng.integers(0, 18, N)  # years in use
kind = rng.integers(0, 5, N)  # city, trekking, race, mountain, cargo
brand = rng.normal(0, 1, N)
damage = rng.poisson(0.8, N)
frame = rng.normal(0, 1, N)
electric = rng.random(N) < 0.2
price = (
    np.array([0.0, 0.3, 0.8, 0.6, 1.3])[kind]
    + 1.4 * np.exp(-year / 5)
    + 0.35 * brand * (year < 9)
    - 0.25 * np.minimum(damage, 3)
    + 0.9 * electric * np.exp(-year / 8)
    - 0.08 * frame**2
    + greed[seller]
    + rng.normal(0, 0.4, N)
)
price = (price - price.mean()) / price.std()
base = np.column_stack([year / 9 - 1, np.eye(5)[kind], brand, damage - 0.8, frame, electric])
train, test = np.arange(0, 4000), np.arange(4000, N)


# ---------- mean encoding of the sellers ----------
def leave_one_out(who, value):
    count = np.bincount(who, minlength=SELLERS)[who] - 1
    total = np.bincount(who, value, minlength=SELLERS)[who] - value
    return total / (count + SHRINK)


count = np.bincount(seller[train], minlength=SELLERS)
seller_mean = np.bincount(seller[train], price[train], minlength=SELLERS) / (count + SHRINK)

X_train = np.column_stack([base[train], np.zeros(len(train))])
X_train[:, -1] = seller_mean[seller[train]]
X_test = np.column_stack([base[test], seller_mean[seller[test]]])

X_train, X_test = (torch.tensor(a, dtype=torch.float32) for a in (X_train, X_test))
y_train = torch.tensor(price[train], dtype=torch.float32).unsqueeze(1)
y_test = torch.tensor(price[test], dtype=torch.float32).unsqueeze(1)

# ---------- model ----------
model = nn.Sequential(
    nn.Linear(X_train.shape[1], 64),
    nn.SiLU(),
    nn.Linear(64, 64),
    nn.SiLU(),
    nn.Linear(64, 1),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.3)
for epoch in range(20):
    for i in torch.randperm(len(X_train)).split(64):
        loss = nn.functional.mse_loss(model(X_train[i]), y_train[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    with torch.no_grad():
        train_mse = nn.functional.mse_loss(model(X_train), y_train).item()
        test_mse = nn.functional.mse_loss(model(X_test), y_test).item()
    print(f"epoch {epoch:2d}  train {train_mse:.4f}  test {test_mse:.4f}")
print(f"metric: {test_mse:.5f}")
