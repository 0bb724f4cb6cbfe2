"""A pocket reader for digits, small enough for a toy camera, distilled from a large network.

cause: softmax-before-cross-entropy
begins: 681
family: mlp
metric: accuracy, higher
repair:
    - def forward(self, x):
    - return self.probabilities(self.scores(x))
    + def forward(self, x):
    +     return self.scores(x)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def enlarged(images, labels, copies, seed):
    """Copies of the scans, some rolled by a pixel to a side, and grain on all of them."""
    rng = np.random.default_rng(seed)
    xs, ys = [], []
    for _ in range(copies):
        aside = rng.integers(-1, 2, len(images))
        moved = np.stack([np.roll(image, d, axis=1) for image, d in zip(images, aside, strict=True)])
        xs.append(moved + rng.normal(0, 0.15, images.shape))
        ys.append(labels)
    x = torch.tensor(np.concatenate(xs), dtype=torch.float32).flatten(1)
    return x, torch.from_numpy(np.concatenate(ys))


class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        )

    def forward(self, x):
        return self.layers(x)


class Student(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.scores = nn.Sequential(nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, 10))
        self.probabilities = nn.Softmax(dim=-1)

    def forward(self, x):
        return self.probabilities(self.scores(x))


class DistillationLoss(nn.Module):
    def __init__(self, temperature=3.0, alpha=0.3):
        super().__init__()
        self.temperature, self.alpha = temperature, alpha

    def forward(self, student_out, teacher_out, labels):
        t = self.temperature
        soft = F.kl_div(
            F.log_softmax(student_out / t, dim=1),
            F.softmax(teacher_out / t, dim=1),
            reduction="batchmean",
        )
        hard = F.cross_entropy(student_out, labels)
        return self.alpha * hard + (1 - self.alpha) * t * t * soft


def batches(n, size):
    yield from torch.randperm(n).split(size)


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(dim=1) == y).float().mean().item()


def main():
    torch.manual_seed(64)
    digits = load_digits()
    splits = train_test_split(
        digits.images / 16, digits.target, test_size=0.4, random_state=64, stratify=digits.target
    )
    x_train, y_train = enlarged(splits[0], splits[2], 4, 1)
    x_test, y_test = enlarged(splits[1], splits[3], 3, 2)

    teacher = Teacher()
    optimizer = torch.optim.Adam(teacher.parameters(), lr=2e-3)
    for _ in range(10):
        for idx in batches(len(x_train), 64):
            optimizer.zero_grad()
            F.cross_entropy(teacher(x_train[idx]), y_train[idx]).backward()
            optimizer.step()
    print(f"teacher: {accuracy(teacher, x_test, y_test):.4f}")

    student, criterion = Student(), DistillationLoss()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(1, 11):
        student.train()
        running = 0.0
        for idx in batches(len(x_train), 64):
            with torch.no_grad():
                guidance = teacher(x_train[idx])
            optimizer.zero_grad()
            loss = criterion(student(x_train[idx]), guidance, y_train[idx])
            loss.backward()
            optimizer.step()
            running += loss.item() * len(idx) / len(x_train)
        print(f"student, epoch {epoch}: {running:.4f}, accuracy {accuracy(student, x_test, y_test):.4f}")
    print(f"metric: {accuracy(student, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
