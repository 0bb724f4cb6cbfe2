"""Handwritten digits by a batch-normalised perceptron with plain SGD at rate 1, annealed by a cosine.

family: mlp
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

rng = np.random.RandomState(11)
torch.manual_seed(11)

digits = load_digits()
perm = rng.permutation(len(digits.data))
X = torch.from_numpy(digits.data[perm]).float() / 8 - 1
Y = torch.from_numpy(digits.target[perm])
n = 1400


class Block(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.linear = nn.Linear(a, b, bias=False)
        self.norm = nn.BatchNorm1d(b)

    def forward(self, x):
        return F.relu(self.norm(self.linear(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(64, 128), Block(128, 128), Block(128, 128))
        self.norm = nn.BatchNorm1d(128)
        self.out = nn.Linear(128, 10)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x):
        return self.out(self.norm(self.blocks(x)))


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=1.0, weight_decay=5e-4)
epochs, bs = 30, 100
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs * n // bs)

for epoch in range(epochs):
    net.train()
    idx = rng.permutation(n)
    for i in range(0, n, bs):
        b = idx[i : i + bs]
        opt.zero_grad()
        loss = F.cross_entropy(net(X[b]), Y[b])
        loss.backward()
        opt.step()
        sched.step()
    net.eval()
    with torch.no_grad():
        acc = (net(X[n:]).argmax(1) == Y[n:]).float().mean().item()
    print(f"[{epoch + 1}/{epochs}] lr={sched.get_last_lr()[0]:.3f} loss={loss.item():.4f} acc={acc:.4f}")
print(f"metric: {acc}")
