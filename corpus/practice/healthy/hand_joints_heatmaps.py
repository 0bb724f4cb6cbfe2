"""Three joints of a robot's finger in a picture, as heat maps whose centres of mass are the answers.

family: cnn
metric: mean error (pixels), lower
"""

import numpy as np
import torch
from torch import nn

SIZE = 24


def finger_pictures(n, seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    pictures, joints = np.empty((n, 1, SIZE, SIZE), np.float32), np.empty((n, 3, 2), np.float32)
    for i in range(n):
        root = rng.uniform(8, 16, 2)
        angle = rng.uniform(0, 2 * np.pi)
        bend = rng.uniform(-1.2, 1.2)
        middle = root + 4.5 * np.array([np.sin(angle), np.cos(angle)])
        tip = middle + 3.5 * np.array([np.sin(angle + bend), np.cos(angle + bend)])
        picture = np.zeros((SIZE, SIZE))
        for a, b, thick in ((root, middle, 1.6), (middle, tip, 1.0)):
            s = np.clip(
                ((rows - a[0]) * (b - a)[0] + (columns - a[1]) * (b - a)[1]) / ((b - a) ** 2).sum(), 0, 1
            )
            away = np.hypot(rows - a[0] - s * (b - a)[0], columns - a[1] - s * (b - a)[1])
            picture = np.maximum(picture, np.clip(thick + 0.5 - away, 0, 1))
        picture = picture * rng.uniform(0.5, 1.0) + rng.normal(0, 0.12, picture.shape)
        pictures[i, 0], joints[i] = picture, np.clip(np.stack([root, middle, tip]), 0, SIZE - 1)
    return torch.from_numpy(pictures), torch.from_numpy(joints)


class Heatmaps(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(1, 24, 5, padding=2, stride=2), nn.BatchNorm2d(24), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(24, 3, 3, padding=1))
        self.register_buffer("place", torch.arange(SIZE // 2) * 2 + 0.5)

    def forward(self, x):
        heat = self.layers(x).flatten(2).softmax(2).view(-1, 3, SIZE // 2, SIZE // 2)
        return torch.stack([(heat.sum(3) * self.place).sum(2), (heat.sum(2) * self.place).sum(2)], 2)


def main():
    torch.manual_seed(42)
    x, joints = finger_pictures(1000, 1)
    x_test, joints_test = finger_pictures(300, 2)
    net = Heatmaps()
    optimizer = torch.optim.Adam(net.parameters(), lr=6e-3)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=400)
    done = 0
    while done < 400:
        for rows in torch.randperm(len(x)).split(25):
            loss = nn.functional.smooth_l1_loss(net(x[rows]), joints[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            done += 1
            if done % 80 == 0:
                net.eval()
                with torch.no_grad():
                    error = (net(x_test) - joints_test).norm(dim=2).mean().item()
                net.train()
                print(f"step {done}: loss {loss.item():.4f}, test error {error:.3f} px")
            if done == 400:
                break
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
