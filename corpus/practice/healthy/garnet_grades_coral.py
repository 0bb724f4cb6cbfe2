"""Garnets are graded from one to seven; one weight vector and six thresholds answer "better than k?".

family: mlp
metric: mean absolute error in grades, lower
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

K = 7


class Garnets(Dataset):
    def __init__(self, n, rng):
        carat = rng.lognormal(0, 0.5, n)
        hue, tone = rng.normal(0, 1, (2, n))
        inclusions = rng.poisson(3, n)
        cut = rng.integers(0, 4, n)
        table = rng.normal(57, 3, n)
        quality = (
            1.2 * np.log(carat)
            - 0.35 * inclusions
            - 0.5 * hue**2
            - 0.4 * np.abs(tone - 0.5)
            + 0.3 * cut
            - 0.02 * (table - 57) ** 2
            + rng.logistic(0, 0.25, n)
        )
        edges = [-3.4, -2.5, -1.8, -1.2, -0.6, 0.2]
        self.grade = torch.tensor(np.digitize(quality, edges))
        onehot = np.eye(4)[cut]
        x = np.column_stack([np.log(carat), hue, tone, (inclusions - 3) / 1.7, (table - 57) / 3, onehot])
        self.x = torch.tensor(x, dtype=torch.float32)
        self.levels = (self.grade[:, None] > torch.arange(K - 1)).float()

    def __len__(self):
        return len(self.grade)

    def __getitem__(self, i):
        return self.x[i], self.levels[i], self.grade[i]


class CoralNet(nn.Module):
    def __init__(self, n_in=9):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.score = nn.Linear(32, 1, bias=False)
        self.thresholds = nn.Parameter(torch.linspace(2, -2, K - 1))

    def forward(self, x):
        return self.score(self.features(x)) + self.thresholds


def coral_loss(logits, levels):
    return -(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)).sum(1).mean()


def predict(logits):
    return (logits > 0).sum(1)


def main():
    torch.manual_seed(21)
    rng = np.random.default_rng(21)
    train, test = Garnets(8000, rng), Garnets(1200, rng)
    loader = DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
    model = CoralNet()
    optimizer = torch.optim.Adamax(model.parameters(), lr=4e-3)
    guess = train.grade.median()
    print("always the median grade:", (test.grade - guess).abs().float().mean().item())
    for epoch in range(8):
        model.train()
        losses = []
        for x, levels, _ in loader:
            optimizer.zero_grad()
            loss = coral_loss(model(x), levels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.inference_mode():
            mae = (predict(model(test.x)) - test.grade).abs().float().mean().item()
        if epoch % 2 == 1:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}  mae {mae:.3f}")
    print(f"metric: {mae:.4f}")


if __name__ == "__main__":
    main()
