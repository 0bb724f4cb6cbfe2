"""Prices of used cars from advertisements typed in by their sellers.

cause: label-noise
family: mlp
metric: mean absolute error, lower
repair:
    - cars["price"] = as_typed(cars["price"], rng)
    + cars["price"] = cars["price"].copy()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BRANDS = 20


def advertisements(count, rng):
    brand = rng.integers(0, BRANDS, count)
    luxury = np.random.default_rng(5).normal(0, 0.35, BRANDS)[brand]
    age = rng.gamma(2.5, 2.5, count)
    mileage = age * rng.normal(15, 4, count).clip(2)
    power = 70 + 60 * rng.gamma(2, 0.5, count) + 40 * luxury
    diesel = rng.binomial(1, 0.4, count)
    price = 24 * np.exp(luxury + 0.004 * (power - 110) - 0.13 * age - 0.002 * mileage * (1 - 0.4 * diesel))
    price = price * np.exp(rng.normal(0, 0.08, count))
    return {
        "brand": brand,
        "numbers": np.column_stack([age, mileage, power, diesel]),
        "price": price,
    }


def as_typed(price, rng):
    """Some sellers lose a digit or type one too many, or write 1 for "make me an offer"."""
    price = price.copy()
    kind = rng.random(len(price))
    price[kind < 0.05] *= 10
    price[(kind > 0.05) & (kind < 0.10)] /= 10
    price[(kind > 0.10) & (kind < 0.14)] = 0.001
    return price


class PriceNet(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.brand = nn.Embedding(BRANDS, 8)
        self.body = nn.Sequential(
            nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, brand, numbers):
        x = torch.cat([self.brand(brand), (numbers - self.mean) / self.std], dim=1)
        return self.body(x).squeeze(1)


def tensors(cars):
    return (
        torch.as_tensor(cars["brand"]),
        torch.as_tensor(cars["numbers"], dtype=torch.float32),
        torch.as_tensor(cars["price"], dtype=torch.float32),
    )


def main():
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    cars = advertisements(4000, rng)
    cars["price"] = as_typed(cars["price"], rng)
    sold = advertisements(1000, rng)
    brand, numbers, price = tensors(cars)
    test_brand, test_numbers, test_price = tensors(sold)
    model = PriceNet(numbers.mean(0), numbers.std(0))
    mean, std = price.mean(), price.std()
    loader = DataLoader(TensorDataset(brand, numbers, (price - mean) / std), batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(20):
        model.train()
        total = 0.0
        for b, x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(b, x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            guess = model(test_brand, test_numbers) * std + mean
            error = (guess - test_price).abs().mean().item()
        print(f"epoch {epoch}: train loss {total / len(loader):.4f}, off by {error:.2f} thousand")
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
