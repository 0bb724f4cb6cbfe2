"""Yearly salary in kronor from a job advertisement's facts.

cause: targets-not-scaled
family: mlp
metric: R2, higher
repair:
    - y_train_t = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)
    + y_mean, y_std = y_train.mean(), y_train.std()
    + y_train_t = torch.tensor((y_train - y_mean) / y_std, dtype=torch.float32).view(-1, 1)
    - prediction = model(X_test_t).numpy().ravel()
    + prediction = model(X_test_t).numpy().ravel() * y_std + y_mean
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.compose import ColumnTransformer
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch.utils.data import DataLoader, TensorDataset


def job_offers(n=4000):
    rng = np.random.default_rng(17)
    role = rng.integers(0, 8, n)
    town = rng.integers(0, 5, n)
    years = rng.gamma(2.0, 4.0, n)
    degree = rng.integers(0, 4, n)
    team = rng.integers(0, 30, n)
    base = np.array([310, 420, 380, 520, 350, 610, 450, 400])[role] * 1000.0
    salary = base * (1 + 0.5 * np.tanh(years / 12)) * np.array([1.0, 1.12, 0.95, 1.2, 1.05])[town]
    salary += 18000 * degree * (role % 2) + 2500 * team + rng.normal(0, 20000, n)
    return np.column_stack([role, town, years, degree, team]), salary


np.random.seed(17)
torch.manual_seed(17)
X, y = job_offers()
preprocess = ColumnTransformer(
    [("categories", OneHotEncoder(sparse_output=False), [0, 1]), ("numbers", StandardScaler(), [2, 3, 4])]
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=17)
X_train_t = torch.tensor(preprocess.fit_transform(X_train), dtype=torch.float32)
X_test_t = torch.tensor(preprocess.transform(X_test), dtype=torch.float32)
y_train_t = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)

model = nn.Sequential(
    nn.Linear(X_train_t.shape[1], 128),
    nn.ReLU(),
    nn.Dropout(0.05),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(TensorDataset(X_train_t, y_train_t), batch_size=32, shuffle=True)

for epoch in range(15):
    model.train()
    running_loss = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * xb.size(0)
    if (epoch + 1) % 3 == 0:
        print(f"Epoch {epoch + 1}, loss {running_loss / len(X_train_t):.4f}")

model.eval()
with torch.no_grad():
    prediction = model(X_test_t).numpy().ravel()
print(f"mean absolute error {mean_absolute_error(y_test, prediction):.0f} kr")
print(f"metric: {r2_score(y_test, prediction):.4f}")
