"""Drawn road signs, a small residual network with batch normalisation.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - loss_sum = 0.0
    + model.train()
    + loss_sum = 0.0
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

SIZE = 20
torch.manual_seed(4)


def draw(count):
    ys, xs = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    labels = torch.randint(0, 8, (count,))
    images = torch.rand(count, 3, 1, 1) * 0.5 + 0.15 * torch.rand(count, 3, SIZE, SIZE)
    for i, label in enumerate(labels.tolist()):
        cx, cy = (torch.rand(2) - 0.5).tolist()
        r = 0.4 + 0.3 * torch.rand(1).item()
        shape, bar = label % 4, label // 4
        x, y = xs - cx, ys - cy
        sides = (3, 4, 8, 64)[shape]
        angle = torch.atan2(y, x) + math.pi / 2 + 0.2 * (torch.rand(1).item() - 0.5)
        sector = 2 * math.pi / sides
        radius = (x**2 + y**2).sqrt() * torch.cos((angle % sector) - sector / 2) / math.cos(sector / 2)
        inside = radius < r
        rim = inside & (radius > 0.7 * r)
        images[i, :, inside] = 0.75 + 0.2 * torch.rand(1)
        images[i, 0, rim], images[i, 1, rim], images[i, 2, rim] = 0.7, 0.15, 0.15
        if bar:
            images[i, :, inside & (y.abs() < 0.2 * r)] = 0.1
    return (images + 0.08 * torch.randn(count, 3, SIZE, SIZE)).clamp(0, 1), labels


class Block(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.skip = nn.Identity()
        if stride != 1 or cin != cout:
            self.skip = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.skip(x))


model = nn.Sequential(
    nn.Conv2d(3, 12, 3, 1, 1, bias=False),
    nn.BatchNorm2d(12),
    nn.ReLU(),
    Block(12, 12, 2),
    Block(12, 24, 2),
    Block(24, 24),
    Block(24, 48, 2),
    Block(48, 48),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(48, 8),
)

train_x, train_y = draw(2400)
test_x, test_y = draw(800)


def accuracy(x, y):
    model.eval()
    with torch.no_grad():
        guesses = torch.cat([model(part).argmax(1) for part in x.split(200)])
    return (guesses == y).float().mean().item()


print(f"untrained: {accuracy(test_x, test_y):.3f}")
optimizer = torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)

for epoch in range(8):
    loss_sum = 0.0
    for batch in torch.randperm(len(train_x)).split(64):
        loss = F.cross_entropy(model(train_x[batch]), train_y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(batch)
    scheduler.step()
    print(f"epoch {epoch}: loss {loss_sum / len(train_x):.4f}, test {accuracy(test_x, test_y):.3f}")

print(f"metric: {accuracy(test_x, test_y):.4f}")
