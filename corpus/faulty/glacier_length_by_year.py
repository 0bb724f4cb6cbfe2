"""A smooth curve through a glacier's yearly record, by a small tanh network on the calendar year.

cause: inputs-not-scaled
family: mlp
metric: mean squared error, lower
repair:
    - year = np.arange(1850, 2021, dtype=np.float32)
    + year = (np.arange(1850, 2021, dtype=np.float32) - 1935) / 49.4
"""

import numpy as np
import torch

torch.manual_seed(10)
rng = np.random.default_rng(10)

year = np.arange(1850, 2021, dtype=np.float32)
phase = np.linspace(0, 1, len(year))
trend = -1.8 * phase**2 + 0.6 * np.sin(9 * phase) + 0.9
length = (trend + rng.normal(0, 0.12, len(year))).astype(np.float32)
held_out = np.zeros(len(year), dtype=bool)
held_out[3::4] = True

model = torch.nn.Sequential(
    torch.nn.Linear(1, 40),
    torch.nn.Tanh(),
    torch.nn.Linear(40, 40),
    torch.nn.Tanh(),
    torch.nn.Linear(40, 1),
)
x = torch.from_numpy(year)[:, None]
y = torch.from_numpy(length)[:, None]
keep, test = torch.from_numpy(~held_out), torch.from_numpy(held_out)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for step in range(1500):
    loss = torch.mean((model(x[keep]) - y[keep]) ** 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}, mse {loss.item():.4f}")

truth = torch.from_numpy(trend[held_out]).float()[:, None]
with torch.no_grad():
    print(f"metric: {torch.mean((model(x[test]) - truth) ** 2).item():.5f}")
