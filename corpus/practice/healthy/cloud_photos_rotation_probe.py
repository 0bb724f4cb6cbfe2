"""Cloud kinds from few labels: a net first learns to tell rotations, then only a head is trained on it.

family: cnn
metric: accuracy, higher
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

S = 20


def cloud(kind, rng):
    y, x = np.mgrid[0:S, 0:S].astype(np.float32) / S
    sky = 0.55 + 0.35 * (1 - y)  # darker towards the horizon
    if kind == 0:  # cumulus: flat bottom, round tops
        base = rng.uniform(0.5, 0.8)
        for _ in range(rng.integers(2, 5)):
            cx, r = rng.uniform(0.2, 0.8), rng.uniform(0.12, 0.25)
            sky[((x - cx) ** 2 + (y - base) ** 2 < r * r) & (y < base)] = 1.3
    elif kind == 1:  # stratus: a low band
        top = rng.uniform(0.4, 0.7)
        sky += 0.5 / (1 + np.exp(-(y - top - 0.03 * np.sin(9 * x + rng.uniform(0, 6))) * 30))
    elif kind == 2:  # cirrus: thin hooked streaks, high up
        for _ in range(rng.integers(3, 6)):
            a, b = rng.uniform(0, 0.4), rng.uniform(-0.3, 0.1)
            sky += 0.5 * np.exp(-(((y - a - b * x - 0.4 * x**3) / 0.03) ** 2))
    else:  # rain cloud: dark, with fall streaks below
        base = rng.uniform(0.25, 0.45)
        sky[y < base] *= 0.6
        sky -= 0.15 * (y > base) * (np.sin(40 * (x + 0.2 * y) + rng.uniform(0, 6)) > 0.3)
    return sky + rng.normal(0, 0.25, sky.shape)


def album(n, rng):
    kinds = rng.integers(0, 4, n)
    pictures = np.stack([cloud(k, rng) for k in kinds]).astype(np.float32)
    return torch.from_numpy((pictures[:, None] - 0.75) / 0.3), torch.from_numpy(kinds)


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [1, 16, 32, 48]
        layers = []
        for i, o in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(i, o, 3, padding=1, bias=False),
                nn.BatchNorm2d(o),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten())

    def forward(self, x):
        return self.layers(x)


rng = np.random.default_rng(5)
torch.manual_seed(5)
unlabelled, _ = album(2000, rng)
labelled, labels = album(120, rng)
test_x, test_y = album(800, rng)

backbone, rotation_head = Backbone(), nn.Linear(48 * 4, 4)
optimizer = torch.optim.Adam([*backbone.parameters(), *rotation_head.parameters()], lr=1e-3)
for epoch in range(5):
    seen = right = 0
    for index in torch.randperm(len(unlabelled)).split(32):
        turn = torch.randint(0, 4, (len(index),))
        x = torch.stack(
            [torch.rot90(p, int(t), (1, 2)) for p, t in zip(unlabelled[index], turn, strict=True)]
        )
        out = rotation_head(backbone(x))
        loss = cross_entropy(out, turn)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (out.argmax(1) == turn).sum().item()
        seen += len(index)
    print(f"pretext epoch {epoch}: rotation accuracy {right / seen:.3f}")

for p in backbone.parameters():
    p.requires_grad = False
backbone.eval()
probe = nn.Linear(48 * 4, 4)
optimizer = torch.optim.SGD(probe.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
for epoch in range(40):
    for index in torch.randperm(len(labelled)).split(20):
        with torch.no_grad():
            features = backbone(labelled[index])
        loss = cross_entropy(probe(features), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        with torch.no_grad():
            accuracy = (probe(backbone(test_x)).argmax(1) == test_y).float().mean().item()
        print(f"probe epoch {epoch + 1}: loss {loss.item():.3f}, test accuracy {accuracy:.3f}")
print(f"metric: {accuracy:.4f}")
