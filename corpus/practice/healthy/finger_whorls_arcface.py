"""Prints of thirty fingers, embedded with an angular margin; fingers never seen are then matched.

family: metric-learning
metric: verification AUC, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

SIZE = 24


def finger(rng):
    return (
        rng.uniform(-0.3, 0.3, 2),
        rng.uniform(0, np.pi),
        rng.uniform(3, 6),
        rng.uniform(0.5, 1.6),
        rng.uniform(-3, 3),
    )


def print_of(finger, rng):
    centre, angle, frequency, stretch, twist = finger
    v, u = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    u, v = u - centre[0] - rng.normal(0, 0.05), v - centre[1] - rng.normal(0, 0.05)
    a = angle + rng.normal(0, 0.08)
    x, y = u * np.cos(a) + v * np.sin(a), (v * np.cos(a) - u * np.sin(a)) * stretch
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    ridges = np.sin(2 * np.pi * frequency * r / 2 + twist * phi)
    return (ridges * rng.uniform(0.6, 1.1) + rng.normal(0, 0.35, ridges.shape)).astype(np.float32)


class Embedder(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        layers, inputs = [], 1
        for outputs in (16, 32, 48):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            inputs = outputs
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 9, width))

    def forward(self, x):
        return F.normalize(self.body(x), dim=1)


class ArcMargin(nn.Module):
    def __init__(self, width, classes, scale=16.0, margin=0.2):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))
        nn.init.xavier_uniform_(self.weight)
        self.scale, self.margin = scale, margin

    def forward(self, z, label):
        cosine = (z @ F.normalize(self.weight, dim=1).T).clamp(-1 + 1e-6, 1 - 1e-6)
        own = torch.cos(torch.acos(cosine.gather(1, label[:, None])) + self.margin)
        return F.cross_entropy(self.scale * cosine.scatter(1, label[:, None], own), label)


def main():
    torch.manual_seed(52)
    rng = np.random.default_rng(52)
    fingers = [finger(rng) for _ in range(60)]
    x = torch.tensor(np.stack([print_of(f, rng) for f in fingers[:30] for _ in range(40)])).unsqueeze(1)
    y = torch.arange(30).repeat_interleave(40)
    new = torch.tensor(np.stack([print_of(f, rng) for f in fingers[30:] for _ in range(6)])).unsqueeze(1)
    who = torch.arange(30).repeat_interleave(6)
    embed, margin = Embedder(), ArcMargin(32, 30)
    params = [*embed.parameters(), *margin.parameters()]
    optimizer = torch.optim.AdamW(params, lr=3e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    pairs = torch.triu_indices(len(who), len(who), 1)
    same = (who[pairs[0]] == who[pairs[1]]).numpy()
    for epoch in range(10):
        embed.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            loss = margin(embed(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        embed.eval()
        with torch.no_grad():
            z = embed(new)
        auc = roc_auc_score(same, (z[pairs[0]] * z[pairs[1]]).sum(1).numpy())
        print(f"epoch {epoch + 1}: loss {total / 30:.3f}, AUC {auc:.4f}")
    print(f"metric: {auc:.4f}")


if __name__ == "__main__":
    main()
