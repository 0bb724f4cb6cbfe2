"""Whether people in an office find it too cold: logistic regression on crossed features, until it stands.

family: linear
metric: log loss, lower
"""

import numpy as np
import torch
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn


def votes(n, seed):
    rng = np.random.default_rng(seed)
    air = rng.normal(22.5, 1.8, n)
    wind = rng.gamma(2, 0.06, n)
    clothes = rng.normal(0.8, 0.2, n)
    sitting = rng.uniform(0, 4, n)
    age = rng.uniform(20, 65, n)
    z = -0.9 * (air - 22) + 6 * wind - 3 * (clothes - 0.8) + 0.3 * sitting + 0.01 * (age - 40)
    z += 1.5 * wind * (22 - air)
    return np.column_stack([air, wind, clothes, sitting, age]), rng.random(n) < 1 / (1 + np.exp(-z))


x_train, y_train = votes(2500, 3)
x_test, y_test = votes(2500, 4)
scale_in, cross, scale_out = StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler()
x_train = scale_out.fit_transform(cross.fit_transform(scale_in.fit_transform(x_train)))
x_test = scale_out.transform(cross.transform(scale_in.transform(x_test)))
x_train, x_test = (torch.tensor(a, dtype=torch.float32) for a in (x_train, x_test))
y_train, y_test = (torch.tensor(a, dtype=torch.float32).unsqueeze(1) for a in (y_train, y_test))

torch.manual_seed(3)
model = nn.Linear(x_train.shape[1], 1)
nn.init.zeros_(model.weight)
nn.init.zeros_(model.bias)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-4)
criterion = nn.BCEWithLogitsLoss()
for iteration in range(1500):
    optimizer.zero_grad()
    loss = criterion(model(x_train), y_train)
    loss.backward()
    optimizer.step()
    if iteration % 150 == 0:
        grad = model.weight.grad.norm().item()
        print(f"iteration {iteration:4d}  loss {loss.item():.6f}  |gradient| {grad:.2e}")
with torch.no_grad():
    print(f"metric: {criterion(model(x_test), y_test).item():.5f}")
