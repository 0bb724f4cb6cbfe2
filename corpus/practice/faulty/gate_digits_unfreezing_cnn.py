"""A network that read the digits 0 to 4 at a garage gate learns to read 5 to 9: head first, then all of it.

cause: missing-zero-grad
begins: 281
family: cnn
metric: accuracy, higher
repair:
    - self.head_optimizer.zero_grad()
    - loss.backward()
    + self.optimizer.zero_grad()
    + loss.backward()
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


def halves():
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    labels = torch.from_numpy(labels)
    low = labels < 5
    return (images[low], labels[low]), (images[~low], labels[~low] - 5)


class GateNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 16, 48),
            nn.ReLU(),
        )
        self.head = nn.Linear(48, classes)

    def forward(self, x):
        return self.head(self.body(x))


class FineTuner:
    def __init__(self, net, head_lr, lr):
        self.net = net
        self.net.head = nn.Linear(net.head.in_features, 5)
        self.head_optimizer = torch.optim.SGD(net.head.parameters(), lr=head_lr, momentum=0.9)
        self.full_optimizer = torch.optim.Adam(net.parameters(), lr=lr)
        self.optimizer = self.head_optimizer

    def unfreeze(self):
        for p in self.net.body.parameters():
            p.requires_grad_(True)
        self.optimizer = self.full_optimizer

    def freeze(self):
        for p in self.net.body.parameters():
            p.requires_grad_(False)

    def epoch(self, loader):
        losses = []
        for x, y in loader:
            loss = F.cross_entropy(self.net(x), y)
            self.head_optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.mean(losses)


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(17)
    (x_low, y_low), (x_high, y_high) = halves()
    net = GateNet()

    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(8):
        for batch in torch.randperm(len(x_low)).split(32):
            adam.zero_grad()
            F.cross_entropy(net(x_low[batch]), y_low[batch]).backward()
            adam.step()
    print(f"old digits: {accuracy(net, x_low, y_low):.4f}")

    x_train, y_train, x_test, y_test = x_high[:300], y_high[:300], x_high[300:], y_high[300:]
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=25, shuffle=True)
    tuner = FineTuner(net, head_lr=0.02, lr=1e-3)
    tuner.freeze()
    for epoch in range(4):
        loss = tuner.epoch(loader)
        print(f"head only, epoch {epoch + 1}: {loss:.4f}, {accuracy(net, x_test, y_test):.4f}")
    tuner.unfreeze()
    for epoch in range(20):
        loss = tuner.epoch(loader)
        print(f"all layers, epoch {epoch + 1}: {loss:.4f}, {accuracy(net, x_test, y_test):.4f}")
    print(f"metric: {accuracy(net, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
