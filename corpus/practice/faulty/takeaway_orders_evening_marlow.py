"""How many orders a takeaway gets in an hour, from the calendar and the weather.

cause: learning-rate-too-high
family: mlp
metric: R2, higher
repair:
    - parser.add_argument("--lr", type=float, default=0.02)
    + parser.add_argument("--lr", type=float, default=0.002)
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


def make_table(n, rng):
    hour = rng.uniform(11, 23, n)
    weekday = rng.integers(0, 7, n)
    rain = rng.exponential(1.0, n) * (rng.random(n) < 0.4)
    temperature = rng.normal(12, 7, n)
    match_day = rng.random(n) < 0.1
    voucher = rng.random(n) < 0.2
    lunch = np.exp(-((hour - 12.5) ** 2) / 1.0) * np.where(weekday < 5, 1.0, 0.5)
    dinner = np.exp(-((hour - 19) ** 2) / 3.0) * np.where(weekday >= 4, 1.6, 1.0)
    orders = 10 + 25 * lunch + 45 * dinner * (1 + 0.3 * np.minimum(rain, 2)) + 15 * match_day * dinner
    orders += 8 * voucher * (weekday < 3) + 0.6 * np.abs(temperature - 15) + rng.normal(0, 3, n)
    x = np.column_stack(
        [
            np.sin(2 * np.pi * hour / 24),
            np.cos(2 * np.pi * hour / 24),
            np.eye(7)[weekday],
            rain,
            temperature,
            match_day,
            voucher,
        ]
    )
    return x, orders


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--hidden", type=int, default=128)
    args = parser.parse_args()

    torch.manual_seed(0)
    x, y = make_table(4000, np.random.default_rng(0))
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    scaler = StandardScaler().fit(x_train)
    mean, std = y_train.mean(), y_train.std()
    x_train = torch.tensor(scaler.transform(x_train), dtype=torch.float32)
    x_test = torch.tensor(scaler.transform(x_test), dtype=torch.float32)
    target = torch.tensor((y_train - mean) / std, dtype=torch.float32).unsqueeze(1)

    model = nn.Sequential(
        nn.Linear(x.shape[1], args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, args.hidden),
        nn.ReLU(),
        nn.Linear(args.hidden, 1),
    )
    optimizer = torch.optim.RMSprop(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        order = torch.randperm(len(x_train))
        epoch_loss = 0.0
        for batch in order.split(args.batch_size):
            loss = F.mse_loss(model(x_train[batch]), target[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            predicted = model(x_test).squeeze(1).numpy() * std + mean
        score = r2_score(y_test, predicted)
        print(f"epoch {epoch:3d}  train loss {epoch_loss / len(x_train):.4f}  test R2 {score:.4f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
