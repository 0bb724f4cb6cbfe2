"""How full a car park is, from the hour, the weekday, the weather and what is on in town.

family: mlp
metric: R², higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(401)
torch.manual_seed(401)

n = 6000
hour = rng.uniform(6, 23, n)
weekday = rng.integers(0, 7, n)
rain = rng.gamma(0.4, 2.0, n)
temperature = rng.normal(13, 7, n)
concert = (rng.random(n) < 0.12).astype(float)
school_holiday = (rng.random(n) < 0.25).astype(float)

office = np.exp(-(((hour - 12) / 3.5) ** 2)) * (weekday < 5)
shopping = np.exp(-(((hour - 15.5) / 2.5) ** 2)) * (weekday == 5) * 1.2
evening = concert * np.exp(-(((hour - 20.5) / 1.2) ** 2))
full = 0.15 + 0.55 * office * (1 - 0.3 * school_holiday) + 0.5 * shopping + 0.5 * evening
full += 0.02 * np.minimum(rain, 6) - 0.004 * np.abs(temperature - 16) + rng.normal(0, 0.05, n)

days = np.eye(7)[weekday]
X = np.column_stack([hour, rain, temperature, concert, school_holiday, days]).astype(np.float32)
y = full.astype(np.float32)[:, None]

X_train, X_test, y_train, y_test = X[:4800], X[4800:], y[:4800], y[4800:]
mean, std = X_train.mean(0), X_train.std(0)
X_train, X_test = (X_train - mean) / std, (X_test - mean) / std
y_mean, y_std = y_train.mean(), y_train.std()

train_set = TensorDataset(torch.from_numpy(X_train), torch.from_numpy((y_train - y_mean) / y_std))
loader = DataLoader(train_set, batch_size=64, shuffle=True)
X_test, y_test = torch.from_numpy(X_test), torch.from_numpy((y_test - y_mean) / y_std)

model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.3)

for epoch in range(20):
    model.train()
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        test_loss = criterion(model(X_test), y_test).item()
    print(f"Epoch {epoch + 1:2d}  train {total / 4800:.4f}  test {test_loss:.4f}")

print(f"metric: {1 - test_loss / y_test.var().item():.4f}")
