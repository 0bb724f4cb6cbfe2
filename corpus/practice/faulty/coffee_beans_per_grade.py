"""Grades of coffee beans from a colour sorter's readings, with a report for each grade.

cause: evaluating-in-train-mode
begins: 53
family: mlp
metric: accuracy, higher
repair:
    - def report(model, x, y):
    + def report(model, x, y):
    +     model.eval()
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

GRADES = ["specialty", "premium", "exchange", "below standard", "off-grade"]


def readings(n=4500, seed=33):
    rng = np.random.default_rng(seed)
    grade = rng.choice(5, n, p=[0.15, 0.3, 0.3, 0.15, 0.1])
    ripeness = rng.normal(0, 1, n)
    means = np.random.default_rng(1).normal(0, 0.75, (5, 16))
    bend = np.random.default_rng(2).normal(0, 0.5, (5, 16))
    x = means[grade] + ripeness[:, None] * bend[grade] + rng.normal(0, 0.8, (n, 16))
    return x.astype(np.float32), grade


class GradeNet(nn.Module):
    def __init__(self, n_in=16, n_out=5, width=64):
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(n_in, width), nn.BatchNorm1d(width)
        self.fc2, self.bn2 = nn.Linear(width, width), nn.BatchNorm1d(width)
        self.fc3 = nn.Linear(width, n_out)

    def forward(self, x):
        x = torch.relu(self.bn1(self.fc1(x)))
        x = torch.relu(self.bn2(self.fc2(x)))
        return self.fc3(x)


def report(model, x, y):
    recalls, correct = {}, 0
    with torch.no_grad():
        for k, name in enumerate(GRADES):
            guess = model(x[y == k]).argmax(dim=1)
            recalls[name] = (guess == k).float().mean().item()
            correct += (guess == k).sum().item()
    return recalls, correct / len(y)


def main():
    torch.manual_seed(33)
    x, y = readings()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    train_set = TensorDataset(torch.from_numpy(x_train), torch.from_numpy(y_train))
    loader = DataLoader(train_set, batch_size=64, shuffle=True, drop_last=True)
    x_test, y_test = torch.from_numpy(x_test), torch.from_numpy(y_test)
    model = GradeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(16):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        recalls, accuracy = report(model, x_test, y_test)
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f} accuracy {accuracy:.4f}")
    for name, value in recalls.items():
        print(f"  {name:15s} {value:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
