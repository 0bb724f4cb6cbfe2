"""A network with sine units fits a bumpy curve from minibatches.

cause: data-not-shuffled
family: mlp
metric: rmse, lower
repair:
    - batch = torch.arange(start, min(start + BATCH, N))
    + batch = order[start : start + BATCH]
    - for start in range(0, N, BATCH):
    + order = torch.randperm(N)
    + for start in range(0, N, BATCH):
"""

import numpy as np
import torch
from torch import nn

N, BATCH, EPOCHS = 1500, 30, 30


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


def bumpy(x):
    return np.sin(2 * x) + 0.5 * np.sin(5 * x + 1) + 0.2 * x


def main():
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    t = np.linspace(-3, 3, N)
    x = torch.tensor(t, dtype=torch.float32)[:, None]
    y = torch.tensor(bumpy(t) + 0.05 * rng.normal(size=N), dtype=torch.float32)[:, None]
    points = np.sort(rng.uniform(-3, 3, 500))
    x_check = torch.tensor(points, dtype=torch.float32)[:, None]
    y_check = torch.tensor(bumpy(points), dtype=torch.float32)[:, None]

    net = nn.Sequential(nn.Linear(1, 40), Sine(), nn.Linear(40, 40), Sine(), nn.Linear(40, 1))
    with torch.no_grad():
        net[0].weight.mul_(4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
    for epoch in range(1, EPOCHS + 1):
        for start in range(0, N, BATCH):
            batch = torch.arange(start, min(start + BATCH, N))
            loss = nn.functional.mse_loss(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 5 == 0:
            with torch.no_grad():
                rmse = nn.functional.mse_loss(net(x_check), y_check).sqrt().item()
            print(f"epoch {epoch}: last batch {loss.item():.5f}, check {rmse:.4f}")
    print(f"metric: {rmse:.5f}")


if __name__ == "__main__":
    main()
