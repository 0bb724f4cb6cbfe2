"""Sweetness of jams as a tasting panel scored it, from chemical measurements.

cause: overfitting
family: mlp
metric: r2, higher
repair:
    - EPOCHS = 350
    + EPOCHS = 14
    - optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    + optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.3)
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

EPOCHS = 350
LR = 1e-3
BATCH = 32

np.random.seed(21)
torch.manual_seed(21)

# 420 jams: sugar, acid, pectin, water, colour, aroma, firmness, salt
X = np.random.randn(420, 8)
score = X[:, 0] - 0.7 * X[:, 1] - 0.8 * np.tanh(X[:, 2]) + 0.3 * X[:, 0] * X[:, 5] + np.random.randn(420)
X_train, X_test, y_train, y_test = train_test_split(X, score, test_size=280, random_state=0)
sx, sy = StandardScaler().fit(X_train), StandardScaler().fit(y_train[:, None])
X_train = torch.tensor(sx.transform(X_train), dtype=torch.float32)
X_test = torch.tensor(sx.transform(X_test), dtype=torch.float32)
t_train = torch.tensor(sy.transform(y_train[:, None]), dtype=torch.float32)

net = nn.Sequential(
    nn.Linear(8, 256),
    nn.ReLU(),
    nn.Linear(256, 256),
    nn.ReLU(),
    nn.Linear(256, 128),
    nn.ReLU(),
    nn.Linear(128, 1),
)
optimizer = torch.optim.Adam(net.parameters(), lr=LR)
mse = nn.MSELoss()


def predict(x):
    net.eval()
    with torch.no_grad():
        return sy.inverse_transform(net(x).numpy())[:, 0]


for epoch in range(EPOCHS):
    net.train()
    total = 0.0
    for idx in torch.randperm(len(X_train)).split(BATCH):
        loss = mse(net(X_train[idx]), t_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    if epoch % 25 == 0:
        print(
            f"{epoch:4d} train mse {total / len(X_train):.4f} test r2 {r2_score(y_test, predict(X_test)):.3f}"
        )

print(f"metric: {r2_score(y_test, predict(X_test)):.4f}")
