"""A network predicts what an order in a web shop is worth, with customers encoded by what they spend.

cause: target-leak
family: mlp
metric: r2, higher
repair:
    - train["customer"] = spends[train_orders.customer]
    + n = np.bincount(train_orders.customer, minlength=CUSTOMERS)[train_orders.customer]
    + others = spends[train_orders.customer] * n - train_orders.worth
    + train["customer"] = np.where(n > 1, others / np.maximum(n - 1, 1), overall)
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

CUSTOMERS = 4000


@dataclass
class Orders:
    customer: np.ndarray
    items: np.ndarray
    hour: np.ndarray
    discount: np.ndarray
    worth: np.ndarray

    def table(self):
        return {
            "items": self.items.astype(float),
            "night": np.cos(self.hour / 24 * 2 * np.pi),
            "discount": self.discount,
        }


def orders(n, rng):
    customer = rng.integers(0, CUSTOMERS, n)
    items = 1 + rng.poisson(2.0, n)
    hour = rng.uniform(0, 24, n)
    discount = rng.choice([0.0, 0.1, 0.3], n)
    price = 12 + 3 * np.cos(hour / 24 * 2 * np.pi) + rng.normal(0, 3, n)
    return Orders(customer, items, hour, discount, items * price * (1 - discount))


def as_tensor(table, centre=None):
    x = np.stack(list(table.values()), axis=1)
    if centre is None:
        centre = x.mean(0), x.std(0)
    return torch.tensor((x - centre[0]) / centre[1], dtype=torch.float32), centre


def main():
    rng = np.random.default_rng(27)
    torch.manual_seed(27)
    train_orders, test_orders = orders(4000, rng), orders(1500, rng)
    overall = train_orders.worth.mean()

    # what a customer spends on the average; the overall mean for those who are new
    total = np.bincount(train_orders.customer, train_orders.worth, CUSTOMERS)
    count = np.bincount(train_orders.customer, minlength=CUSTOMERS)
    spends = np.where(count > 0, total / np.maximum(count, 1), overall)
    train, test = train_orders.table(), test_orders.table()
    train["customer"] = spends[train_orders.customer]
    test["customer"] = spends[test_orders.customer]

    x, centre = as_tensor(train)
    x_test, _ = as_tensor(test, centre)
    scale = train_orders.worth.std()
    y = torch.tensor((train_orders.worth - overall) / scale, dtype=torch.float32)
    y_test = torch.tensor((test_orders.worth - overall) / scale, dtype=torch.float32)

    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            fit = 1 - (model(x).squeeze(1) - y).square().mean() / y.var()
            held = 1 - (model(x_test).squeeze(1) - y_test).square().mean() / y_test.var()
        print(f"epoch {epoch + 1:2d}: train r2 {fit:.4f}, test r2 {held:.4f}")
    print(f"metric: {held.item():.4f}")


if __name__ == "__main__":
    main()
