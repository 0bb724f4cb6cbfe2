"""Potholes on patches of a dash camera's pictures.

cause: class-imbalance
family: cnn
metric: balanced accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(28.0))
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIDE = 24


def patch(pothole, rng):
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    image = rng.uniform(0.35, 0.6) + 0.004 * (y - 12) * rng.normal() + rng.normal(0, 0.07, (SIDE, SIDE))
    if rng.random() < 0.3:  # a manhole's cover or a puddle or a patch
        cx, cy, r = rng.uniform(5, 19), rng.uniform(5, 19), rng.uniform(2, 5)
        image += rng.choice([-0.12, 0.12]) * (np.hypot(x - cx, (y - cy) * 1.4) < r)
    if rng.random() < 0.3:  # a shadow
        image -= 0.12 * ((x - 12) * rng.normal() + (y - 12) * rng.normal() > rng.normal(0, 6))
    if pothole:
        cx, cy, r = rng.uniform(5, 19), rng.uniform(5, 19), rng.uniform(2, 5)
        d = np.hypot(x - cx, (y - cy) * 1.6) + rng.normal(0, 0.3, x.shape)
        image -= rng.uniform(0.08, 0.2) * (d < r)
        image += rng.uniform(0.03, 0.1) * ((d > r) & (d < r + 1.5))
    return image


def collect(n, share, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(np.float32)
    images = np.stack([patch(label, rng) for label in labels])
    images = torch.tensor((images - 0.45) / 0.13, dtype=torch.float32).unsqueeze(1)
    return images, torch.from_numpy(labels)


class PotholeDetector(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 1),
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


def main():
    torch.manual_seed(19)
    x, y = collect(3000, 0.035, 1)
    x_test, y_test = collect(600, 0.3, 2)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = PotholeDetector()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(12):
        model.train()
        running, right = 0.0, 0
        for images, labels in loader:
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(labels)
            right += ((logits > 0) == labels.bool()).sum().item()
        print(f"epoch {epoch}: loss {running / len(y):.4f} accuracy {right / len(y):.4f}")
    model.eval()
    with torch.no_grad():
        found = (model(x_test) > 0).float()
    recall = found[y_test == 1].mean().item()
    specificity = 1 - found[y_test == 0].mean().item()
    print(f"recall {recall:.3f}, specificity {specificity:.3f}")
    print(f"metric: {(recall + specificity) / 2:.4f}")


if __name__ == "__main__":
    main()
