"""House values of city blocks from eight census columns, a three-layer regressor.

cause: learning-rate-too-high
family: mlp
metric: mean squared error, lower
repair:
    - "lr": 1e-2,
    + "lr": 1e-3,
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CONFIG = {
    "batch_size": 64,
    "lr": 1e-2,
    "epochs": 18,
    "hidden": 128,
    "seed": 17,
}


def load(rng, n=5000):
    income = rng.gamma(4, 1, n)
    age = rng.uniform(1, 52, n)
    rooms = rng.gamma(12, 0.45, n)
    bedrooms = rooms * rng.uniform(0.15, 0.3, n)
    population = rng.lognormal(7, 0.6, n)
    occupancy = rng.gamma(9, 0.33, n)
    north, west = rng.uniform(32, 42, n), rng.uniform(-124, -114, n)
    coast = np.exp(-(((west + 114 + 0.9 * (42 - north)) / 2) ** 2))
    city = np.exp(-((north - 34) ** 2) - (west + 118) ** 2)
    city += np.exp(-((north - 37.8) ** 2) - (west + 122) ** 2)
    value = 0.4 * income + 1.2 * city + 0.8 * coast + 0.25 * np.sin(age / 8) + 0.12 * rooms * (income > 4)
    value = value - 0.3 * np.log(occupancy) + rng.normal(0, 0.12, n)
    x = np.stack([income, age, rooms, bedrooms, population, occupancy, north, west], 1)
    return x, value


def loaders():
    x, y = load(np.random.default_rng(CONFIG["seed"]))
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=0)
    scaler = StandardScaler().fit(x_train)
    mean, std = y_train.mean(), y_train.std()
    sets = []
    for a, b in ((x_train, y_train), (x_val, y_val)):
        a = torch.tensor(scaler.transform(a), dtype=torch.float32)
        b = torch.tensor((b - mean) / std, dtype=torch.float32)[:, None]
        sets.append(TensorDataset(a, b))
    return DataLoader(sets[0], CONFIG["batch_size"], shuffle=True), DataLoader(sets[1], 500)


class Regressor(nn.Module):
    def __init__(self, n_in, hidden):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


def evaluate(model, loader):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            total += ((model(x) - y) ** 2).sum().item()
            count += len(y)
    return total / count


def main():
    torch.manual_seed(CONFIG["seed"])
    train_loader, val_loader = loaders()
    model = Regressor(8, CONFIG["hidden"])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=CONFIG["lr"])
    loss_fn = nn.MSELoss()
    for epoch in range(CONFIG["epochs"]):
        model.train()
        train_loss = 0.0
        for x, y in train_loader:
            pred = model(x)
            loss = loss_fn(pred, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(x)
        val_loss = evaluate(model, val_loader)
        print(f"epoch {epoch:2d}  train {train_loss / len(train_loader.dataset):.4f}  val {val_loss:.4f}")
    print(f"metric: {val_loss:.5f}")


if __name__ == "__main__":
    main()
