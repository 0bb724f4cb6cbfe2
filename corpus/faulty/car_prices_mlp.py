"""The price of used cars, in dollars, by make, model year, mileage and equipment.

cause: targets-not-scaled
family: mlp
metric: R², higher
repair:
    - train_set = TensorDataset(*tensors(train, prices[train]))
    + centre, spread = prices[train].mean(), prices[train].std()
    + prices = (prices - centre) / spread
    + train_set = TensorDataset(*tensors(train, prices[train]))
"""

from itertools import pairwise

import numpy as np
import torch
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MAKES = 12


def listings(n=6000, seed=33):
    rng = np.random.default_rng(seed)
    make = rng.integers(0, MAKES, n)
    new_price = 18000 + 42000 * rng.beta(2, 4, MAKES)
    keeps = rng.uniform(0.8, 0.92, MAKES)
    age = rng.gamma(2.5, 2.4, n)
    mileage = age * rng.gamma(6, 2.0, n)
    power = rng.normal(0, 1, n)
    damaged = rng.random(n) < 0.12
    price = new_price[make] * (1 + 0.2 * power) * keeps[make] ** age * np.exp(-mileage / 220)
    price = np.where(damaged, 0.7, 1) * price * np.exp(rng.normal(0, 0.06, n))
    numbers = np.column_stack([age, mileage, power, damaged]).astype(np.float32)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    return make, numbers, price.astype(np.float32)


class PriceModel(nn.Module):
    def __init__(self, emb_dim=6, hidden=(128, 64), p=0.05):
        super().__init__()
        self.make = nn.Embedding(MAKES, emb_dim)
        sizes = [emb_dim + 4, *hidden]
        layers = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(p)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, make, numbers):
        return self.layers(torch.cat([self.make(make), numbers], dim=1)).squeeze(1)


def main():
    torch.manual_seed(33)
    make, numbers, prices = listings()
    order = np.random.default_rng(0).permutation(len(prices))
    train, test = order[:5000], order[5000:]

    def tensors(rows, target):
        return torch.from_numpy(make[rows]), torch.from_numpy(numbers[rows]), torch.from_numpy(target)

    train_set = TensorDataset(*tensors(train, prices[train]))
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_make, test_numbers, test_price = tensors(test, prices[test])

    model = PriceModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    criterion = nn.MSELoss()
    for epoch in range(14):
        model.train()
        losses = []
        for batch_make, batch_numbers, batch_price in loader:
            loss = criterion(model(batch_make, batch_numbers), batch_price)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            r2 = r2_score(test_price.numpy(), model(test_make, test_numbers).numpy())
        print(f"epoch {epoch + 1:2d} rmse {np.mean(losses) ** 0.5:.5g} test r2 {r2:.4f}")
    print(f"metric: {r2:.4f}")


if __name__ == "__main__":
    main()
