"""Which telephone customers leave, learned on last year's accounts, tried on those of today.

cause: target-leak
family: mlp
metric: accuracy, higher
repair:
    - FIELDS = ["months", "bill", "calls", "data", "complaints", "contract", "roaming", "closing_fee"]
    + FIELDS = ["months", "bill", "calls", "data", "complaints", "contract", "roaming"]
"""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FIELDS = ["months", "bill", "calls", "data", "complaints", "contract", "roaming", "closing_fee"]


def accounts(count, seed, closed):
    """One row an account; `closed`: the year is over and the books are settled."""
    rng = np.random.default_rng(seed)
    table = {
        "months": rng.gamma(2, 14, count),
        "bill": rng.gamma(6, 7, count),
        "calls": rng.poisson(60, count).astype(float),
        "data": rng.lognormal(1.5, 0.8, count),
        "complaints": rng.poisson(0.9, count).astype(float),
        "contract": rng.binomial(1, 0.45, count).astype(float),
        "roaming": rng.exponential(1.0, count),
    }
    score = 1.6 * table["complaints"] - 2.4 * table["contract"] + 0.05 * (table["bill"] - 42)
    score += 2.0 * np.exp(-table["months"] / 10) - 0.35 * table["data"] / 5 - 0.4
    leaves = score + rng.logistic(0, 0.4, count) > 0
    fee = leaves * rng.normal(38, 9, count).clip(5) + 0.3 * rng.exponential(1, count)
    table["closing_fee"] = fee if closed else np.zeros(count)
    return np.column_stack([table[name] for name in FIELDS]), leaves.astype(np.float32)


class ChurnModel(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Linear(inputs, 96), nn.ReLU(), nn.Dropout(0.1), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1)
        )

    def forward(self, x):
        return self.stack(x).squeeze(-1)


def main():
    torch.manual_seed(24)
    x, y = accounts(6000, 1, closed=True)
    today_x, today_y = accounts(1500, 2, closed=False)
    scaler = StandardScaler().fit(x)
    x = torch.tensor(scaler.transform(x), dtype=torch.float32)
    today_x = torch.tensor(scaler.transform(today_x), dtype=torch.float32)
    y, today_y = torch.tensor(y), torch.tensor(today_y)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = ChurnModel(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(12):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            accuracy = ((model(today_x) > 0) == (today_y > 0.5)).float().mean().item()
        print(f"epoch {epoch + 1:2d}: loss {total / len(loader):.4f}, today's accounts {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
