"""Salaries from a survey whose answers say little, with early stopping on held-out answers.

family: mlp
metric: R2, higher
"""

import copy

import numpy as np
import torch
from torch import nn


def survey(count, rng):
    x = rng.normal(size=(count, 25))
    signal = (
        0.5 * x[:, 0] + 0.35 * np.maximum(x[:, 1], 0) - 0.3 * x[:, 2] * (x[:, 3] > 0) + 0.2 * x[:, 4] ** 2
    )
    return x, signal + rng.normal(0, 1.3, count)


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.left = patience, patience
        self.best, self.state = float("inf"), None

    def __call__(self, loss, model):
        if loss < self.best:
            self.best, self.left = loss, self.patience
            self.state = copy.deepcopy(model.state_dict())
        else:
            self.left -= 1
        return self.left == 0


def mse(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(x).squeeze(1), y).item()


def main():
    torch.manual_seed(13)
    rng = np.random.default_rng(13)
    x, y = survey(9000, rng)
    x = torch.tensor(x, dtype=torch.float32)
    y = torch.tensor((y - y[:6000].mean()) / y[:6000].std(), dtype=torch.float32)
    train, valid, test = slice(0, 6000), slice(6000, 7500), slice(7500, 9000)
    model = nn.Sequential(
        nn.Linear(25, 64),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, 1),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    stop = EarlyStopping(patience=6)
    for epoch in range(60):
        model.train()
        losses = []
        for rows in torch.randperm(6000).split(64):
            loss = nn.functional.mse_loss(model(x[train][rows]).squeeze(1), y[train][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        held_out = mse(model, x[valid], y[valid])
        print(f"epoch {epoch}: train {np.mean(losses):.4f}, validation {held_out:.4f}")
        if stop(held_out, model):
            break
    model.load_state_dict(stop.state)
    print(f"metric: {1 - mse(model, x[test], y[test]) / y[test].var().item():.4f}")


if __name__ == "__main__":
    main()
