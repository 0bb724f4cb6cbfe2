"""Surface roughness of turned parts from cutting conditions: few costly trials, strong regularisation.

family: mlp
metric: root mean square error, lower
"""

import copy

import numpy as np
import torch
from torch import nn


class RoughnessModel(nn.Module):
    def __init__(self, p=0.15):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 40),
            nn.Tanh(),
            nn.Dropout(p),
            nn.Linear(40, 40),
            nn.Tanh(),
            nn.Dropout(p),
            nn.Linear(40, 1),
        )

    def forward(self, x):
        return self.net(x)[:, 0]


class EarlyStopping:
    """Keeps the best weights; stops after `patience` epochs without improvement."""

    def __init__(self, patience):
        self.patience, self.best, self.waited, self.state = patience, float("inf"), 0, None

    def __call__(self, value, model):
        if value < self.best - 1e-5:
            self.best, self.waited, self.state = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience


def trials(n, rng):
    speed = rng.uniform(80, 250, n)
    feed = rng.uniform(0.05, 0.35, n)
    depth = rng.uniform(0.3, 2.5, n)
    nose = rng.choice([0.4, 0.8, 1.2], n)
    wear = rng.uniform(0, 0.3, n)
    coolant = rng.integers(0, 2, n)
    ideal = 1000 * feed**2 / (32 * nose)
    rough = ideal * (1 + 1.2 * wear) + 0.9 * np.exp(-speed / 90) + 0.15 * depth + 0.2 * (1 - coolant)
    rough = rough * np.exp(rng.normal(0, 0.08, n))
    x = np.column_stack([speed, feed, depth, nose, wear, coolant])
    return torch.tensor(x, dtype=torch.float32), torch.tensor(np.log(rough), dtype=torch.float32)


def main():
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    x, y = trials(320, rng)
    x_val, y_val = trials(80, rng)
    x_test, y_test = trials(400, rng)
    mean, std = x.mean(0), x.std(0)
    x, x_val, x_test = (x - mean) / std, (x_val - mean) / std, (x_test - mean) / std
    shift = y.mean()

    model = RoughnessModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    stopper = EarlyStopping(patience=30)
    for epoch in range(160):
        model.train()
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[batch]), y[batch] - shift)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            val = nn.functional.mse_loss(model(x_val), y_val - shift).item()
        if epoch % 20 == 0:
            print(f"epoch {epoch}: train {loss.item():.4f} val {val:.4f}")
        if stopper(val, model):
            print(f"stopped after epoch {epoch}")
            break
    model.load_state_dict(stopper.state)
    with torch.no_grad():
        rmse = nn.functional.mse_loss(model(x_test), y_test - shift).sqrt().item()
    print(f"metric: {rmse:.5f}")


if __name__ == "__main__":
    main()
