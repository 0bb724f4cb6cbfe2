"""Five weaves of carpet, told apart on small grey patches.

cause: missing-activation
family: cnn
metric: accuracy, higher
repair:
    - nn.BatchNorm2d(c_out),
    + nn.BatchNorm2d(c_out),
    + nn.LeakyReLU(0.1),
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WEAVES = [(0.9, 0.0), (0.0, 0.9), (0.7, 0.7), (0.7, -0.7), (1.3, 1.3)]


def patches(count, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:20, 0:20]
    label = rng.integers(0, len(WEAVES), count)
    out = np.empty((count, 1, 20, 20), dtype=np.float32)
    for i, k in enumerate(label):
        fy, fx = np.array(WEAVES[k]) * rng.uniform(0.85, 1.15)
        thread = np.sin(fy * y + fx * x + rng.uniform(0, 2 * np.pi))
        out[i, 0] = rng.uniform(0.5, 1.0) * thread + rng.normal(0, 0.6, (20, 20))
    return TensorDataset(torch.from_numpy(out), torch.from_numpy(label))


def block(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
    )


class WeaveNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.block1 = block(1, width)
        self.block2 = block(width, 2 * width)
        self.block3 = block(2 * width, 2 * width)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(2 * width, len(WEAVES))

    def forward(self, x):
        x = self.pool(self.block1(x))
        x = self.pool(self.block2(x))
        x = self.block3(x)
        return self.head(x.mean(dim=(-2, -1)))


def accuracy(net, loader):
    net.eval()
    with torch.no_grad():
        hits = [(net(x).argmax(1) == y) for x, y in loader]
    return torch.cat(hits).float().mean().item()


torch.manual_seed(51)
train_loader = DataLoader(patches(2400, 51), batch_size=64, shuffle=True)
test_loader = DataLoader(patches(600, 52), batch_size=200)
net = WeaveNet()
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=5e-3, total_steps=10 * len(train_loader))
for epoch in range(10):
    net.train()
    losses = []
    for x, y in train_loader:
        loss = nn.functional.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: train loss {np.mean(losses):.3f}, test accuracy {accuracy(net, test_loader):.3f}")
print(f"metric: {accuracy(net, test_loader):.4f}")
