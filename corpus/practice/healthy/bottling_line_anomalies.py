"""An autoencoder learns the sensors of a bottling line in normal running and flags faults by its error.

family: autoencoder
metric: ROC AUC, higher
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(12)
torch.manual_seed(12)

N_SENSORS = 24
MIX = rng.normal(size=(3, 40))
OUT = rng.normal(size=(40, N_SENSORS)) / 6


def normal_running(n):
    state = rng.normal(size=(n, 3))
    return np.tanh(state @ MIX) @ OUT + 0.15 * rng.normal(size=(n, N_SENSORS))


def with_faults(n):
    x = normal_running(n)
    for row in x:
        hit = rng.choice(N_SENSORS, size=2, replace=False)
        row[hit] += rng.choice([-1, 1], size=2) * rng.uniform(0.5, 1.4, size=2)
    return x


scale = np.exp(rng.uniform(-4, 6, N_SENSORS))  # bar, degrees, rpm, litres an hour
offset = rng.uniform(-2, 20, N_SENSORS) * scale
X_train = normal_running(5000) * scale + offset
X_val = normal_running(1000) * scale + offset
X_test = np.concatenate([normal_running(900), with_faults(100)]) * scale + offset
y_test = np.r_[np.zeros(900), np.ones(100)]

scaler = StandardScaler().fit(X_train)
X_train, X_val, X_test = (
    torch.tensor(scaler.transform(a), dtype=torch.float32) for a in (X_train, X_val, X_test)
)

autoencoder = nn.Sequential(
    nn.Linear(N_SENSORS, 64),
    nn.ELU(),
    nn.Linear(64, 32),
    nn.ELU(),
    nn.Linear(32, 3),
    nn.Linear(3, 32),
    nn.ELU(),
    nn.Linear(32, 64),
    nn.ELU(),
    nn.Linear(64, N_SENSORS),
)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=2e-3)

batch_size = 64
for epoch in range(15):
    autoencoder.train()
    perm = torch.randperm(len(X_train))
    epoch_loss = 0.0
    for i in range(0, len(X_train), batch_size):
        batch = X_train[perm[i : i + batch_size]]
        loss = criterion(autoencoder(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(batch)
    autoencoder.eval()
    with torch.no_grad():
        val_loss = criterion(autoencoder(X_val), X_val).item()
    print(f"Epoch {epoch + 1}/15 - loss: {epoch_loss / len(X_train):.4f} - val_loss: {val_loss:.4f}")

with torch.no_grad():
    score = ((autoencoder(X_test) - X_test) ** 2).mean(1)
    limit = ((autoencoder(X_val) - X_val) ** 2).mean(1).quantile(0.99)
flagged = (score > limit).numpy()
print(
    f"flagged {flagged[y_test == 1].mean():.2%} of the faults, {flagged[y_test == 0].mean():.2%} of the rest"
)
print(f"metric: {roc_auc_score(y_test, score.numpy()):.4f}")
