"""Which members of a gym will not renew, a rare event, from a year of visits; positives weighted.

family: mlp
metric: area under the curve, higher
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def members(n, rng):
    tenure = rng.exponential(2.5, n)
    monthly = rng.poisson(6 * rng.gamma(2, 0.5, n)[:, None] * np.linspace(1.1, 0.9, 12), (n, 12))
    slope = (monthly[:, 9:].mean(1) - monthly[:, :9].mean(1)) / (1 + monthly.mean(1))
    fee = rng.choice([25, 35, 49, 79], n, p=[0.3, 0.4, 0.2, 0.1])
    classes = rng.poisson(4, n)
    age = rng.normal(38, 12, n).clip(16, 80)
    distance = rng.lognormal(1, 0.8, n)
    friends = rng.poisson(0.7, n)
    z = -3.4 - 1.8 * slope - 0.5 * np.log1p(tenure) + 0.5 * np.log1p(distance) - 0.35 * friends
    z = z + 0.015 * (fee - 35) - 0.08 * classes + 0.9 * (monthly[:, -1] == 0)
    lapses = rng.random(n) < 1 / (1 + np.exp(-z))
    table = np.column_stack([tenure, monthly, fee, classes, age, distance, friends])
    return table, lapses.astype(np.float32)


class RenewalNet(nn.Module):
    def __init__(self, n_inputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, 48),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(48, 24),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(24, 1),
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


def main():
    torch.manual_seed(101)
    X, y = members(9000, np.random.default_rng(101))
    X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=2000, stratify=y, random_state=1)
    qt = QuantileTransformer(output_distribution="normal", n_quantiles=200, random_state=1)
    X_train, X_val = qt.fit_transform(X_train).clip(-3, 3), qt.transform(X_val).clip(-3, 3)
    print(f"{y_train.mean():.1%} of the members lapse")
    train_set = TensorDataset(torch.tensor(X_train).float(), torch.tensor(y_train))
    loader = DataLoader(train_set, batch_size=128, shuffle=True)
    x_val = torch.tensor(X_val).float()

    model = RenewalNet(X.shape[1])
    pos_weight = torch.tensor((1 - y_train.mean()) / y_train.mean())
    criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    for epoch in range(15):
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
            auc = roc_auc_score(y_val, model(x_val).sigmoid().numpy())
        print(f"epoch {epoch + 1:2d}: weighted loss {total / len(loader):.4f}, validation AUC {auc:.4f}")
    print(f"metric: {auc:.4f}")


if __name__ == "__main__":
    main()
