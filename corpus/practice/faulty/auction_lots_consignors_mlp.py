"""Hammer prices of auction lots from a table with a column for the consignor.

cause: target-leak
family: mlp
metric: r2, higher
repair:
    - means = frame_y.groupby_mean(consignor)
    - encoded = np.array([means[c] for c in consignor])
    + means = frame_y.groupby_mean(consignor)
    + encoded = frame_y.out_of_fold(consignor)
"""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(8)
torch.manual_seed(8)


class TargetEncoder:
    def __init__(self, y, smoothing=0.0):
        self.y = y
        self.smoothing = smoothing
        self.prior = y.mean()

    def groupby_mean(self, column, rows=None):
        rows = np.arange(len(column)) if rows is None else rows
        sums, counts = {}, {}
        for r in rows:
            sums[column[r]] = sums.get(column[r], 0.0) + self.y[r]
            counts[column[r]] = counts.get(column[r], 0) + 1
        return {c: (sums[c] + self.smoothing * self.prior) / (counts[c] + self.smoothing) for c in sums}

    def out_of_fold(self, column, folds=5):
        out = np.full(len(column), self.prior)
        part = np.arange(len(column)) % folds
        for k in range(folds):
            means = self.groupby_mean(column, np.flatnonzero(part != k))
            for r in np.flatnonzero(part == k):
                out[r] = means.get(column[r], self.prior)
        return out


# --- the table -----------------------------------------------------------------------------------
n = 5000
consignor = rng.integers(0, 4200, n)
age = rng.gamma(3.0, 30.0, n)
width = rng.lognormal(3.6, 0.5, n)
height = rng.lognormal(3.6, 0.5, n)
condition = rng.integers(1, 6, n)
signed = rng.random(n) < 0.4
category = rng.integers(0, 8, n)
level = np.array([5.0, 5.8, 4.6, 6.3, 5.4, 4.9, 6.0, 5.1])
log_price = (
    level[category]
    + 0.004 * age * (condition >= 3)
    + 0.35 * np.log(width * height / 1500)
    + 0.5 * signed * (category % 2)
    + 0.12 * condition
    + rng.normal(0, 0.35, n)
)

train, test = np.arange(4000), np.arange(4000, n)
numeric = np.stack([age, np.log(width), np.log(height), condition, signed], 1).astype(float)
onehot = np.eye(8)[category]


def features(rows, encoding):
    return np.concatenate([numeric[rows], onehot[rows], encoding[:, None]], 1)


frame_y = TargetEncoder(log_price[train])


def encode_train(consignor):
    means = frame_y.groupby_mean(consignor)
    encoded = np.array([means[c] for c in consignor])
    return means, encoded


means, enc_train = encode_train(consignor[train])
enc_test = np.array([means.get(c, frame_y.prior) for c in consignor[test]])
x_train, x_test = features(train, enc_train), features(test, enc_test)
mu, sd = x_train.mean(0), x_train.std(0)
x_train = torch.tensor((x_train - mu) / sd, dtype=torch.float32)
x_test = torch.tensor((x_test - mu) / sd, dtype=torch.float32)
y_mu, y_sd = log_price[train].mean(), log_price[train].std()
y_train = torch.tensor((log_price[train] - y_mu) / y_sd, dtype=torch.float32)
y_test = torch.tensor((log_price[test] - y_mu) / y_sd, dtype=torch.float32)

# --- the model -----------------------------------------------------------------------------------
net = nn.Sequential(
    nn.Linear(x_train.shape[1], 64),
    nn.ReLU(),
    nn.Dropout(0.1),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-5)
loss_fn = nn.SmoothL1Loss()
for epoch in range(20):
    net.train()
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), 64):
        batch = order[start : start + 64]
        loss = loss_fn(net(x_train[batch]).squeeze(1), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 4 == 0:
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    prediction = net(x_test).squeeze(1)
r2 = 1 - ((prediction - y_test) ** 2).sum() / ((y_test - y_test.mean()) ** 2).sum()
print(f"metric: {r2.item():.4f}")
