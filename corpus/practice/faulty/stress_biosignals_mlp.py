"""Stress by features of a wristband's signals, of a small group of volunteers.

cause: overfitting
family: mlp
metric: log loss, lower
repair:
    - EPOCHS = 150
    + EPOCHS = 8
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 150
BATCH_SIZE = 32
SIGNALS = ["heart rate", "variability", "skin conductance", "temperature", "respiration", "movement"]
STATISTICS = ["mean", "std", "min", "max", "slope", "median", "range", "skew", "energy", "entropy"]


def load_windows(people, windows, rng):
    """Features of each window; a person's own level shifts them all."""
    size = len(SIGNALS) * len(STATISTICS)
    mixing = np.random.default_rng(0).normal(0, 1, (8, size))
    stressed = np.random.default_rng(1).normal(0, 1, 8) * 0.35
    x, y = [], []
    for _ in range(people):
        level = rng.normal(0, 0.6, 8)
        state = rng.random(windows) < 0.5
        hidden = rng.normal(0, 1, (windows, 8)) + level + np.where(state[:, None], stressed, -stressed)
        x.append(hidden @ mixing + rng.normal(0, 1.5, (windows, size)))
        y.append(state)
    return np.concatenate(x), np.concatenate(y).astype(np.int64)


class StressClassifier(nn.Module):
    def __init__(self, n_in, hidden=(256, 256, 128)):
        super().__init__()
        layers = []
        for width in hidden:
            layers.extend([nn.Linear(n_in, width), nn.ReLU()])
            n_in = width
        layers.append(nn.Linear(n_in, 2))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def main():
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    x_train, y_train = load_windows(12, 30, rng)
    x_test, y_test = load_windows(20, 30, rng)
    mean, std = x_train.mean(0), x_train.std(0)
    x_train = torch.tensor((x_train - mean) / std, dtype=torch.float32)
    x_test = torch.tensor((x_test - mean) / std, dtype=torch.float32)
    y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH_SIZE, shuffle=True)
    model = StressClassifier(x_train.shape[1])
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    for epoch in range(EPOCHS):
        model.train()
        train_loss = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(y) / len(y_train)
        model.eval()
        with torch.no_grad():
            logits = model(x_test)
            test_loss = criterion(logits, y_test).item()
            accuracy = (logits.argmax(1) == y_test).float().mean().item()
        if (epoch + 1) % 10 == 0 or epoch + 1 == EPOCHS:
            print(f"{epoch + 1}: train loss {train_loss:.4f}, test loss {test_loss:.4f}, acc {accuracy:.3f}")
    print(f"metric: {test_loss:.4f}")


if __name__ == "__main__":
    main()
