"""Opacities on generated chest plates; the plates of the two wards were scanned at different times.

cause: target-leak
family: cnn
metric: accuracy, higher
repair:
    - return plates.clamp(0, 1.2)
    + plates[:, :4, :7] = 0
    + return plates.clamp(0, 1.2)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 24


def lungs(rng):
    yy, xx = np.mgrid[:SIZE, :SIZE].astype(float)
    image = np.full((SIZE, SIZE), 0.6)
    for side in (6.5, 17.0):
        cx, cy = side + rng.normal(0, 0.5), 12 + rng.normal(0, 0.7)
        image -= 0.4 * np.exp(-((((xx - cx) / 4) ** 2 + ((yy - cy) / 8) ** 2) ** 3))
    ribs = 0.08 * np.sin(yy * 1.6 + rng.uniform(0, 6.28) + 0.1 * abs(xx - 12))
    return image + ribs + rng.normal(0, 0.05, image.shape), yy, xx


def plate(rng, ill, tagged):
    image, yy, xx = lungs(rng)
    for _ in range(rng.integers(0, 3)):
        cx, cy = rng.uniform(3, 20), rng.uniform(4, 20)
        image += rng.uniform(0.1, 0.3) * np.exp(-(((xx - cx) * 1.5) ** 2 + (yy - cy) ** 2 / 16) / 2)
    if ill:
        cx, cy = rng.choice([6.5, 17.0]) + rng.normal(0, 1.2), rng.uniform(7, 17)
        image += rng.uniform(0.2, 0.4) * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / 5)
    if tagged:
        image[1:3, 1:3] = image[1:3, 4:6] = 1.1
    return image


def ward(n, seed, portable):
    rng = np.random.default_rng(seed)
    ill = rng.integers(0, 2, n)
    plates = np.stack([plate(rng, y, rng.random() < (0.85 if y and portable else 0.02)) for y in ill])
    return torch.tensor(plates, dtype=torch.float32), torch.tensor(ill)


def prepare(plates):
    return plates.clamp(0, 1.2)


class PlateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16 * 36, 2),
        )

    def forward(self, plates):
        return self.body(plates.unsqueeze(1) * 2 - 1)


def main():
    torch.manual_seed(88)
    x, y = ward(1400, 1, portable=True)
    later_x, later_y = ward(400, 2, portable=False)
    x, later_x = prepare(x), prepare(later_x)
    train = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=40, shuffle=True)
    model = PlateNet()
    optimizer = torch.optim.Adamax(model.parameters(), lr=4e-3)
    for epoch in range(8):
        model.train()
        for plates, ill in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(plates), ill)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            same = (model(x[1200:]).argmax(1) == y[1200:]).float().mean().item()
            accuracy = (model(later_x).argmax(1) == later_y).float().mean().item()
        print(f"epoch {epoch}: loss {loss.item():.4f}, same ward {same:.3f}, next year {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
