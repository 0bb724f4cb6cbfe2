"""Each column of a loan application is a token: a small transformer for tables.

family: transformer
metric: area under the ROC curve, higher
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PURPOSES, HOUSING, NUMBERS = 8, 3, 6


def applications(n, rng):
    income = rng.lognormal(10.3, 0.45, n)
    amount = rng.lognormal(9, 0.7, n)
    years = rng.integers(1, 8, n)
    age = rng.uniform(19, 70, n)
    employed = rng.exponential(6, n)
    cards = rng.poisson(1.5, n)
    purpose, housing = rng.integers(0, PURPOSES, n), rng.choice(HOUSING, n, p=[0.5, 0.35, 0.15])
    burden = np.log(amount / years / income)
    z = -0.4 + 1.3 * (burden + 2.3) - 0.12 * employed + 0.25 * cards * (housing == 0)
    z += np.random.default_rng(0).normal(0, 0.8, PURPOSES)[purpose] - 0.5 * (age > 50)
    default = rng.random(n) < 1 / (1 + np.exp(-z))
    numbers = np.column_stack(
        [np.log(income) - 10.3, np.log(amount) - 9, years / 2 - 2, age / 15 - 3, employed / 6, cards]
    )
    return (
        torch.tensor(numbers, dtype=torch.float32),
        torch.tensor(np.stack([purpose, housing], 1)),
        torch.tensor(default, dtype=torch.float32),
    )


class TableTransformer(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(NUMBERS, width) * 0.2)
        self.shift = nn.Parameter(torch.randn(NUMBERS, width) * 0.2)
        self.purpose, self.housing = nn.Embedding(PURPOSES, width), nn.Embedding(HOUSING, width)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.2, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, numbers, kinds):
        tokens = numbers.unsqueeze(2) * self.scale + self.shift
        extra = torch.stack([self.purpose(kinds[:, 0]), self.housing(kinds[:, 1])], 1)
        tokens = torch.cat([self.cls.expand(len(numbers), -1, -1), tokens, extra], 1)
        return self.head(self.layers(tokens)[:, 0]).squeeze(1)


if __name__ == "__main__":
    torch.manual_seed(88)
    rng = np.random.default_rng(88)
    loader = DataLoader(TensorDataset(*applications(4000, rng)), batch_size=64, shuffle=True)
    numbers, kinds, default = applications(2000, rng)
    model = TableTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-4, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(6):
        model.train()
        total = 0.0
        for n, k, d in loader:
            loss = criterion(model(n, k), d)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            auc = roc_auc_score(default.numpy(), model(numbers, kinds).numpy())
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, AUC {auc:.4f}")
    print(f"metric: {auc:.4f}")
