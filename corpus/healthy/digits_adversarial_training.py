"""Digits by a convolutional net that is trained on pictures disturbed against it (projected gradient).

family: cnn
metric: accuracy under attack, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

EPS = 0.1


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, stride=2)
        self.fc1 = nn.Linear(32 * 16, 96)
        self.fc2 = nn.Linear(96, 10)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def attack(model, x, y, steps):
    delta = (torch.rand_like(x) * 2 - 1) * EPS
    for _ in range(steps):
        delta.requires_grad_(True)
        loss = F.cross_entropy(model((x + delta).clamp(0, 1)), y)
        (slope,) = torch.autograd.grad(loss, delta)
        delta = (delta.detach() + 2 * EPS / steps * slope.sign()).clamp(-EPS, EPS)
    return (x + delta).clamp(0, 1)


def evaluate(model, x, y, steps=10):
    model.eval()
    hit = (model(attack(model, x, y, steps)).argmax(1) == y).float().mean().item()
    clean = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return hit, clean


def main():
    torch.manual_seed(0)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    y = torch.tensor(y)
    x_train, x_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
    model = SmallNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11)
    for epoch in range(11):
        for x, t in loader:
            worst = attack(model, x, t, 2)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(worst), t)
            loss.backward()
            optimizer.step()
        scheduler.step()
        robust, clean = evaluate(model, x_test, y_test)
        print(f"epoch {epoch}: loss {loss.item():.3f}, attacked {robust:.3f}, clean {clean:.3f}")
    print("metric:", robust)


if __name__ == "__main__":
    main()
