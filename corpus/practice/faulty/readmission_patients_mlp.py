"""Which patients come back to the hospital within a month of going home.

cause: target-leak
family: mlp
metric: accuracy, higher
repair:
    - "social_worker_calls",
    - "bed_days_next_month",
    + "social_worker_calls",
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

COLUMNS = [
    "age",
    "stay_days",
    "conditions",
    "earlier_stays",
    "haemoglobin",
    "sodium",
    "drugs",
    "lives_alone",
    "social_worker_calls",
    "bed_days_next_month",
]


def ward_table(n, rng, past):
    """One row per discharge. For this month's patients the hospital knows only what it knows today."""
    t = {
        "age": rng.normal(68, 13, n),
        "stay_days": rng.gamma(2.0, 3.0, n),
        "conditions": rng.poisson(4, n),
        "earlier_stays": rng.poisson(0.8, n),
        "haemoglobin": rng.normal(12.5, 1.8, n),
        "sodium": rng.normal(138, 4, n),
        "drugs": rng.poisson(7, n),
        "lives_alone": (rng.random(n) < 0.35).astype(float),
        "social_worker_calls": rng.poisson(1.0, n),
    }
    z = (
        -0.2
        + 0.4 * (t["age"] - 68) / 13
        + 0.35 * (t["conditions"] - 4) / 2
        + 0.8 * (t["earlier_stays"] - 0.8)
        - 0.5 * (t["haemoglobin"] - 12.5) / 1.8
        + 0.6 * t["lives_alone"] * (t["stay_days"] > 6)
        + 0.3 * (t["drugs"] - 7) / 2.6
        - 0.4 * (t["social_worker_calls"] - 1)
    )
    back = rng.random(n) < 1 / (1 + np.exp(-1.3 * z))
    days = np.where(back, 1 + rng.poisson(4, n), rng.random(n) < 0.03)
    t["bed_days_next_month"] = days if past else np.zeros(n)
    return t, back.astype(np.float32)


class ReadmissionNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_features, 48),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(48, 24),
            nn.ReLU(),
            nn.Linear(24, 1),
        )

    def forward(self, x):
        return self.net(x).squeeze(-1)


def main():
    rng = np.random.default_rng(38)
    torch.manual_seed(38)
    table, back = ward_table(3600, rng, past=True)
    now, came_back = ward_table(1200, rng, past=False)
    x = np.column_stack([table[c] for c in COLUMNS])
    x_now = np.column_stack([now[c] for c in COLUMNS])
    mean, std = x.mean(0), x.std(0)
    x = torch.tensor((x - mean) / std, dtype=torch.float32)
    x_now = torch.tensor((x_now - mean) / std, dtype=torch.float32)
    y = torch.from_numpy(back)
    x_val, y_val = x[3000:], y[3000:]

    loader = DataLoader(TensorDataset(x[:3000], y[:3000]), batch_size=50, shuffle=True)
    model = ReadmissionNet(len(COLUMNS))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(20):
        model.train()
        losses = []
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            val = ((model(x_val) > 0) == y_val.bool()).float().mean().item()
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, validation accuracy {val:.4f}")
    with torch.no_grad():
        predicted = (model(x_now) > 0).numpy()
    print(f"metric: {(predicted == came_back.astype(bool)).mean():.4f}")


if __name__ == "__main__":
    main()
