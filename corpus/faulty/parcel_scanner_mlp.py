"""The shipping class of parcels from scanner measurements.

cause: gradient-clipped-away
family: mlp
metric: accuracy, higher
repair:
    - torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.001)
    + torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)
rng = np.random.default_rng(17)

n = 6000
length, width, height = rng.gamma(4, 9, (3, n))
weight = length * width * height / 4000 * rng.lognormal(-0.5, 0.7, n) + 0.1
fragile = rng.binomial(1, 0.15, n)
express = rng.binomial(1, 0.3, n)
tilt = rng.normal(0, 1, n)
longest = np.max([length, width, height], axis=0)
label = np.zeros(n, dtype=np.int64)
label[weight > 4] = 1
label[weight > 12] = 2
label[longest > 75] = 3
label[(fragile == 1) & (weight < 12)] = 4
label[(express == 1) & (label < 2)] = 5
x = np.column_stack([length, width, height, np.log(weight), fragile, express, tilt])
x = (x - x.mean(0)) / x.std(0)

x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(label)
train_loader = DataLoader(TensorDataset(x[:4800], y[:4800]), batch_size=64, shuffle=True)
x_test, y_test = x[4800:], y[4800:]

model = nn.Sequential(
    nn.Linear(7, 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 6),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(16):
    model.train()
    running_loss = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.001)
        optimizer.step()
        running_loss += loss.item()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"Epoch {epoch + 1}, loss: {running_loss / len(train_loader):.4f}, accuracy: {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
