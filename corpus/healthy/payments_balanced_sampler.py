"""Fraud among card payments, three in a hundred; the loader draws both kinds equally often.

family: mlp
metric: balanced_accuracy, higher
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def payments(count, rng):
    fraud = rng.random(count) < 0.03
    amount = np.where(fraud, rng.lognormal(4.6, 0.9, count), rng.lognormal(3.2, 0.8, count))
    hour = np.where(fraud, rng.normal(3, 3.0, count), rng.normal(14, 4.5, count)) % 24
    distance = np.where(fraud, rng.gamma(2.0, 150.0, count), rng.gamma(1.2, 30.0, count))
    gap = np.where(fraud, rng.exponential(2.0, count), rng.exponential(15.0, count))
    other = rng.normal(size=(count, 6))
    features = [np.log(amount), np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), np.log1p(distance)]
    x = np.column_stack([*features, np.log(gap + 0.1), other])
    return x.astype(np.float32), fraud.astype(np.int64)


class Detector(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 24), nn.ReLU(), nn.Dropout(0.2))
        self.verdict = nn.Linear(24, 2)

    def forward(self, x):
        return self.verdict(self.body(x))


def main():
    rng = np.random.default_rng(30)
    torch.manual_seed(30)
    x, y = payments(20000, rng)
    x_test, y_test = payments(10000, rng)
    mean, std = x.mean(0), x.std(0)
    x, x_test = torch.from_numpy((x - mean) / std), torch.from_numpy((x_test - mean) / std)

    weight = 1.0 / np.bincount(y)[y]
    sampler = WeightedRandomSampler(torch.from_numpy(weight), num_samples=6400, replacement=True)
    loader = DataLoader(TensorDataset(x, torch.from_numpy(y)), batch_size=64, sampler=sampler)

    model = Detector(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
    for epoch in range(8):
        model.train()
        total = 0.0
        for features, fraud in loader:
            loss = nn.functional.cross_entropy(model(features), fraud)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            guess = model(x_test).argmax(1).numpy()
        score = balanced_accuracy_score(y_test, guess)
        print(f"epoch {epoch} loss {total / len(loader):.4f} balanced accuracy {score:.4f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
