"""A net of three stages with three candidates each; every batch goes one random way, the best way is kept.

family: cnn
metric: accuracy of the way chosen on validation digits, higher
"""

import itertools
import random

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

random.seed(3)
torch.manual_seed(3)
data = load_digits()
order = torch.randperm(len(data.target))
x = (torch.tensor(data.images, dtype=torch.float32)[order, None] / 16 - 0.3) / 0.37
y = torch.tensor(data.target)[order]
(x_train, x_valid, x_test), (y_train, y_valid, y_test) = x.split([1200, 300, 297]), y.split([1200, 300, 297])


def conv(a, b, size, stride, groups=1):
    return nn.Sequential(
        nn.Conv2d(a, b, size, stride, size // 2, groups=groups, bias=False), nn.GroupNorm(4, b), nn.ReLU()
    )


def candidates(a, b, stride):
    return nn.ModuleList([conv(a, b, 1, stride), conv(a, b, 3, stride), conv(a, b, 5, stride, groups=4)])


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(1, 16, 3, 1)
        self.stages = nn.ModuleList([candidates(16, 24, 2), candidates(24, 32, 1), candidates(32, 48, 2)])
        self.head = nn.Linear(48 * 4, 10)

    def forward(self, x, way):
        x = self.stem(x)
        for stage, choice in zip(self.stages, way, strict=True):
            x = stage[choice](x)
        return self.head(x.flatten(1))


net = Supernet()
epochs = 24
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)


def score(way, x, y):
    with torch.no_grad():
        return (net(x, way).argmax(1) == y).float().mean().item()


for epoch in range(epochs):
    for rows in torch.randperm(len(x_train)).split(50):
        way = [random.randrange(3) for _ in range(3)]
        loss = F.cross_entropy(net(x_train[rows], way), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f} middle way {score((1, 1, 1), x_valid, y_valid):.4f}")

best = max(itertools.product(range(3), repeat=3), key=lambda way: score(way, x_valid, y_valid))
print("chosen way", best)
print("metric:", score(best, x_test, y_test))
