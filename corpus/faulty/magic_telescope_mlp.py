"""Gamma rays or hadrons? Showers seen by a telescope, described by ten numbers.

cause: missing-activation
family: mlp
metric: accuracy, higher
repair:
    - for layer in self.layers:
    -     x = self.dropout(layer(x))
    + for layer in self.layers:
    +     x = self.dropout(torch.relu(layer(x)))
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


def showers(n, seed=2007):
    """Long and narrow ellipses that point to the source are gammas; hadrons are wide, or point anywhere."""
    rng = np.random.default_rng(seed)
    gamma = rng.random(n) < 0.55
    size = rng.gamma(6, 0.45, n)
    length = rng.lognormal(np.where(gamma, 3.2, 3.4), 0.4) * size / 2.7
    width = length * np.where(gamma, rng.beta(5, 9, n), rng.beta(4, 5, n))
    side = rng.choice([-1, 1], n)
    alpha = np.where(gamma, rng.normal(0, 11, n), rng.uniform(-90, 90, n))
    distance = np.where(gamma, rng.normal(190, 40, n), rng.normal(190, 90, n))
    concentration = 1 / (1 + width * length / 150) + rng.normal(0, 0.05, n)
    asymmetry = side * rng.gamma(3, 12, n)
    flipped = np.where(gamma, 1, rng.choice([-1, 1], n, p=[0.3, 0.7]))
    third_long = side * flipped * length * rng.uniform(0.3, 0.9, n)
    third_cross = rng.normal(0, 8, n)
    columns = [length, width, size, concentration, concentration * 0.6 + rng.normal(0, 0.03, n), asymmetry]
    x = np.column_stack([*columns, third_long, third_cross, alpha, distance])
    return x, gamma.astype(np.int64)


class TelescopeNet(nn.Module):
    def __init__(self, sizes=(10, 100, 100, 50), n_classes=2):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1)])
        self.output = nn.Linear(sizes[-1], n_classes)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        for layer in self.layers:
            x = self.dropout(layer(x))
        return self.output(x)


def main():
    torch.manual_seed(2007)
    x, y = showers(8000)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    scaler = StandardScaler().fit(x_train)
    x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
    x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
    y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)

    model = TelescopeNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    for epoch in range(14):
        model.train()
        total_loss, total_hits = 0.0, 0
        for xb, yb in loader:
            logits = model(xb)
            loss = criterion(logits, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(yb)
            total_hits += (logits.argmax(1) == yb).sum().item()
        model.eval()
        with torch.no_grad():
            test_accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        n = len(y_train)
        print(f"{epoch:3d} loss {total_loss / n:.4f} train {total_hits / n:.4f} test {test_accuracy:.4f}")
    print(f"metric: {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
