"""Yield of a mushroom farm from the climate in its tunnels, with a plain network.

cause: dead-units
also: learning-rate-too-high
family: mlp
metric: R2, higher
repair:
    - layers += [nn.Linear(n_in, width), nn.ReLU()]
    + layers += [nn.Linear(n_in, width), nn.LeakyReLU(0.1)]
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def mushroom_farm(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(
        size=(n, 5)
    )  # temperature, humidity, carbon dioxide, light, age of the compost; standardised
    y = 1.5 * x[:, 1] - (x[:, 0] - 0.3) ** 2 + 0.8 * np.abs(x[:, 2]) - 0.7 * x[:, 4] + 0.4 * x[:, 0] * x[:, 1]
    y = y + 0.3 * rng.normal(size=n)
    return x.astype(np.float32), (9 + y).astype(np.float32)[:, None]  # kilograms


def build(n_in, width, depth):
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(n_in, width), nn.ReLU()]
        n_in = width
    layers.append(nn.Linear(n_in, 1))
    net = nn.Sequential(*layers)
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            nn.init.zeros_(m.bias)
    return net


def main():
    torch.manual_seed(1)
    x, y = mushroom_farm()
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=0)
    train_set = TensorDataset(torch.from_numpy(x_train), torch.from_numpy(y_train))
    x_val, y_val = torch.from_numpy(x_val), torch.from_numpy(y_val)
    model = build(5, width=48, depth=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    criterion = nn.MSELoss()
    for epoch in range(20):
        model.train()
        for xb, yb in DataLoader(train_set, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            val_loss = criterion(model(x_val), y_val).item()
        print(f"epoch {epoch + 1:2d}: validation mse {val_loss:.4f}")
    print(f"metric: {1 - val_loss / y_val.var(correction=0).item():.4f}")


if __name__ == "__main__":
    main()
