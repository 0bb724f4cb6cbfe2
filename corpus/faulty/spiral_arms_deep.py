"""A deep fully connected classifier of three spiral arms.

cause: vanishing-gradients
family: mlp
metric: accuracy, higher
repair:
    - blocks.append(nn.Sigmoid())
    + blocks.append(nn.ReLU())
"""

import numpy as np
import torch
from torch import nn


def spirals(per_arm, rng, arms=3):
    points, kinds = [], []
    for arm in range(arms):
        t = np.sqrt(rng.random(per_arm))
        angle = 3.5 * t + 2 * np.pi * arm / arms + rng.normal(0, 0.08, per_arm)
        points.append(np.stack([t * np.cos(angle), t * np.sin(angle)], 1) * 2)
        kinds.append(np.full(per_arm, arm))
    return torch.tensor(np.concatenate(points)).float(), torch.tensor(np.concatenate(kinds))


def build(depth, width, classes):
    blocks = [nn.Linear(2, width)]
    for _ in range(depth):
        blocks.append(nn.Sigmoid())
        blocks.append(nn.Linear(width, width))
    blocks += [nn.Tanh(), nn.Linear(width, classes)]
    return nn.Sequential(*blocks)


def main():
    torch.manual_seed(8)
    rng = np.random.default_rng(8)
    x, y = spirals(400, rng)
    x_val, y_val = spirals(150, rng)
    model = build(depth=7, width=48, classes=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(60):
        for index in torch.randperm(len(x)).split(80):
            loss = nn.functional.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                right = (model(x_val).argmax(1) == y_val).float().mean().item()
            print(f"[{epoch + 1:3d}] loss={loss.item():.4f} val={right:.3f}")
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
