"""Hail damage on roofs from measurements of inspections, a focal loss.

cause: not-finite
family: mlp
metric: F1, higher
repair:
    - return -(labels * hit + (1 - labels) * miss).mean()
    + return -torch.where(labels > 0, hit, miss).mean()
    - hit = self.alpha * (1 - p) ** self.gamma * torch.log(p)
    - miss = (1 - self.alpha) * p**self.gamma * torch.log(1 - p)
    + hit = self.alpha * (1 - p) ** self.gamma * nn.functional.logsigmoid(logits)
    + miss = (1 - self.alpha) * p**self.gamma * nn.functional.logsigmoid(-logits)
"""

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, alpha=0.75):
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits, labels):
        p = torch.sigmoid(logits)
        hit = self.alpha * (1 - p) ** self.gamma * torch.log(p)
        miss = (1 - self.alpha) * p**self.gamma * torch.log(1 - p)
        return -(labels * hit + (1 - labels) * miss).mean()


def inspections(count, seed):
    rng = np.random.default_rng(seed)
    damaged = rng.random(count) < 0.12
    stones = rng.gamma(1.5, 1.0, count) + damaged * rng.gamma(2.0, 1.6, count)
    dents = rng.poisson(1 + 4 * damaged * stones)
    age = rng.uniform(0, 40, count)
    slope = rng.uniform(10, 60, count)
    soft = rng.binomial(1, 0.3, count)
    cracks = rng.poisson(0.3 + damaged * (0.5 + 0.1 * age * (1 + soft)))
    leaks = rng.binomial(1, 0.02 + 0.3 * damaged)
    noise = rng.normal(size=(count, 4))
    x = np.column_stack([stones, dents, age, slope, soft, cracks, leaks, noise])
    return x, damaged.astype(np.float32)


def main():
    torch.manual_seed(55)
    x, y = inspections(5000, 1)
    test_x, test_y = inspections(2000, 2)
    mean, std = x.mean(0), x.std(0)
    x = torch.tensor((x - mean) / std, dtype=torch.float32)
    test_x = torch.tensor((test_x - mean) / std, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x, torch.tensor(y)), batch_size=50, shuffle=True)
    net = nn.Sequential(
        nn.Linear(x.shape[1], 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 1),
        nn.Flatten(0),
    )
    criterion = FocalLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    for epoch in range(15):
        total = 0.0
        for xb, yb in loader:
            loss = criterion(net(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
        with torch.no_grad():
            guess = (net(test_x) > 0).numpy()
        print(f"epoch {epoch + 1}: loss {total:.5f}, F1 {f1_score(test_y, guess, zero_division=0):.4f}")
    print(f"metric: {f1_score(test_y, guess, zero_division=0):.4f}")


if __name__ == "__main__":
    main()
