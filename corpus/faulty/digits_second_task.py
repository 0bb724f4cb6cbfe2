"""A network learns the digits 0 to 6; then its last layer is exchanged, and it learns 7 to 9.

cause: parameters-not-in-optimizer
begins: 271
family: mlp
metric: accuracy, higher
repair:
    - net.head = nn.Linear(net.head.in_features, len(second))
    + net.head = nn.Linear(net.head.in_features, len(second))
    + optimizer = torch.optim.Adam(net.parameters(), lr=LR)
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

LR = 3e-3


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(self.features(x))


def split(classes):
    data = load_digits()
    keep = torch.isin(torch.tensor(data.target), torch.tensor(classes))
    x = torch.tensor(data.data, dtype=torch.float32)[keep] / 16
    y = torch.tensor(data.target)[keep] - min(classes)
    test = torch.arange(len(x)) % 3 == 0
    return (x[~test], y[~test]), (x[test], y[test])


def train(net, optimizer, x, y, epochs):
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = criterion(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 10 == 0:
            print(f"  epoch {epoch + 1}: {loss.item():.4f}")


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(30)
    first, second = [0, 1, 2, 3, 4, 5, 6], [7, 8, 9]
    net = Net(len(first))
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)

    known, known_test = split(first)
    print("first task")
    train(net, optimizer, *known, epochs=10)
    print(f"  accuracy {accuracy(net, *known_test):.3f}")

    new, new_test = split(second)
    for p in net.features.parameters():
        p.requires_grad = False
    net.head = nn.Linear(net.head.in_features, len(second))
    print("second task")
    train(net, optimizer, *new, epochs=30)
    print(f"metric: {accuracy(net, *new_test):.4f}")


if __name__ == "__main__":
    main()
