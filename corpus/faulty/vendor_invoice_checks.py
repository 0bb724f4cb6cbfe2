"""Which invoices an auditor would reject, from amounts, dates and the vendor's record.

cause: target-leak
also: overfitting
family: mlp
metric: ROC AUC, higher
repair:
    - record = rejected.groupby_mean(vendor[old])
    - rate = np.array([record.get(v, overall) for v in vendor])
    + rate = np.full(len(vendor), overall)
    + folds = rng.integers(0, 5, len(vendor))
    + for fold in range(5):
    +     record = Rates(label[old & (folds != fold)]).groupby_mean(vendor[old & (folds != fold)])
    +     here = old & (folds == fold)
    +     rate[here] = [record.get(v, overall) for v in vendor[here]]
    + record = rejected.groupby_mean(vendor[old])
    + rate[~old] = [record.get(v, overall) for v in vendor[~old]]
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn


class Rates:
    def __init__(self, values):
        self.values = values

    def groupby_mean(self, keys):
        names, inverse = np.unique(keys, return_inverse=True)
        sums = np.bincount(inverse, weights=self.values)
        return dict(zip(names.tolist(), (sums / np.bincount(inverse)).tolist(), strict=True))


def invoices(rng, count=7000, vendors=3500):
    vendor = rng.integers(0, vendors, count)
    sloppy = rng.normal(0, 0.3, vendors)
    amount, delay, items, weekend = rng.normal(size=(4, count))
    score = 0.9 * np.abs(amount) - 0.8 * delay * (items > 0) + 0.6 * weekend + sloppy[vendor] - 0.9
    label = (score + rng.logistic(0, 0.6, count) > 0).astype(float)
    return vendor, np.column_stack([amount, delay, items, weekend]), label


def features(rng):
    vendor, x, label = invoices(rng)
    old = np.arange(len(vendor)) < 5500
    overall = label[old].mean()
    rejected = Rates(label[old])
    record = rejected.groupby_mean(vendor[old])
    rate = np.array([record.get(v, overall) for v in vendor])
    x = np.column_stack([x, (rate - overall) / 0.3])
    x, label = torch.tensor(x, dtype=torch.float32), torch.tensor(label, dtype=torch.float32)
    return x[old], label[old], x[~old], label[~old]


def main():
    rng = np.random.default_rng(35)
    torch.manual_seed(35)
    x, y, new_x, new_y = features(rng)
    net = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    for epoch in range(14):
        mean = 0.0
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean += loss.item() * len(rows) / len(x)
        with torch.no_grad():
            auc = roc_auc_score(new_y.numpy(), net(new_x).squeeze(1).numpy())
        if epoch % 2:
            print(f"epoch {epoch + 1}: train loss {mean:.4f}, AUC on new invoices {auc:.4f}")
    print(f"metric: {auc:.4f}")


if __name__ == "__main__":
    main()
