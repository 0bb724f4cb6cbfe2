"""Water level in a reed bed one hour ahead, from the last 24 hours of rain, wind and level, with an LSTM.

cause: optimizer-recreated
begins: 9
family: rnn
metric: test mean squared error, lower
repair:
    - def train_epoch(net, windows, following, lr):
    - optimizer = torch.optim.RMSprop(net.parameters(), lr=lr)
    + def train_epoch(net, optimizer, windows, following):
    - for epoch in range(60):
    - train_loss = train_epoch(net, windows[:800], following[:800], lr=5e-3)
    + optimizer = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    + for epoch in range(60):
    +     train_loss = train_epoch(net, optimizer, windows[:800], following[:800])
"""

import math

import torch
from torch import nn


def series(hours, generator):
    rain = torch.relu(torch.randn(hours, generator=generator) - 1.2) * 2
    wind = torch.randn(hours, generator=generator).cumsum(0) * 0.1
    wind = torch.sin(wind)
    level = torch.zeros(hours)
    for t in range(1, hours):
        tide = 0.08 * math.sin(2 * math.pi * t / 12.4)
        drain = 0.07 * torch.relu(level[t - 1]) ** 1.5
        level[t] = 0.97 * level[t - 1] + 0.35 * rain[max(0, t - 4)] + tide + 0.06 * wind[t - 1] - drain
    return torch.stack([rain, wind, level], dim=1)


class LevelNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(3, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, window):
        states, _ = self.lstm(window)
        return self.out(states[:, -1]).squeeze(1)


def train_epoch(net, windows, following, lr):
    optimizer = torch.optim.RMSprop(net.parameters(), lr=lr)
    net.train()
    losses = []
    for batch in torch.randperm(len(windows)).split(100):
        loss = nn.functional.mse_loss(net(windows[batch]), following[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def main():
    generator = torch.Generator().manual_seed(5)
    torch.manual_seed(5)
    data = series(1300, generator)
    data = (data - data.mean(0)) / data.std(0)
    windows = data[:-1].unfold(0, 24, 1).transpose(1, 2)
    following = data[24:, 2]
    net = LevelNet()
    for epoch in range(60):
        train_loss = train_epoch(net, windows[:800], following[:800], lr=5e-3)
        net.eval()
        with torch.no_grad():
            test_loss = nn.functional.mse_loss(net(windows[850:]), following[850:]).item()
        if epoch % 10 == 9:
            print(f"{epoch + 1:3d} train {train_loss:.5f} test {test_loss:.5f}")
    print(f"metric: {test_loss:.6f}")


if __name__ == "__main__":
    main()
