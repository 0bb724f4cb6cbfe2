"""A convolutional network sorts pictures of woven cloth by their defect; cloths are judged one at a time.

cause: evaluating-in-train-mode
begins: 260
family: cnn
metric: accuracy, higher
repair:
    - right = 0
    + right = 0
    + inspector.eval()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

CLASSES = ["sound", "hole", "stain", "missing thread"]


class Cloth(Dataset):
    """Woven cloth of 24 by 24 pixels, drawn when it is asked for."""

    def __init__(self, n, seed):
        self.n, self.seed = n, seed

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        rng = np.random.default_rng((self.seed, i))
        kind = i % len(CLASSES)
        rows, columns = np.mgrid[0:24, 0:24]
        cloth = 0.5 + 0.25 * np.sin(rows * 1.6) * np.sin(columns * 1.6 + rng.uniform(0, 6))
        r, c = rng.integers(5, 19, 2)
        distance = np.hypot(rows - r, columns - c)
        if kind == 1:
            cloth[distance < rng.uniform(1.5, 3)] = 0.0
        elif kind == 2:
            cloth -= 0.3 * np.exp(-((distance / rng.uniform(3, 5)) ** 2))
        elif kind == 3:
            cloth[r] = 0.2
        cloth = cloth * rng.uniform(0.6, 1.4) + rng.normal(0, 0.12, cloth.shape)
        return torch.tensor(cloth[None], dtype=torch.float32), kind


class Inspector(nn.Module):
    def __init__(self):
        super().__init__()
        layers, width = [], 1
        for new in (8, 16, 24):
            layers += [nn.Conv2d(width, new, 3, padding=1, bias=False), nn.BatchNorm2d(new), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            width = new
        self.features = nn.Sequential(*layers)
        self.decide = nn.Sequential(nn.Flatten(), nn.Linear(24 * 9, len(CLASSES)))

    def forward(self, cloth):
        return self.decide(self.features(cloth))


def judge(inspector, cloths):
    right = 0
    for k in range(len(cloths)):
        picture, kind = cloths[k]
        with torch.inference_mode():
            right += int(inspector(picture[None]).argmax()) == kind
    return right / len(cloths)


if __name__ == "__main__":
    torch.manual_seed(2024)
    loader = DataLoader(Cloth(1200, seed=1), batch_size=32, shuffle=True, drop_last=True)
    inspector = Inspector()
    optimizer = torch.optim.SGD(inspector.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(7):
        inspector.train()
        losses = []
        for pictures, kinds in loader:
            loss = criterion(inspector(pictures), kinds)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")
    print(f"metric: {judge(inspector, Cloth(400, seed=2)):.4f}")
