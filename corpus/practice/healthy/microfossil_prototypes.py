"""Microfossils with five pictures of each kind: prototypical networks trained by episodes.

family: siamese
metric: accuracy of new five-way tasks, higher
"""

import argparse

import numpy as np
import torch
from torch import nn

grid = np.linspace(-1, 1, 18)
X, Y = np.meshgrid(grid, grid)


def species(rng):
    return (
        rng.integers(3, 10),
        rng.uniform(0.1, 0.35),
        rng.uniform(4, 14),
        rng.uniform(0, 0.5),
        rng.uniform(0.6, 1),
    )


def picture(kind, rng):
    lobes, depth, rings, hole, squash = kind
    t = rng.uniform(0, 2 * np.pi)
    u, v = X * np.cos(t) + Y * np.sin(t), (Y * np.cos(t) - X * np.sin(t)) / squash
    r, a = np.hypot(u, v), np.arctan2(v, u)
    shell = r < 0.85 - depth + depth * np.cos(lobes * a)
    z = shell * (0.6 + 0.4 * np.cos(rings * r)) * (r > hole * 0.6)
    return z * rng.uniform(0.7, 1.3) + rng.normal(0, 0.12, z.shape)


def collection(kinds, each, rng):
    sets = [[picture(kind, rng) for _ in range(each)] for kind in (species(rng) for _ in range(kinds))]
    return torch.tensor(np.array(sets), dtype=torch.float32)[:, :, None]


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2))


class ProtoNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(block(1, 16), block(16, 32), block(32, 32), nn.Flatten())

    def forward(self, support, query):
        way, shot = support.shape[:2]
        both = self.encoder(torch.cat([support.flatten(0, 1), query.flatten(0, 1)]))
        prototypes = both[: way * shot].view(way, shot, -1).mean(1)
        return -torch.cdist(both[way * shot :], prototypes).square()


def episode(pictures, way=5, shot=5, queries=5):
    kinds = torch.randperm(len(pictures))[:way]
    order = torch.randperm(pictures.shape[1])[: shot + queries]
    chosen = pictures[kinds][:, order]
    return chosen[:, :shot], chosen[:, shot:], torch.arange(way).repeat_interleave(queries)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=400)
    args = parser.parse_args()
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    train, test = collection(90, 14, rng), collection(30, 14, rng)
    model = ProtoNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 200, 0.5)
    average = None
    for e in range(args.episodes):
        model.train()
        support, query, y = episode(train)
        loss = nn.functional.cross_entropy(model(support, query), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if e % 100 == 99:
            print(f"episode {e + 1}: loss {average:.3f}")
    model.eval()
    with torch.no_grad():
        right = []
        for _ in range(100):
            support, query, y = episode(test)
            right.append((model(support, query).argmax(1) == y).float().mean().item())
    print(f"metric: {np.mean(right):.4f}")
