"""The fat in milk from 300 wavelengths and 120 samples: a linear model with strong weight decay.

family: linear
metric: R², higher
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(11)
torch.manual_seed(11)

wavelengths = np.linspace(0, 1, 300)
parts = np.stack(
    [np.exp(-(((wavelengths - c) / w) ** 2)) for c, w in ((0.2, 0.05), (0.5, 0.1), (0.7, 0.04), (0.9, 0.2))]
)


def samples(n):
    amounts = rng.normal(0, 1, (n, 4))
    amounts[:, 1] += 0.5 * amounts[:, 0]
    spectra = (
        amounts @ parts + 0.5 * rng.normal(0, 1, (n, 1)) * wavelengths + 0.25 * rng.normal(0, 1, (n, 300))
    )
    return torch.tensor(spectra).float(), torch.tensor(
        amounts[:, :1] + 0.1 * rng.normal(0, 1, (n, 1))
    ).float()


x, y = samples(120)
x_test, y_test = samples(500)
mean = x.mean(0)
x, x_test = x - mean, x_test - mean

model = nn.Linear(300, 1)
nn.init.zeros_(model.weight)
optimizer = torch.optim.SGD(
    [{"params": [model.weight], "weight_decay": 0.1}, {"params": [model.bias], "weight_decay": 0.0}],
    lr=0.006,
    momentum=0.9,
)
for step in range(1000):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}: training loss {loss.item():.4f}, weights {model.weight.norm().item():.3f}")

with torch.no_grad():
    r2 = 1 - (nn.functional.mse_loss(model(x_test), y_test) / y_test.var()).item()
print(f"metric: {r2:.4f}")
