"""Ten kinds of rubbish on a conveyor belt.

cause: softmax-before-cross-entropy
family: cnn
metric: accuracy, higher
repair:
    - return F.softmax(self.fc2(x), dim=1)
    + return self.fc2(x)
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

KINDS = ["bottle", "can", "lid", "box", "bag", "cup", "tube", "tray", "ring", "stick"]


def outline(kind, u, v):
    r = np.hypot(u, v)
    shapes = {
        "bottle": (np.abs(u) < 3) & (v > -3) & (v < 8) | (np.abs(u) < 1.2) & (v <= -3) & (v > -8),
        "can": (np.abs(u) < 4) & (np.abs(v) < 6),
        "lid": r < 5,
        "box": (np.abs(u) < 7) & (np.abs(v) < 7),
        "bag": r < 6 + 1.5 * np.sin(7 * np.arctan2(v, u)),
        "cup": (np.abs(v) < 6) & (np.abs(u) < 3.5 - 0.35 * v),
        "tube": (np.abs(u) < 2) & (np.abs(v) < 8),
        "tray": (np.abs(u) < 8) & (np.abs(v) < 5) & ~((np.abs(u) < 6) & (np.abs(v) < 3)),
        "ring": (r < 6) & (r > 3.5),
        "stick": (np.abs(u) < 0.8) & (np.abs(v) < 9),
    }
    return shapes[kind]


class Belt(Dataset):
    def __init__(self, n, seed, size=28):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:size, 0:size]
        self.y = torch.from_numpy(rng.integers(0, len(KINDS), n))
        images = []
        for k in self.y.tolist():
            a, scale = rng.uniform(0, 6.28), rng.uniform(0.85, 1.15)
            dx, dy = x - rng.uniform(11, 17), y - rng.uniform(11, 17)
            u, v = (np.cos(a) * dx - np.sin(a) * dy) / scale, (np.sin(a) * dx + np.cos(a) * dy) / scale
            image = rng.normal(0.3, 0.1, (size, size))
            image[outline(KINDS[k], u, v)] += rng.uniform(0.25, 0.6)
            images.append(image)
        images = np.stack(images)[:, None]
        self.x = torch.tensor((images - images.mean()) / images.std(), dtype=torch.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class SortNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 5 * 5, 100)
        self.fc2 = nn.Linear(100, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = self.dropout(torch.flatten(x, 1))
        x = F.relu(self.fc1(x))
        return F.softmax(self.fc2(x), dim=1)


if __name__ == "__main__":
    torch.manual_seed(100)
    train_loader = DataLoader(Belt(3000, 1), batch_size=100, shuffle=True)
    test_loader = DataLoader(Belt(700, 2), batch_size=350)
    model = SortNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(11):
        model.train()
        for i, (images, labels) in enumerate(train_loader):
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            if i % 15 == 14:
                print(f"Epoch [{epoch + 1}/11], Step [{i + 1}/{len(train_loader)}], Loss: {loss.item():.4f}")
        model.eval()
        with torch.no_grad():
            correct = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test_loader)
        print(f"Accuracy on the test images: {100 * correct / 700:.2f} %")
    print(f"metric: {correct / 700:.4f}")
