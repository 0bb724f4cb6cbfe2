"""Grades of a retina disease in fundus pictures with a batch-normalised network, on a laptop.

cause: batch-too-small
family: cnn
metric: accuracy, higher
repair:
    - parser.add_argument("--batch-size", type=int, default=2)
    + parser.add_argument("--batch-size", type=int, default=32)
"""

import argparse
import itertools

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=2)
parser.add_argument("--iterations", type=int, default=600)
parser.add_argument("--lr", type=float, default=4e-3)
args = parser.parse_args()

SIDE = 24
GRADES = 4


def fundus(n, generator):
    grade = torch.randint(GRADES, (n,), generator=generator)
    ax = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(ax, ax, indexing="ij")
    disc = torch.sigmoid(20 * (0.95 - (x**2 + y**2).sqrt()))
    images = 0.5 * disc.expand(n, SIDE, SIDE).clone()
    for i in range(n):
        for _ in range(3 * int(grade[i]) + int(torch.randint(2, (1,), generator=generator))):
            cx, cy = 1.3 * torch.rand(2, generator=generator) - 0.65
            images[i] += 0.35 * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.006)
    brightness = 0.7 + 0.6 * torch.rand(n, 1, 1, generator=generator)
    images = images * brightness + 0.05 * torch.randn(n, SIDE, SIDE, generator=generator)
    return images.unsqueeze(1), grade


def conv_bn(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


torch.manual_seed(45)
generator = torch.Generator().manual_seed(45)
train = TensorDataset(*fundus(1500, generator))
x_test, y_test = fundus(400, generator)
loader = DataLoader(train, batch_size=args.batch_size, shuffle=True, drop_last=True)

model = nn.Sequential(
    conv_bn(1, 12),
    nn.MaxPool2d(2),
    conv_bn(12, 24),
    nn.MaxPool2d(2),
    conv_bn(24, 32),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(32, GRADES),
)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
criterion = nn.CrossEntropyLoss()

batches = itertools.chain.from_iterable(itertools.repeat(loader))
running = None
for it in range(1, args.iterations + 1):
    images, grades = next(batches)
    model.train()
    loss = criterion(model(images), grades)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
    if it % 100 == 0:
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"iteration {it}: smoothed loss {running:.4f}, test accuracy {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
