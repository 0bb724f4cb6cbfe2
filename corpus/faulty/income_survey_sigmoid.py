"""Who earns more than the median, from the answers to a survey.

cause: vanishing-gradients
family: mlp
metric: accuracy, higher
repair:
    - layers.append(nn.Sigmoid())
    + layers.append(nn.ReLU())
"""

import numpy as np
import torch
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def survey(n=6000, seed=21):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 75, n)
    schooling = rng.integers(4, 20, n)
    hours = np.clip(rng.normal(38, 11, n), 5, 80)
    sector = rng.integers(0, 7, n)
    region = rng.integers(0, 5, n)
    premium = np.array([0.0, 0.6, -0.5, 1.0, -0.9, 0.3, -0.2])[sector]
    log_income = 0.14 * schooling * (1 + 0.4 * premium) - 0.0016 * (age - 48) ** 2 + 0.045 * hours + premium
    log_income += np.array([0.2, -0.3, 0.0, 0.4, -0.1])[region] + rng.normal(0, 0.35, n)
    table = np.column_stack([age, schooling, hours, sector, region])
    return table, (log_income > np.median(log_income)).astype(np.float32)


def build(n_in, hidden=64, depth=7):
    layers = []
    for i in range(depth):
        layers.append(nn.Linear(n_in if i == 0 else hidden, hidden))
        layers.append(nn.Sigmoid())
    layers.append(nn.Linear(hidden, 1))
    return nn.Sequential(*layers)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return ((model(x).squeeze(1) > 0) == (y > 0.5)).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(21)
    table, label = survey()
    one_hot = OneHotEncoder(sparse_output=False)
    columns = make_column_transformer((StandardScaler(), [0, 1, 2]), (one_hot, [3, 4]))
    features = columns.fit(table[:4800]).transform(table)
    x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(label)
    loader = DataLoader(TensorDataset(x[:4800], y[:4800]), batch_size=48, shuffle=True)

    model = build(x.shape[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(15):
        model.train()
        running = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb).squeeze(1), yb)
            loss.backward()
            optimizer.step()
            running += loss.item()
        test = accuracy(model, x[4800:], y[4800:])
        print(f"epoch {epoch + 1:2d} | loss {running / len(loader):.4f} | test accuracy {test:.4f}")
    print(f"metric: {test:.4f}")
