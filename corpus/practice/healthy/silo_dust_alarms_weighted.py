"""Rare dust alarms of grain silos from sensor readings; the few alarms weigh more in the loss.

family: mlp
metric: area under the precision-recall curve, higher
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def readings(n, seed):
    rng = np.random.default_rng(seed)
    dust = rng.lognormal(0, 0.7, n)
    humidity = rng.normal(55, 12, n)
    fan = rng.uniform(0, 1, n)
    belt = rng.normal(2.0, 0.4, n)
    heat = rng.normal(28, 6, n)
    vibration = rng.gamma(3, 0.3, n)
    filling = rng.binomial(1, 0.3, n)
    hazard = 1.6 * np.log(dust) - 0.06 * (humidity - 55) - 2.2 * fan + 0.08 * (heat - 28)
    hazard += 1.2 * filling * (belt > 2.2) + 0.8 * (vibration > 1.6) - 3.2
    alarm = rng.random(n) < 1 / (1 + np.exp(-1.8 * hazard))
    x = np.column_stack([dust, humidity, fan, belt, heat, vibration, filling])
    return x, alarm.astype(np.float32)


class AlarmNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU()
        )
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(1)


def main():
    torch.manual_seed(70)
    x, y = readings(9000, 70)
    x_val, y_val = readings(4000, 71)
    scaler = StandardScaler().fit(x)
    x = torch.tensor(scaler.transform(x), dtype=torch.float32)
    x_val = torch.tensor(scaler.transform(x_val), dtype=torch.float32)
    y = torch.tensor(y)
    weight = ((1 - y).sum() / y.sum()) ** 0.5
    print(f"{y.mean():.3%} of the readings raise an alarm; their weight is {weight:.1f}")
    loader = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
    model = AlarmNet(x.shape[1])
    criterion = nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    for epoch in range(14):
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
            score = average_precision_score(y_val, model(x_val).numpy())
        print(f"epoch {epoch + 1:2d}: loss {total / len(loader):.4f}, average precision {score:.4f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
