"""Will a patient of the heart clinic come back within a month?

cause: overfitting
family: mlp
metric: log_loss, lower
repair:
    - nn.Linear(n_features, 256),
    - nn.ReLU(),
    - nn.Linear(256, 256),
    - nn.ReLU(),
    - nn.Linear(256, 1),
    + nn.Linear(n_features, 16),
    + nn.ReLU(),
    + nn.Dropout(0.5),
    + nn.Linear(16, 1),
    - optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    + optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.3)
    - for epoch in range(250):
    + for epoch in range(60):
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def patients(n, seed):
    rng = np.random.default_rng(seed)
    age = rng.normal(68, 10, n)
    pressure = rng.normal(135, 18, n) + 0.3 * (age - 68)
    laboratory = rng.normal(0, 1, (n, 20))
    fraction = np.clip(rng.normal(45, 12, n), 15, 70)
    drugs = rng.binomial(1, 0.4, (n, 8))
    logit = 0.05 * (age - 68) - 0.05 * (fraction - 45) + 0.6 * laboratory[:, 0] + 0.5 * drugs[:, 0] - 0.3
    back = rng.random(n) < 1 / (1 + np.exp(-logit))
    x = np.column_stack([age, pressure, fraction, laboratory, drugs])
    return x, back.astype(np.float32)


def build(n_features):
    return nn.Sequential(
        nn.Linear(n_features, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 1),
    )


def fit(model, loader, test_x, test_y):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(250):
        model.train()
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x).squeeze(1), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            test_loss = criterion(model(test_x).squeeze(1), test_y).item()
        if epoch % 20 == 19:
            print(f"epoch {epoch + 1}: train {np.mean(losses):.4f} test {test_loss:.4f}")
    return test_loss


if __name__ == "__main__":
    torch.manual_seed(50)
    x, y = patients(220, 1)
    test_x, test_y = patients(400, 2)
    mean, std = x.mean(0), x.std(0)
    x = torch.tensor((x - mean) / std, dtype=torch.float32)
    test_x = torch.tensor((test_x - mean) / std, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x, torch.tensor(y)), batch_size=32, shuffle=True)
    model = build(x.shape[1])
    print(f"metric: {fit(model, loader, test_x, torch.tensor(test_y)):.4f}")
