"""Which players of a club get injured in the season, from the tests of its medical screening.

cause: overfitting
family: mlp
metric: log loss on the held-out players, lower
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    + optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE / 10, weight_decay=1.0)
    - EPOCHS = 150
    + EPOCHS = 12
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

SEED = 1904
EPOCHS = 150
LEARNING_RATE = 1e-3
BATCH_SIZE = 32

np.random.seed(SEED)
torch.manual_seed(SEED)

# 40 measurements of 560 players: jumps, sprints, range of motion, strength of each leg, questionnaire ...
factors = np.random.randn(560, 6)
loading = np.random.randn(6, 40) * 0.6
X = factors @ loading + np.random.randn(560, 40)
risk = 0.9 * factors[:, 0] - 0.7 * factors[:, 1] + 0.6 * np.abs(factors[:, 2]) - 0.9
y = (np.random.rand(560) < 1 / (1 + np.exp(-risk))).astype(np.float32)

X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.4, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X_train)
X_train = torch.from_numpy(scaler.transform(X_train)).float()
X_val = torch.from_numpy(scaler.transform(X_val)).float()
y_train, y_val = torch.from_numpy(y_train), torch.from_numpy(y_val)

model = nn.Sequential(
    nn.Linear(40, 256),
    nn.ReLU(),
    nn.Linear(256, 256),
    nn.ReLU(),
    nn.Linear(256, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
loss_fn = nn.BCEWithLogitsLoss()
history = {"loss": [], "val_loss": []}

for epoch in range(EPOCHS):
    model.train()
    perm = torch.randperm(len(X_train))
    running = 0.0
    for i in range(0, len(perm), BATCH_SIZE):
        rows = perm[i : i + BATCH_SIZE]
        optimizer.zero_grad()
        loss = loss_fn(model(X_train[rows]).squeeze(1), y_train[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        logits = model(X_val).squeeze(1)
        val_loss = loss_fn(logits, y_val).item()
    history["loss"].append(running / len(perm))
    history["val_loss"].append(val_loss)
    if (epoch + 1) % 4 == 0:
        auc = roc_auc_score(y_val.numpy(), logits.numpy())
        print(f"epoch {epoch + 1}: loss {running / len(perm):.4f} val_loss {val_loss:.4f} AUC {auc:.3f}")

print(f"metric: {history['val_loss'][-1]:.4f}")
