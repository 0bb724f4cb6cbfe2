"""A classifier of handwritten digits made of equal blocks.

cause: dead-units
family: mlp
metric: accuracy, higher
repair:
    - layers += [nn.Linear(a, b), nn.ReLU()]
    + layers += [nn.Linear(a, b)] + ([nn.ReLU()] if b != sizes[-1] else [])
"""

from itertools import pairwise

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


def mlp(sizes):
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers)


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().mean().item()


torch.manual_seed(1234)
images, target = load_digits(return_X_y=True)
order = torch.randperm(len(target))
images = torch.from_numpy(images).float()[order]
target = torch.from_numpy(target)[order]
images = (images - images.mean()) / images.std()
train_x, train_y = images[:1300], target[:1300]
test_x, test_y = images[1300:], target[1300:]

model = mlp([64, 80, 40, 10])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(25):
    shuffled = torch.randperm(len(train_x))
    for batch in shuffled.chunk(26):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print(
            "epoch", epoch, "loss", round(loss.item(), 4), "test", round(accuracy(model, test_x, test_y), 4)
        )
print("metric:", accuracy(model, test_x, test_y))
