"""Softmax regression on the iris flowers, four flowers at a time.

family: linear
metric: accuracy, higher
"""

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)

data = load_iris()
X_train, X_test, y_train, y_test = train_test_split(
    data.data.astype(np.float32), data.target, test_size=50, stratify=data.target, random_state=0
)
mean, std = X_train.mean(0), X_train.std(0)
X_train, X_test = torch.from_numpy((X_train - mean) / std), torch.from_numpy((X_test - mean) / std)
y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

model = nn.Linear(4, 3)
nn.init.zeros_(model.weight)
nn.init.zeros_(model.bias)

loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.98)

for epoch in range(60):
    total = 0.0
    order = torch.from_numpy(rng.permutation(len(X_train)))
    for i in range(0, len(order), 4):
        batch = order[i : i + 4]
        optimizer.zero_grad()
        loss = loss_fn(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    scheduler.step()
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "loss", round(total / len(X_train), 4))

with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.4f}")
