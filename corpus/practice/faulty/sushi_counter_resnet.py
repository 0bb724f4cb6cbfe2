"""What lies on a plate of the conveyor belt; a small residual network on drawn pictures.

cause: momentum-too-high
family: cnn
metric: accuracy, higher
repair:
    - opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.998)
    + opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

rng = np.random.default_rng(77)
torch.manual_seed(77)
H = 16
yy, xx = np.mgrid[0:H, 0:H]


def plate(kind):
    img = np.zeros((3, H, H))
    cy, cx = rng.uniform(6, 10, 2)
    r = np.hypot(yy - cy, xx - cx)
    img[:, r < 7] = 0.35
    a = rng.uniform(0, np.pi)
    u = (xx - cx) * np.cos(a) + (yy - cy) * np.sin(a)
    v = -(xx - cx) * np.sin(a) + (yy - cy) * np.cos(a)
    rice = (np.abs(u) < 5) & (np.abs(v) < 2.2)
    salmon, tuna = (0.9, 0.5, 0.3), (0.75, 0.25, 0.3)
    if kind in (0, 1):  # nigiri
        img[:, rice] = 0.9
        top = (np.abs(u) < 5) & (np.abs(v) < 1.4)
        img[:, top] = np.array(salmon if kind == 0 else tuna)[:, None]
    elif kind in (2, 3):  # maki
        img[:, r < 4.5] = 0.08
        img[:, r < 3.4] = 0.9
        img[:, r < 1.6] = np.array(salmon if kind == 2 else (0.35, 0.7, 0.3))[:, None]
    elif kind == 4:  # omelette
        img[:, rice] = np.array((0.9, 0.8, 0.35))[:, None]
        img[:, rice & (np.abs(u) < 0.8)] = 0.08
    else:  # empty plate with a blot of sauce
        blot = np.hypot(yy - cy - rng.normal(0, 2), xx - cx - rng.normal(0, 2)) < 2
        img[:, blot] = 0.15
    return img + rng.normal(0, 0.16, img.shape) + rng.normal(0, 0.08, (3, 1, 1))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn_a = nn.BatchNorm2d(c)
        self.b = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn_b = nn.BatchNorm2d(c)

    def forward(self, x):
        h = F.relu(self.bn_a(self.a(x)))
        return F.relu(x + self.bn_b(self.b(h)))


net = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.ReLU(),
    Residual(16),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    Residual(32),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(32, 6),
)
kinds = rng.integers(0, 6, 2600)
X = torch.tensor(np.stack([plate(k) for k in kinds]), dtype=torch.float32)
X = (X - X.mean((0, 2, 3), keepdim=True)) / X.std((0, 2, 3), keepdim=True)
Y = torch.tensor(kinds)
Xtr, Ytr, Xte, Yte = X[:2000], Y[:2000], X[2000:], Y[2000:]

opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.998)
for epoch in range(8):
    net.train()
    tot = 0
    for b in torch.randperm(2000).split(40):
        opt.zero_grad()
        out = net(Xtr[b])
        loss = F.cross_entropy(out, Ytr[b])
        loss.backward()
        opt.step()
        tot += loss.item() * len(b)
    net.eval()
    with torch.no_grad():
        acc = (net(Xte).argmax(1) == Yte).float().mean().item()
    print("epoch", epoch, "train loss", round(tot / 2000, 4), "test acc", round(acc, 4))
print("metric:", round(acc, 4))
