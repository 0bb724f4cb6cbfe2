"""Daily sales of umbrellas in forty shops, a Poisson regression network.

cause: momentum-too-high
family: mlp
metric: Poisson deviance, lower
repair:
    - optimizer = torch.optim.RMSprop(net.parameters(), lr=4e-4, momentum=0.99)
    + optimizer = torch.optim.RMSprop(net.parameters(), lr=4e-4, momentum=0.8)
"""

import numpy as np
import torch
from torch import nn

SHOPS = 40


def days(count, seed):
    rng = np.random.default_rng(seed)
    size = np.random.default_rng(0).normal(0, 0.5, SHOPS)
    shop = rng.integers(0, SHOPS, count)
    rain, wind, warm = rng.normal(size=(3, count))
    weekday = rng.integers(0, 7, count)
    rate = 1.0 + size[shop] + 0.9 * np.maximum(rain, 0) - 0.5 * np.maximum(wind - 0.5, 0) * (rain > 0)
    rate = rate + 0.3 * (weekday >= 5) - 0.15 * warm**2
    sold = rng.poisson(np.exp(rate.clip(-3, 4)))
    week = np.eye(7)[weekday]
    numbers = np.column_stack([rain, wind, warm, week])
    return torch.tensor(shop), torch.tensor(numbers).float(), torch.tensor(sold).float()


class SalesNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.shop = nn.Embedding(SHOPS, 6)
        self.net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, shop, numbers):
        return self.net(torch.cat([self.shop(shop), numbers], 1)).squeeze(1)


def deviance(log_rate, sold):
    rate = log_rate.exp()
    return 2 * (torch.xlogy(sold, sold / rate) - (sold - rate)).mean().item()


def main():
    torch.manual_seed(60)
    shop, numbers, sold = days(8000, 1)
    test = days(2000, 2)
    net = SalesNet()
    loss_fn = nn.PoissonNLLLoss(log_input=True)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=4e-4, momentum=0.99)
    step, recent = 0, []
    for epoch in range(10):
        for i in torch.randperm(len(sold)).split(80):
            optimizer.zero_grad()
            loss = loss_fn(net(shop[i], numbers[i]), sold[i])
            loss.backward()
            optimizer.step()
            recent.append(loss.item())
            step += 1
            if step % 200 == 0:
                print(f"step {step}: loss {np.mean(recent):.4f}")
                recent.clear()
        with torch.no_grad():
            quality = deviance(net(*test[:2]), test[2])
        print(f"epoch {epoch + 1}: test deviance {quality:.4f}")
    print(f"metric: {quality:.4f}")


if __name__ == "__main__":
    main()
