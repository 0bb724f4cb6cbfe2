"""Knots, splits, resin pockets and rot on planed boards: rare faults among sound wood, with a focal loss.

cause: softmax-before-cross-entropy
family: cnn
metric: macro F1, higher
repair:
    - return {"grade": self.grade(h), "faults": F.softmax(self.faults(h), dim=-1)}
    + return {"grade": self.grade(h), "faults": self.faults(h)}
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, Dataset

KINDS = ["sound", "knot", "split", "resin", "rot", "bark"]
SHARE = [0.7, 0.1, 0.06, 0.06, 0.05, 0.03]
SIDE = 16


class Boards(Dataset):
    """Patches of 16x16 with the kind of fault, and the grade of the wood around it."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.kind = rng.choice(len(KINDS), n, p=SHARE)
        self.width = rng.uniform(1.5, 4.0, n).astype("float32")
        self.image = np.stack([self.patch(k, w, rng) for k, w in zip(self.kind, self.width, strict=True)])

    @staticmethod
    def patch(kind, width, rng):
        v, u = np.mgrid[0:SIDE, 0:SIDE].astype(float)
        grain = 0.25 * np.sin(2 * np.pi * (u + 0.1 * v * rng.normal()) / width + rng.uniform(0, 6.3))
        cx, cy = rng.uniform(4, 12, 2)
        r = np.hypot(u - cx, v - cy)
        if kind == 1:
            grain += -0.9 * np.exp(-((r / 2.5) ** 2))
        elif kind == 2:
            grain += -0.9 * (np.abs(u - cx + rng.normal(0, 0.1) * (v - cy)) < 0.8)
        elif kind == 3:
            grain += 0.7 * np.exp(-(((u - cx) / 1.5) ** 2 + ((v - cy) / 4) ** 2))
        elif kind == 4:
            grain += 0.5 * np.exp(-((r / 5) ** 2)) * rng.normal(0, 1, grain.shape)
        elif kind == 5:
            grain += -0.7 * (v > rng.uniform(10, 14))
        return (grain + rng.normal(0, 0.2, grain.shape)).astype("float32")

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        return self.image[i][None], self.kind[i], self.width[i]


class BoardNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 16, 48),
            nn.ReLU(),
        )
        self.grade = nn.Linear(48, 1)
        self.faults = nn.Linear(48, len(KINDS))

    def forward(self, x):
        h = self.body(x)
        return {"grade": self.grade(h), "faults": F.softmax(self.faults(h), dim=-1)}


def focal_loss(inputs, targets, gamma=2.0, alpha=None):
    ce = F.cross_entropy(inputs, targets, weight=alpha, reduction="none")
    pt = torch.exp(-F.cross_entropy(inputs, targets, reduction="none"))
    return ((1 - pt) ** gamma * ce).mean()


def f1(net, loader):
    net.eval()
    truth, guess = [], []
    with torch.no_grad():
        for image, kind, _ in loader:
            guess += net(image)["faults"].argmax(1).tolist()
            truth += kind.tolist()
    return f1_score(truth, guess, average="macro", zero_division=0)


if __name__ == "__main__":
    torch.manual_seed(2)
    train = DataLoader(Boards(2400, 20), batch_size=48, shuffle=True)
    test = DataLoader(Boards(1200, 21), batch_size=300)
    net = BoardNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    alpha = torch.tensor([0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    for epoch in range(8):
        net.train()
        sums = np.zeros(2)
        for image, kind, width in train:
            out = net(image)
            fault_loss = focal_loss(out["faults"], kind, alpha=alpha)
            grade_loss = F.mse_loss(out["grade"].squeeze(1), width)
            loss = fault_loss + 0.05 * grade_loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sums += fault_loss.item(), grade_loss.item()
        fault, grade = sums / len(train)
        print(f"epoch {epoch + 1:2d}  focal {fault:.4f}  grade {grade:.3f}  F1 {f1(net, test):.4f}")
    print(f"metric: {f1(net, test):.4f}")
