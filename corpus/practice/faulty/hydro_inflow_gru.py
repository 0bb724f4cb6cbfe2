"""Tomorrow's output of a small hydro plant, in kilowatts, from two weeks of rain, temperature and output.

cause: targets-not-scaled
family: rnn
metric: r2, higher
repair:
    - target = torch.tensor(power[WINDOW:], dtype=torch.float32).unsqueeze(1)
    + target = torch.tensor(power[WINDOW:], dtype=torch.float32).unsqueeze(1)
    + target = (target - target[:SPLIT].mean()) / target[:SPLIT].std()
"""

import numpy as np
import torch
from torch import nn

WINDOW = 14
SPLIT = 2200


def simulate(days, rng):
    """Rain fills the soil, the soil feeds the river, the river drives two turbines."""
    day = np.arange(days)
    temperature = 7 + 10 * np.sin(2 * np.pi * (day - 110) / 365) + rng.normal(0, 2.5, days)
    wet = rng.random(days) < 0.35
    rain = wet * rng.gamma(0.8, 11, days)
    soil, snow = 40.0, 0.0
    power = np.zeros(days)
    for d in range(days):
        if temperature[d] < 0.5:
            snow += rain[d]
            water = 0.0
        else:
            melt = min(snow, 2.2 * temperature[d])
            snow -= melt
            water = rain[d] + melt
        soil += water
        flow = 0.16 * soil
        soil -= flow + min(soil * 0.01, 0.12 * max(temperature[d], 0))
        power[d] = 2600 * min(flow / 10, 1.6) ** 0.9 + rng.normal(0, 60)
    return rain, temperature, power.clip(0)


def zscore(column):
    return (column - column[:SPLIT].mean()) / column[:SPLIT].std()


class InflowGRU(nn.Module):
    def __init__(self, n_features, hidden):
        super().__init__()
        self.gru = nn.GRU(n_features, hidden, num_layers=1, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        _, h = self.gru(x)
        return self.head(h[-1])


rng = np.random.default_rng(1987)
torch.manual_seed(1987)
rain, temperature, power = simulate(2900, rng)
features = np.stack([zscore(rain), zscore(temperature), zscore(power)], axis=1)
windows = np.stack([features[i : i + WINDOW] for i in range(len(features) - WINDOW)])
x = torch.tensor(windows, dtype=torch.float32)
target = torch.tensor(power[WINDOW:], dtype=torch.float32).unsqueeze(1)
x_train, y_train, x_test, y_test = x[:SPLIT], target[:SPLIT], x[SPLIT:], target[SPLIT:]

model = InflowGRU(3, 48)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
mse = nn.MSELoss()

for epoch in range(1, 21):
    model.train()
    order = torch.randperm(SPLIT)
    losses = []
    for batch in order.split(64):
        loss = mse(model(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        forecast = model(x_test)
        ss_res = ((forecast - y_test) ** 2).sum()
        ss_tot = ((y_test - y_test.mean()) ** 2).sum()
    r2 = 1 - (ss_res / ss_tot).item()
    if epoch % 5 == 0:
        print(f"epoch {epoch:3d} | mse {np.mean(losses):.5g} | test R2 {r2:.4f}")
print(f"metric: {r2:.4f}")
