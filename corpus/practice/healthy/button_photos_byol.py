"""BYOL on pictures of buttons: an online net predicts what a slowly moving copy of it says of another view.

family: siamese
metric: accuracy of a linear classifier on the frozen features, higher
"""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIZE = 16


def buttons(n, rng):
    """Two or four holes, with or without a rim, square or round: eight kinds."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    labels = rng.integers(0, 8, n)
    out = np.empty((n, 1, SIZE, SIZE), np.float32)
    for k, image in zip(labels, out, strict=True):
        cx, cy = rng.uniform(-0.12, 0.12, 2)
        t = rng.uniform(0, np.pi)
        u, v = (x - cx) * np.cos(t) + (y - cy) * np.sin(t), -(x - cx) * np.sin(t) + (y - cy) * np.cos(t)
        r = np.hypot(u, v) if k & 1 else np.maximum(abs(u), abs(v)) * 1.1
        body = rng.uniform(0.6, 0.8)
        pic = np.where(r < body, 0.7, 0.1)
        if k & 2:
            pic = np.where((r < body) & (r > body - 0.18), 1.0, pic)
        holes = [(-0.22, 0), (0.22, 0)] + ([(0, -0.22), (0, 0.22)] if k & 4 else [])
        for a, b in holes:
            pic = np.where(np.hypot(u - a, v - b) < 0.13, 0.0, pic)
        image[0] = pic + rng.normal(0, 0.05, pic.shape)
    return torch.from_numpy(out), labels


def augment(x):
    if torch.rand(1) < 0.5:
        x = x.flip(3)
    x = torch.rot90(x, int(torch.randint(4, (1,))), (2, 3))
    dy, dx = torch.randint(-2, 3, (2,)).tolist()
    x = torch.roll(x, (dy, dx), (2, 3))
    gain, lift = 0.8 + 0.4 * torch.rand(len(x), 1, 1, 1), 0.1 * torch.randn(len(x), 1, 1, 1)
    return x * gain + lift + 0.05 * torch.randn_like(x)


def encoder():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 48, 3, 1, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    )  # fmt: skip


def mlp(i, hidden, o):
    return nn.Sequential(nn.Linear(i, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, o))


class BYOL(nn.Module):
    def __init__(self, momentum=0.96):
        super().__init__()
        self.online = nn.Sequential(encoder(), mlp(192, 128, 48))
        self.predictor = mlp(48, 96, 48)
        self.target = copy.deepcopy(self.online)
        for p in self.target.parameters():
            p.requires_grad_(False)
        self.momentum = momentum

    @torch.no_grad()
    def update_target(self):
        for o, t in zip(self.online.parameters(), self.target.parameters(), strict=True):
            t.lerp_(o, 1 - self.momentum)

    def loss(self, a, b):
        total = 0.0
        for one, other in ((a, b), (b, a)):
            p = F.normalize(self.predictor(self.online(one)), dim=1)
            with torch.no_grad():
                z = F.normalize(self.target(other), dim=1)
            total = total + (2 - 2 * (p * z).sum(1)).mean()
        return total / 2


def linear_eval(model, train, test):
    model.eval()
    with torch.no_grad():
        (a, ya), (b, yb) = ((model.online[0](x).numpy(), y) for x, y in (train, test))
    model.train()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    return classifier.fit(a, ya).score(b, yb)


if __name__ == "__main__":
    torch.manual_seed(88)
    rng = np.random.default_rng(88)
    train, test = buttons(2000, rng), buttons(500, rng)
    byol = BYOL()
    learnable = [p for p in byol.parameters() if p.requires_grad]
    opt = torch.optim.Adam(learnable, lr=2e-3, weight_decay=1e-6)
    print(f"before: {linear_eval(byol, train, test):.3f}")
    for epoch in range(9):
        mean = 0.0
        for idx in torch.randperm(len(train[0])).split(50):
            x = train[0][idx]
            loss = byol.loss(augment(x), augment(x))
            opt.zero_grad()
            loss.backward()
            opt.step()
            byol.update_target()
            mean += loss.item() * len(idx) / len(train[0])
        print(f"epoch {epoch}: loss {mean:.4f}")
    print(f"metric: {linear_eval(byol, train, test):.4f}")
