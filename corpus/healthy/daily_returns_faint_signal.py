"""Tomorrow's return of a share from twelve indicators, of which two in a hundred parts can be foretold.

family: mlp
metric: share of the foretellable variance that is foretold, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
gen = np.random.default_rng(12)


def market(n):
    indicators = gen.standard_normal((n, 12)).astype("float32")
    momentum = np.tanh(indicators[:, 0] + indicators[:, 1])
    value = 0.6 * indicators[:, 2] - 0.4 * indicators[:, 5]
    expected = 0.13 * (momentum + value) / np.sqrt((momentum + value).var())
    shocks = gen.standard_t(5, n) / np.sqrt(5 / 3)
    return indicators, expected.astype("float32"), (expected + shocks).astype("float32")


x, _, y = market(40000)
x_new, expected_new, y_new = market(20000)
train = DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=500, shuffle=True)

model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
nn.init.zeros_(model[-1].weight)
nn.init.zeros_(model[-1].bias)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
criterion = nn.MSELoss()

for epoch in range(12):
    model.train()
    total = 0.0
    for inputs, returns in train:
        optimizer.zero_grad()
        loss = criterion(model(inputs).squeeze(1), returns)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    model.eval()
    with torch.no_grad():
        guess = model(torch.tensor(x_new)).squeeze(1).numpy()
    r2 = 1 - np.mean((guess - y_new) ** 2) / np.var(y_new)
    print(f"epoch {epoch:2d} mse {total / len(x):.4f}  R2 on new days {r2:.4f}")

print("metric:", 1 - np.mean((guess - expected_new) ** 2) / np.var(expected_new))
