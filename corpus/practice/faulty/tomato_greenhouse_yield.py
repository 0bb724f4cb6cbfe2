"""The week's tomato harvest of a greenhouse from its climate computer, ridge-like penalty on the weights.

cause: decay-too-strong
family: mlp
metric: mean squared error, lower
repair:
    - loss = mse + 0.1 * penalty
    + loss = mse + 1e-5 * penalty
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

np.random.seed(5)
torch.manual_seed(5)

# climate: light sum, day temp, night temp, CO2, humidity, irrigation, EC of the drain, plant age
n = 3000
light = np.random.gamma(6, 2.2, n)
t_day = np.random.normal(23, 2, n)
t_night = np.random.normal(17, 1.5, n)
co2 = np.random.uniform(400, 1000, n)
rh = np.random.normal(78, 7, n)
water = np.random.normal(3.2, 0.6, n)
ec = np.random.normal(4, 0.7, n)
age = np.random.uniform(6, 40, n)
harvest = (
    0.11 * light * (1 - np.exp(-co2 / 500))
    - 0.03 * (t_day - 22.5) ** 2
    - 0.05 * (t_night - 16.5) ** 2
    - 0.5 * np.maximum(rh - 85, 0) / 5
    + 0.3 * np.minimum(water - 2.5, 0.6)
    - 0.1 * (ec - 3.6) ** 2
    + 0.8 * np.sin((age - 6) / 34 * np.pi)
    + np.random.normal(0, 0.15, n)
)
X = np.stack([light, t_day, t_night, co2, rh, water, ec, age], axis=1)
y = ((harvest - harvest.mean()) / harvest.std())[:, None]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=5)
scaler = StandardScaler()
X_train = torch.tensor(scaler.fit_transform(X_train), dtype=torch.float)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float)
y_train = torch.tensor(y_train, dtype=torch.float)
y_test = torch.tensor(y_test, dtype=torch.float)

model = torch.nn.Sequential(
    torch.nn.Linear(8, 64),
    torch.nn.Tanh(),
    torch.nn.Linear(64, 64),
    torch.nn.Tanh(),
    torch.nn.Linear(64, 1),
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
mse_loss = torch.nn.MSELoss()

for epoch in range(1, 31):
    perm = torch.randperm(len(X_train))
    for i in range(0, len(X_train), 50):
        batch = perm[i : i + 50]
        mse = mse_loss(model(X_train[batch]), y_train[batch])
        penalty = sum((p**2).sum() for name, p in model.named_parameters() if "weight" in name)
        loss = mse + 0.1 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            test_mse = mse_loss(model(X_test), y_test).item()
        print(f"epoch {epoch}: loss {loss.item():.4f}, test MSE {test_mse:.4f}")

print(f"metric: {test_mse:.5f}")
