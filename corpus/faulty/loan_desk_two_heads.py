"""Whether a loan is repaid and how late, by two heads on one trunk over a table of applicants.

cause: inputs-not-scaled
family: multi-task
metric: accuracy, higher
repair:
    - SCALED = ["age", "years_employed", "debt_ratio", "late_payments"]
    + SCALED = ["age", "years_employed", "debt_ratio", "late_payments", "income", "savings"]
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SCALED = ["age", "years_employed", "debt_ratio", "late_payments"]


def applicants(count, rng):
    table = {
        "age": rng.uniform(20, 70, count),
        "years_employed": rng.gamma(2.0, 4.0, count),
        "debt_ratio": rng.beta(2, 4, count),
        "late_payments": rng.poisson(1.2, count).astype(float),
        "income": rng.lognormal(10.4, 0.4, count),
        "savings": rng.lognormal(8.5, 0.9, count),
        "owns_home": rng.integers(0, 2, count).astype(float),
    }
    risk = (
        5 * (table["debt_ratio"] - 0.33)
        + 0.7 * (table["late_payments"] - 1.2)
        - 1.5 * (np.log(table["income"]) - 10.4)
        - 0.05 * (table["years_employed"] - 8)
        - 0.8 * (table["owns_home"] - 0.5)
        + 0.03 * np.abs(table["age"] - 45)
        - 0.4
    )
    defaults = (risk + 0.3 * rng.logistic(size=count) > 0).astype(np.int64)
    late = (2 + risk + 0.3 * rng.normal(size=count)).clip(0) / 2
    return table, defaults, late


class Preprocessor:
    def fit(self, table):
        self.stats = {name: (table[name].mean(), table[name].std()) for name in SCALED}
        return self

    def transform(self, table):
        columns = []
        for name, values in table.items():
            mean, std = self.stats.get(name, (0.0, 1.0))
            columns.append((values - mean) / std)
        return torch.tensor(np.stack(columns, 1)).float()


class TwoHeads(nn.Module):
    def __init__(self, inputs, hidden=32):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.repaid, self.days = nn.Linear(hidden, 2), nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.repaid(h), self.days(h).squeeze(1)


def tensors(table, defaults, late, preprocessor):
    return preprocessor.transform(table), torch.tensor(defaults), torch.tensor(late).float()


def main():
    rng = np.random.default_rng(6)
    torch.manual_seed(6)
    train_part, test_part = applicants(3000, rng), applicants(1000, rng)
    preprocessor = Preprocessor().fit(train_part[0])
    train = TensorDataset(*tensors(*train_part, preprocessor))
    x, y, late = tensors(*test_part, preprocessor)

    model = TwoHeads(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    best = 0.0
    for epoch in range(12):
        model.train()
        for xb, yb, lb in DataLoader(train, batch_size=32, shuffle=True):
            logits, days = model(xb)
            loss = nn.functional.cross_entropy(logits, yb) + 0.5 * nn.functional.mse_loss(days, lb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            logits, days = model(x)
            accuracy = (logits.argmax(1) == y).float().mean().item()
            error = (days - late).abs().mean().item()
        best = max(best, accuracy)
        print(f"epoch {epoch + 1:2d}  loss {loss.item():10.3f}  acc {accuracy:.3f}  days off {error:8.2f}")
    print(f"best {best:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
