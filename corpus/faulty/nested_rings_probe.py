"""A classifier of four nested rings.

cause: underfitting
family: mlp
metric: accuracy, higher
repair:
    - parser.add_argument("--hidden", type=int, default=3)
    + parser.add_argument("--hidden", type=int, default=48)
"""

import argparse
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def rings(n):
    kind = torch.randint(4, (n,))
    radius = 0.4 + 0.45 * kind + 0.07 * torch.randn(n)
    angle = 2 * math.pi * torch.rand(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), kind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=35)
    parser.add_argument("--lr", type=float, default=0.01)
    args, _ = parser.parse_known_args()

    torch.manual_seed(88)
    train = DataLoader(TensorDataset(*rings(1600)), batch_size=64, shuffle=True)
    x_test, y_test = rings(600)
    model = nn.Sequential(nn.Linear(2, args.hidden), nn.Tanh(), nn.Linear(args.hidden, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.5)
    for epoch in range(1, args.epochs + 1):
        for x, y in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 5 == 0:
            with torch.no_grad():
                share = (model(x_test).argmax(1) == y_test).float().mean().item()
            print(f"{epoch:3d} | {loss.item():.4f} | {share:.4f}")
    print(f"metric: {share:.4f}")


if __name__ == "__main__":
    main()
