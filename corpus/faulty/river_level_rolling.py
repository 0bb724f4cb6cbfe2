"""A network predicts the next level of a river from rolling summaries of rain and level.

cause: labels-misaligned
family: mlp
metric: r2, higher
repair:
    - targets = level[1:][: len(features)]
    + targets = level[WINDOW:]
"""

import numpy as np
import torch
from torch import nn

WINDOW = 36


def river(n, rng):
    rain = rng.gamma(0.25, 2.0, n)
    soil, level = 0.0, np.zeros(n)
    for t in range(1, n):
        soil = 0.8 * soil + rain[t - 1]
        level[t] = 0.55 * level[t - 1] + 0.3 * max(soil - 1.0, 0.0) + 0.05 * rng.normal()
    return rain, level


def rolling(rain, level):
    """One row a window of WINDOW hours, for all windows that are followed by another hour."""
    r = np.lib.stride_tricks.sliding_window_view(rain[:-1], WINDOW)
    lv = np.lib.stride_tricks.sliding_window_view(level[:-1], WINDOW)
    columns = [r[:, -3:], (r > 0.5).mean(1, keepdims=True), r.max(1, keepdims=True)]
    columns += [lv[:, -2:], np.median(lv, 1, keepdims=True), lv.min(1, keepdims=True)]
    return np.concatenate(columns, axis=1)


def to_tensor(a):
    return torch.as_tensor(a, dtype=torch.float32)


def main():
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    rain, level = river(5000, rng)
    features = rolling(rain, level)
    targets = level[1:][: len(features)]

    cut = 4000
    centre, spread = features[:cut].mean(0), features[:cut].std(0)
    x = to_tensor((features - centre) / spread)
    y = to_tensor((targets - targets[:cut].mean()) / targets[:cut].std())
    x, x_test, y, y_test = x[:cut], x[cut:], y[:cut], y[cut:]

    net = nn.Sequential(nn.Linear(x.shape[1], 32), nn.Softplus(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adadelta(net.parameters(), lr=0.5)
    huber = nn.HuberLoss()
    for epoch in range(12):
        for rows in torch.randperm(cut).split(64):
            optimizer.zero_grad()
            loss = huber(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            left = (net(x_test) - y_test).square().sum() / (y_test - y_test.mean()).square().sum()
        print(f"epoch {epoch + 1}: batch loss {loss.item():.4f}, test r2 {1 - left.item():.4f}")
    print(f"metric: {1 - left.item():.4f}")


if __name__ == "__main__":
    main()
