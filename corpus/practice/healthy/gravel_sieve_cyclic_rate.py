"""The grain size of gravel on a conveyor, regressed from pictures under a triangular cyclic learning rate.

family: cnn
metric: R squared, higher
"""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR


def heap(rng, size=24):
    """Overlapping stones, the log of whose mean radius is asked for."""
    y, x = np.mgrid[0:size, 0:size]
    log_r = rng.uniform(np.log(1.2), np.log(5))
    img = np.full((size, size), 0.2)
    for _ in range(int(500 / np.exp(log_r) ** 2) + 6):
        r = np.exp(log_r + rng.normal(0, 0.25))
        cx, cy = rng.uniform(0, size, 2)
        d = ((x - cx) / r) ** 2 + ((y - cy) / (r * rng.uniform(0.7, 1))) ** 2
        stone = d < 1
        img[stone] = rng.uniform(0.4, 0.9) * (1 - 0.4 * d[stone])
    return img + rng.normal(0, 0.05, img.shape), log_r


def dataset(n, rng):
    pairs = [heap(rng) for _ in range(n)]
    x = torch.tensor(np.stack([p[0] for p in pairs]), dtype=torch.float32).unsqueeze(1)
    y = torch.tensor([p[1] for p in pairs], dtype=torch.float32)
    return (x - 0.5) / 0.25, y


class GrainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 3, padding=1)
        self.c2 = nn.Conv2d(12, 24, 3, padding=1)
        self.c3 = nn.Conv2d(24, 32, 3, padding=1)
        self.n1, self.n2, self.n3 = nn.GroupNorm(4, 12), nn.GroupNorm(4, 24), nn.GroupNorm(4, 32)
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        x = self.pool(torch.relu(self.n1(self.c1(x))))
        x = self.pool(torch.relu(self.n2(self.c2(x))))
        x = torch.relu(self.n3(self.c3(x))).mean((2, 3))
        return self.head(x).squeeze(-1)


def main():
    torch.manual_seed(41)
    rng = np.random.default_rng(41)
    (x, y), (xt, yt) = dataset(1500, rng), dataset(400, rng)
    mean, std = y.mean(), y.std()
    net = GrainNet()
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    sched = CyclicLR(opt, base_lr=2e-3, max_lr=0.05, step_size_up=75, mode="triangular2", cycle_momentum=True)
    step = 0
    while step < 600:
        for idx in torch.randperm(len(x)).split(30):
            net.train()
            loss = nn.functional.smooth_l1_loss(net(x[idx]), (y[idx] - mean) / std)
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            step += 1
            if step % 75 == 0:
                net.eval()
                with torch.no_grad():
                    pred = net(xt) * std + mean
                r2 = 1 - ((pred - yt) ** 2).sum() / ((yt - yt.mean()) ** 2).sum()
                print(f"{step}: lr {sched.get_last_lr()[0]:.4f} loss {loss.item():.4f} R2 {r2.item():.4f}")
    print(f"metric: {r2.item():.4f}")


if __name__ == "__main__":
    main()
