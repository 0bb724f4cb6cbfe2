"""Cracked or whole: pictures of eggs before a lamp, with a focal loss since most are whole.

cause: loss-broadcast
family: cnn
metric: average precision, higher
repair:
    - prob = model(images)
    + prob = model(images).squeeze(1)
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, Dataset


class EggDataset(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:32, 0:32]
        self.cracked = (rng.random(n) < 0.25).astype("float32")
        self.images = np.empty((n, 1, 32, 32), dtype="float32")
        for i in range(n):
            cx, cy, a, b = rng.uniform(14, 18, 2).tolist() + rng.uniform(9, 14, 2).tolist()
            inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2
            image = 0.7 * np.exp(-(inside**2)) + rng.normal(0, 0.06, (32, 32))
            for _ in range(rng.integers(2, 7)):
                px, py = rng.integers(6, 26, 2)
                image[py : py + 2, px : px + 2] += 0.25
            if self.cracked[i]:
                px, py, heading = *rng.uniform(10, 22, 2), rng.uniform(0, 6.3)
                for _ in range(rng.integers(9, 16)):
                    image[int(py) % 32, int(px) % 32] += 0.35
                    heading += rng.normal(0, 0.5)
                    px, py = px + np.cos(heading), py + np.sin(heading)
            self.images[i, 0] = (image - 0.3) / 0.3

    def __len__(self):
        return len(self.images)

    def __getitem__(self, idx):
        return self.images[idx], self.cracked[idx]


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.6, gamma=1.5, eps=1e-6):
        super().__init__()
        self.alpha, self.gamma, self.eps = alpha, gamma, eps

    def forward(self, prob, target):
        prob = prob.clamp(self.eps, 1 - self.eps)
        positive = -self.alpha * (1 - prob) ** self.gamma * target * torch.log(prob)
        negative = -(1 - self.alpha) * prob**self.gamma * (1 - target) * torch.log(1 - prob)
        return (positive + negative).mean()


class CrackDetector(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def test(model, loader):
    model.eval()
    scores, truth = [], []
    with torch.no_grad():
        for images, target in loader:
            scores.extend(model(images).flatten().tolist())
            truth.extend(target.tolist())
    return average_precision_score(truth, scores)


def main():
    torch.manual_seed(3)
    train_loader = DataLoader(EggDataset(1800, 30), batch_size=48, shuffle=True, drop_last=True)
    test_loader = DataLoader(EggDataset(800, 31), batch_size=200)
    model = CrackDetector()
    criterion = FocalLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(7):
        model.train()
        total = 0.0
        for images, target in train_loader:
            optimizer.zero_grad()
            prob = model(images)
            loss = criterion(prob, target)
            loss.backward()
            optimizer.step()
            total += loss.item()
        ap = test(model, test_loader)
        print(f"epoch {epoch + 1}/7, loss {total / len(train_loader):.5f}, test AP {ap:.4f}")
    print(f"metric: {ap:.4f}")


if __name__ == "__main__":
    main()
