"""A small convolutional network that names drawn shapes, with micro-batches gathered into larger ones.

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - optimizer.step()
    + optimizer.step()
    + optimizer.zero_grad(set_to_none=True)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE = 16
MICRO_BATCH = 16
GATHER = 4
STEPS = 250

rng = np.random.default_rng(3)
torch.manual_seed(3)


def draw(kind):
    yy, xx = np.mgrid[0:SIZE, 0:SIZE]
    cy, cx = rng.uniform(6, 10, 2)
    r = rng.uniform(3, 5)
    dy, dx = yy - cy, xx - cx
    if kind == 0:  # disc
        img = dy**2 + dx**2 < r**2
    elif kind == 1:  # square
        img = np.maximum(abs(dy), abs(dx)) < r * 0.9
    elif kind == 2:  # cross
        img = (np.minimum(abs(dy), abs(dx)) < 1.1) & (np.maximum(abs(dy), abs(dx)) < r)
    else:  # ring
        d = np.sqrt(dy**2 + dx**2)
        img = abs(d - r) < 1.1
    return img.astype(np.float32) + rng.normal(0, 0.35, (SIZE, SIZE)).astype(np.float32)


def make(n):
    kinds = rng.integers(0, 4, n)
    images = np.stack([draw(k) for k in kinds])[:, None]
    return torch.from_numpy(images), torch.from_numpy(kinds)


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.out = nn.Linear(24 * 4 * 4, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.out(x.flatten(1))


x_train, y_train = make(3000)
x_test, y_test = make(800)

net = ShapeNet()
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
optimizer.zero_grad()
running = 0.0
for i in range(STEPS * GATHER):
    pick = torch.randint(len(x_train), (MICRO_BATCH,))
    loss = F.cross_entropy(net(x_train[pick]), y_train[pick]) / GATHER
    loss.backward()
    running += loss.item()
    if (i + 1) % GATHER == 0:
        optimizer.step()
        if (i + 1) % (GATHER * 50) == 0:
            print(f"step {(i + 1) // GATHER:4d}: loss {running / 50:.4f}")
            running = 0.0

with torch.no_grad():
    accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric: {accuracy:.4f}")
