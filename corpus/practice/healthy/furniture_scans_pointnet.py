"""PointNet on scans of furniture: tables, chairs, shelves, lamps and beds as clouds of 96 points.

family: pointnet
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

NAMES = ["table", "chair", "shelf", "lamp", "bed"]


def box(rng, n, low, high):
    return rng.uniform(low, high, (n, 3))


def legs(rng, n, w, d, h):
    corner = rng.choice([-1, 1], (n, 2)) * [w, d]
    return np.column_stack([corner + rng.normal(0, 0.02, (n, 2)), rng.uniform(0, h, n)])


def scan(kind, rng, n=96):
    w, d, h = rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.6), rng.uniform(0.5, 0.9)
    if kind == 0:
        points = [box(rng, 60, [-w, -d, h], [w, d, h + 0.05]), legs(rng, 36, w, d, h)]
    elif kind == 1:
        h = h * 0.6
        points = [box(rng, 35, [-0.3, -0.3, h], [0.3, 0.3, h + 0.05]), legs(rng, 26, 0.3, 0.3, h)]
        points.append(box(rng, 35, [-0.3, 0.27, h], [0.3, 0.33, 2 * h + 0.2]))
    elif kind == 2:
        heights = rng.choice(np.linspace(0, 2 * h, 4), 66)
        boards = box(rng, 66, [-w, -0.15, 0], [w, 0.15, 0.04]) + np.column_stack(
            [0 * heights, 0 * heights, heights]
        )
        points = [boards, legs(rng, 30, w, 0.15, 2 * h)]
    elif kind == 3:
        angle = rng.uniform(0, 2 * np.pi, 60)
        shade = np.column_stack(
            [0.25 * np.cos(angle), 0.25 * np.sin(angle), 2 * h + rng.uniform(-0.15, 0.15, 60)]
        )
        points = [shade, box(rng, 36, [-0.03, -0.03, 0], [0.03, 0.03, 2 * h])]
    else:
        points = [box(rng, 60, [-w, -1, 0.3], [w, 1, 0.5]), box(rng, 36, [-w, 0.95, 0], [w, 1.05, h])]
    cloud = np.concatenate(points)[rng.permutation(n)]
    a = rng.uniform(0, 2 * np.pi)
    cloud[:, :2] = cloud[:, :2] @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    cloud = cloud - cloud.mean(0)
    return cloud / np.abs(cloud).max() + rng.normal(0, 0.09, (n, 3))


def scans(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 5, n)
    return torch.tensor(np.stack([scan(k, rng) for k in kinds]), dtype=torch.float32), torch.tensor(kinds)


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv1d(3, 32, 1), nn.Conv1d(32, 64, 1), nn.Conv1d(64, 96, 1)
        self.na, self.nb, self.nc = nn.BatchNorm1d(32), nn.BatchNorm1d(64), nn.BatchNorm1d(96)
        self.fc1, self.fc2 = nn.Linear(96, 48), nn.Linear(48, 5)
        self.dropout = nn.Dropout(0.3)

    def forward(self, cloud):
        x = cloud.transpose(1, 2)
        x = F.relu(self.na(self.a(x)))
        x = F.relu(self.nb(self.b(x)))
        x = self.nc(self.c(x)).amax(2)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


def main():
    torch.manual_seed(14)
    x, y = scans(1200, 1)
    x_test, y_test = scans(500, 2)
    net = PointNet()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    sched = torch.optim.lr_scheduler.StepLR(opt, 5, 0.5)
    for epoch in range(11):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item()
        sched.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
        print(f"{epoch:2d} loss {total / 30:.4f} test {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
