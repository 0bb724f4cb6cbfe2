"""A network fits a surface of two inputs, batch by batch, through an object with a learn method.

cause: optimizer-recreated
family: mlp
metric: rmse, lower
repair:
    - def learn(self, x, y):
    - optimizer = torch.optim.Adam(self.network.parameters(), lr=self.lr)
    - optimizer.zero_grad()
    + def learn(self, x, y):
    +     optimizer = self.optimizer
    +     optimizer.zero_grad()
    - self.lr = lr
    + self.lr = lr
    + self.optimizer = torch.optim.Adam(self.network.parameters(), lr=lr)
"""

import torch
from torch import nn


def surface(x):
    return torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:]) + 0.3 * x[:, :1]


class Learner:
    def __init__(self, network, lr):
        self.network = network
        self.lr = lr

    def learn(self, x, y):
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.lr)
        optimizer.zero_grad()
        loss = (self.network(x) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def error(self, x, y):
        with torch.no_grad():
            return (self.network(x) - y).pow(2).mean().sqrt().item()


if __name__ == "__main__":
    torch.manual_seed(12)
    x = 4 * torch.rand(4000, 2) - 2
    y = surface(x) + 0.02 * torch.randn(4000, 1)
    grid = torch.cartesian_prod(torch.linspace(-2, 2, 40), torch.linspace(-2, 2, 40))

    network = nn.Sequential(nn.Linear(2, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
    learner = Learner(network, lr=1e-2)
    for step in range(1200):
        rows = torch.randint(4000, (64,))
        loss = learner.learn(x[rows], y[rows])
        if step % 200 == 199:
            print(f"step {step + 1}: batch {loss:.5f}, grid {learner.error(grid, surface(grid)):.4f}")
    print(f"metric: {learner.error(grid, surface(grid)):.5f}")
