"""A wide perceptron with heavy dropout on handwritten digits.

cause: evaluating-in-train-mode
begins: 27
family: mlp
metric: accuracy, higher
repair:
    - with torch.no_grad():
    + model.eval()
    + with torch.no_grad():
"""

import argparse

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--dropout", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def get_data():
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32).div(16)
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    return x[order[:1300]], y[order[:1300]], x[order[1300:]], y[order[1300:]]


def train(model, optimizer, x, y):
    model.train()
    for rows in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def test(model, x, y):
    with torch.no_grad():
        logits = model(x)
        loss = F.cross_entropy(logits, y).item()
        accuracy = (logits.argmax(1) == y).float().mean().item()
    return loss, accuracy


def main():
    args = parse()
    torch.manual_seed(args.seed)
    x, y, x_test, y_test = get_data()
    model = nn.Sequential(
        nn.Dropout(0.3),
        nn.Linear(64, args.width),
        nn.ReLU(),
        nn.Dropout(args.dropout),
        nn.Linear(args.width, args.width),
        nn.ReLU(),
        nn.Dropout(args.dropout),
        nn.Linear(args.width, 10),
    )
    optimizer = torch.optim.RMSprop(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        train(model, optimizer, x, y)
        loss, accuracy = test(model, x_test, y_test)
        print(f"Epoch {epoch}/{args.epochs}  test loss {loss:.4f}  test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
