"""Reverberation times of halls, octave by octave, from their dimensions and materials.

cause: missing-activation
family: mlp
metric: mse, lower
repair:
    - layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.Dropout(dropout)]
    + layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.ELU(), nn.Dropout(dropout)]
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

np.random.seed(2)
torch.manual_seed(2)


def halls(n):
    length = np.random.uniform(8, 50, n)
    width = np.random.uniform(6, 30, n)
    height = np.random.uniform(3, 18, n)
    seats = np.random.uniform(0, 0.9, n)  # share of the floor
    carpet = np.random.uniform(0, 1, n)
    panels = np.random.uniform(0, 0.5, n)  # share of the walls
    humidity = np.random.uniform(25, 70, n)
    volume = length * width * height
    floor, walls = length * width, 2 * height * (length + width)
    times = []
    for hz, seat, carp, panel, plaster in [
        (125, 0.35, 0.05, 0.30, 0.14),
        (500, 0.65, 0.15, 0.80, 0.06),
        (2000, 0.85, 0.40, 0.60, 0.04),
        (4000, 0.85, 0.60, 0.50, 0.03),
    ]:
        area = floor * (seats * seat + (1 - seats) * (0.03 + carpet * carp))
        area += walls * (panels * panel + (1 - panels) * plaster) + floor * plaster
        surface = 2 * floor + walls
        mean_alpha = np.clip(area / surface, 0.01, 0.95)
        air = 4e-7 * hz**1.2 * (1 + 20 / humidity) * volume
        times.append(0.161 * volume / (-surface * np.log(1 - mean_alpha) + air))
    x = np.stack([length, width, height, seats, carpet, panels, humidity], 1)
    y = np.stack(times, 1) * np.random.normal(1, 0.04, (n, 4))
    return x, y


def build(n_in, n_out, width=96, depth=3, dropout=0.02):
    layers, size = [], n_in
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.Dropout(dropout)]
        size = width
    layers.append(nn.Linear(size, n_out))
    return nn.Sequential(*layers)


X, Y = halls(4000)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.2, random_state=0)
xs, ys = StandardScaler().fit(X_train), StandardScaler().fit(Y_train)
X_train, X_test = (torch.tensor(xs.transform(a), dtype=torch.float32) for a in (X_train, X_test))
Y_train, Y_test = (torch.tensor(ys.transform(a), dtype=torch.float32) for a in (Y_train, Y_test))

net = build(7, 4)
mse = nn.MSELoss()
optimizer = torch.optim.NAdam(net.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
epochs, batch_size = 20, 64
for epoch in range(epochs):
    net.train()
    perm = torch.randperm(len(X_train))
    for b in range(0, len(perm) - batch_size + 1, batch_size):
        pick = perm[b : b + batch_size]
        optimizer.zero_grad()
        loss = mse(net(X_train[pick]), Y_train[pick])
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        test_loss = mse(net(X_test), Y_test).item()
    scheduler.step(test_loss)
    if epoch % 4 == 3:
        print(f"{epoch + 1:3d}/{epochs} train {loss.item():.4f} test {test_loss:.4f}")
print(f"metric: {test_loss:.5f}")
