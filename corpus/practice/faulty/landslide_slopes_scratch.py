"""Susceptibility of slopes to landslides; the network is written out by hand.

cause: poor-initial-values
family: mlp
metric: accuracy, higher
repair:
    - W1 = torch.randn(n_features, n_hidden, requires_grad=True)
    - b1 = torch.zeros(n_hidden, requires_grad=True)
    - W2 = torch.randn(n_hidden, n_hidden, requires_grad=True)
    - b2 = torch.zeros(n_hidden, requires_grad=True)
    - W3 = torch.randn(n_hidden, n_hidden, requires_grad=True)
    - b3 = torch.zeros(n_hidden, requires_grad=True)
    - W4 = torch.randn(n_hidden, 2, requires_grad=True)
    + W1 = (torch.randn(n_features, n_hidden) * (2 / n_features) ** 0.5).requires_grad_()
    + b1 = torch.zeros(n_hidden, requires_grad=True)
    + W2 = (torch.randn(n_hidden, n_hidden) * (2 / n_hidden) ** 0.5).requires_grad_()
    + b2 = torch.zeros(n_hidden, requires_grad=True)
    + W3 = (torch.randn(n_hidden, n_hidden) * (2 / n_hidden) ** 0.5).requires_grad_()
    + b3 = torch.zeros(n_hidden, requires_grad=True)
    + W4 = (torch.randn(n_hidden, 2) * (1 / n_hidden) ** 0.5).requires_grad_()
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(14)
torch.manual_seed(14)

# slopes: the angle, the aspect, the curvature, the soil, the rain, the distance to roads and faults ...
n = 2000
slope = rng.gamma(4, 6, n).clip(0, 70)
aspect = rng.uniform(0, 2 * np.pi, n)
curvature = rng.normal(0, 1, n)
clay = rng.beta(2, 3, n)
rain = rng.gamma(5, 200, n)
road = rng.exponential(300, n)
fault = rng.exponential(1500, n)
vegetation = rng.beta(3, 2, n)
saturation = rain / 1000 * clay * np.exp(-0.5 * curvature)
safety = (1 + 1.5 * vegetation) / (0.1 + np.tan(np.radians(slope)) * (0.5 + 2 * saturation))
hazard = -np.log(safety) + 0.4 * np.exp(-road / 150) + 0.5 * np.exp(-fault / 600) + 0.15 * np.cos(aspect)
y = (hazard + rng.normal(0, 0.05, n) > np.median(hazard)).astype(np.int64)
X = np.column_stack(
    [
        slope,
        np.sin(aspect),
        np.cos(aspect),
        curvature,
        clay,
        rain,
        np.log1p(road),
        np.log1p(fault),
        vegetation,
    ]
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = (torch.tensor(scaler.transform(a), dtype=torch.float32) for a in (X_train, X_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

n_features, n_hidden = X.shape[1], 256
W1 = torch.randn(n_features, n_hidden, requires_grad=True)
b1 = torch.zeros(n_hidden, requires_grad=True)
W2 = torch.randn(n_hidden, n_hidden, requires_grad=True)
b2 = torch.zeros(n_hidden, requires_grad=True)
W3 = torch.randn(n_hidden, n_hidden, requires_grad=True)
b3 = torch.zeros(n_hidden, requires_grad=True)
W4 = torch.randn(n_hidden, 2, requires_grad=True)
b4 = torch.zeros(2, requires_grad=True)
parameters = [W1, b1, W2, b2, W3, b3, W4, b4]


def net(x):
    h = F.relu(x @ W1 + b1)
    h = F.relu(h @ W2 + b2)
    h = F.relu(h @ W3 + b3)
    return h @ W4 + b4


optimizer = torch.optim.Adam(parameters, lr=1e-3)
for epoch in range(30):
    shuffled = torch.randperm(len(X_train))
    losses = []
    for batch in shuffled.split(64):
        loss = F.cross_entropy(net(X_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        accuracy = (net(X_test).argmax(1) == y_test).float().mean().item()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, test accuracy {accuracy:.3f}")
print(f"metric: {accuracy:.4f}")
