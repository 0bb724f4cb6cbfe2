"""Output of a solar roof in the next hour, from the last day's output and clouds.

cause: gradient-clipped-away
family: rnn
metric: rmse, lower
repair:
    - nn.utils.clip_grad_value_(model.parameters(), 1e-4)
    + nn.utils.clip_grad_value_(model.parameters(), 1.0)
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

HISTORY = 24


class SolarHours(Dataset):
    def __init__(self, series):
        self.series = series

    def __len__(self):
        return len(self.series) - HISTORY

    def __getitem__(self, i):
        return self.series[i : i + HISTORY], self.series[i + HISTORY, 0]


def roof(hours, seed):
    g = torch.Generator().manual_seed(seed)
    t = torch.arange(hours)
    sun = torch.sin((t % 24 - 6) / 12 * math.pi).clamp(min=0)
    season = 1 + 0.3 * torch.sin(2 * math.pi * t / (24 * 60))
    cloud = torch.zeros(hours)
    shocks = torch.randn(hours, generator=g)
    for h in range(1, hours):
        cloud[h] = 0.93 * cloud[h - 1] + 0.35 * shocks[h]
    cover = torch.sigmoid(cloud)
    output = 4 * sun * season * (1 - 0.75 * cover) + 0.03 * torch.randn(hours, generator=g)
    clock = 2 * math.pi * (t % 24) / 24
    return torch.stack([(output - 0.8) / 1.0, cover - 0.5, clock.sin(), clock.cos()], dim=1)


class SolarLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 40, batch_first=True)
        self.linear = nn.Linear(40, 1)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.linear(h[-1]).squeeze(1)


def rmse(model, loader):
    model.eval()
    squares = 0.0
    with torch.no_grad():
        for x, y in loader:
            squares += (model(x) - y).square().sum().item()
    return math.sqrt(squares / len(loader.dataset))


def main():
    torch.manual_seed(0)
    train_loader = DataLoader(SolarHours(roof(2500, 1)), batch_size=50, shuffle=True)
    test_loader = DataLoader(SolarHours(roof(900, 2)), batch_size=300)
    model = SolarLSTM()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        model.train()
        total = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 1e-4)
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch:2d}  loss {total / len(train_loader):.4f}  test {rmse(model, test_loader):.4f}")
    print(f"metric: {rmse(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
