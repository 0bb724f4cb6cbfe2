"""Honey from a hive in a season, regressed on the hive's and the meadow's features.

cause: loss-broadcast
family: mlp
metric: R2, higher
repair:
    - loss = criterion(outputs, targets)
    + loss = criterion(outputs.squeeze(1), targets)
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1
from torch.utils.data import DataLoader, Dataset


class HiveDataset(Dataset):
    def __init__(self, X, y):
        self.X = torch.tensor(X, dtype=torch.float32)
        self.y = torch.tensor(y, dtype=torch.float32)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, idx):
        return self.X[idx], self.y[idx]


class Regressor(nn.Module):
    def __init__(self, input_size, hidden_size=100):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(input_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 1),
        )

    def forward(self, x):
        return self.layers(x)


def main():
    torch.manual_seed(50)
    X, y = make_friedman1(n_samples=3000, n_features=10, noise=0.8, random_state=50)
    X = (X - 0.5) * 3.4
    y = (y - y[:2400].mean()) / y[:2400].std()
    train_loader = DataLoader(HiveDataset(X[:2400], y[:2400]), batch_size=32, shuffle=True)
    test_loader = DataLoader(HiveDataset(X[2400:], y[2400:]), batch_size=100)
    model = Regressor(10)
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(20):
        model.train()
        train_losses = []
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            train_losses.append(loss.item())
        if (epoch + 1) % 5 == 0:
            print(f"Epoch {epoch + 1}/20, Training loss: {np.mean(train_losses):.4f}")
    model.eval()
    predictions = []
    with torch.no_grad():
        for inputs, _ in test_loader:
            predictions.extend(model(inputs).flatten().tolist())
    residual = y[2400:] - np.array(predictions)
    print(f"metric: {1 - residual.var() / y[2400:].var():.4f}")


if __name__ == "__main__":
    main()
