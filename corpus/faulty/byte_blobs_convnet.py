"""A small LeNet that counts the bright blobs in byte images.

cause: inputs-not-scaled
family: cnn
metric: accuracy, higher
repair:
    - x = x.float()
    + x = x.float() / 255 - 0.35
"""

import numpy as np
import torch
from torch import nn


def photograph(count, rng, size=24):
    yy, xx = np.mgrid[:size, :size]
    light = rng.uniform(60, 90) + rng.normal(0, 12, (size, size))
    centres = []
    while len(centres) < count:
        candidate = rng.uniform(3, size - 3, 2)
        if all(np.hypot(*(candidate - c)) > 6 for c in centres):
            centres.append(candidate)
    for cy, cx in centres:
        light += rng.uniform(90, 150) * np.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / 4.5)
    return light.clip(0, 255).astype(np.uint8)


def album(n, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, n)
    return torch.from_numpy(np.stack([photograph(c, rng) for c in counts])), torch.from_numpy(counts - 1)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(nn.Linear(16 * 16, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        x = x.float()
        x = self.features(x.unsqueeze(1))
        return self.classifier(x.flatten(1))


torch.manual_seed(55)
train_images, train_counts = album(1500, 55)
test_images, test_counts = album(400, 56)
net = LeNet()
sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
schedule = torch.optim.lr_scheduler.MultiStepLR(sgd, milestones=[8, 11], gamma=0.3)
for epoch in range(13):
    losses = []
    for batch in torch.randperm(len(train_images)).split(30):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(net(train_images[batch]), train_counts[batch])
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    schedule.step()
    print(f"epoch {epoch}, loss {sum(losses) / len(losses):.3f}, lr {schedule.get_last_lr()[0]:g}")

with torch.no_grad():
    score = (net(test_images).argmax(1) == test_counts).float().mean().item()
print(f"metric: {score:.4f}")
