"""Progression of diabetes after one year, from ten measurements, with a validation split.

cause: overfitting
family: mlp
metric: mean squared error, lower
repair:
    - optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    - patience = EPOCHS
    + optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    + patience = 10
"""

import copy

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn

EPOCHS = 150

torch.manual_seed(6)
x, y = load_diabetes(return_X_y=True, scaled=False)
x_train, x_rest, y_train, y_rest = train_test_split(x, y, train_size=200, random_state=6)
x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.6, random_state=6)
mean, std = x_train.mean(0), x_train.std(0)
x_train, x_val, x_test = (torch.tensor((part - mean) / std).float() for part in (x_train, x_val, x_test))
y_train, y_val, y_test = (torch.tensor((part - 152) / 77).float() for part in (y_train, y_val, y_test))

model = nn.Sequential(
    nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1), nn.Flatten(0)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
patience = EPOCHS
best, best_state, since = float("inf"), None, 0
for epoch in range(EPOCHS):
    model.train()
    for rows in torch.randperm(len(x_train)).split(25):
        loss = nn.functional.mse_loss(model(x_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = nn.functional.mse_loss(model(x_val), y_val).item()
    if val < best:
        best, best_state, since = val, copy.deepcopy(model.state_dict()), 0
    else:
        since += 1
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  train {loss.item():.4f}  val {val:.4f}")
    if since >= patience:
        model.load_state_dict(best_state)
        break

with torch.no_grad():
    print(f"metric: {nn.functional.mse_loss(model(x_test), y_test).item():.4f}")
