"""A heavy-tailed stream of sensor readings, learned one reading at a time.

family: linear
metric: r2, higher
"""

import torch


def stream(count, generator):
    """Readings of eight sensors, and what they say of the load; some readings are far off."""
    truth = torch.tensor([1.5, -2.0, 0.0, 0.7, 0.0, 1.0, -0.5, 0.3])
    for _ in range(count):
        x = torch.randn(8, generator=generator)
        noise = torch.randn((), generator=generator)
        if torch.rand((), generator=generator) < 0.03:
            noise = 6 * noise
        yield x, x @ truth + 0.4 + 0.5 * noise


class OnlineRegressor(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 1)

    def forward(self, x):
        return self.linear(x).squeeze(-1)


if __name__ == "__main__":
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(123)
    model = OnlineRegressor()
    criterion = torch.nn.HuberLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + step / 200) ** -0.7)
    recent = 0.0
    for i, (x, load) in enumerate(stream(6000, generator)):
        loss = criterion(model(x), load)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        recent += loss.item()
        if (i + 1) % 1000 == 0:
            print(f"{i + 1} readings, mean loss of the last thousand {recent / 1000:.4f}")
            recent = 0.0
    xs, loads = (torch.stack(part) for part in zip(*stream(1000, generator), strict=True))
    with torch.no_grad():
        explained = 1 - (model(xs) - loads).square().sum() / (loads - loads.mean()).square().sum()
    print(f"metric: {explained.item():.4f}")
