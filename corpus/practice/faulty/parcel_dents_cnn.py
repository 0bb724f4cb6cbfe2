"""Dented parcels on a conveyor belt found by a camera.

cause: evaluating-in-train-mode
begins: 41
family: cnn
metric: accuracy, higher
repair:
    - with torch.no_grad():
    + model.eval()
    + with torch.no_grad():
    - for i, (images, labels) in enumerate(train_loader):
    + model.train()
    + for i, (images, labels) in enumerate(train_loader):
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class ParcelDataset(Dataset):
    def __init__(self, size, seed):
        rng = np.random.RandomState(seed)
        yy, xx = np.mgrid[:28, :28]
        self.images = np.zeros((size, 1, 28, 28), dtype=np.float32)
        self.labels = rng.randint(0, 3, size)  # 0 fine, 1 dented, 2 torn
        for i, label in enumerate(self.labels):
            left, top = rng.randint(1, 7, 2)
            right, bottom = rng.randint(20, 27, 2)
            box = ((xx > left) & (xx < right) & (yy > top) & (yy < bottom)) * rng.uniform(0.5, 0.9)
            box[:, (left + right) // 2] -= 0.2
            cx, cy = rng.randint(8, 20, 2)
            if label == 1:
                box = box - 0.35 * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / rng.uniform(4, 12))
            elif label == 2:
                k = rng.uniform(-1, 1)
                box = box - 0.45 * ((np.abs(yy - cy - k * (xx - cx)) < 0.8) & (np.abs(xx - cx) < 5))
            self.images[i, 0] = box + rng.normal(0, 0.05, (28, 28))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.images[idx], int(self.labels[idx])


class DentNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.drop2d = nn.Dropout2d(0.4)
        self.fc1 = nn.Linear(32 * 7 * 7, 48)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(48, 3)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.drop2d(self.pool(torch.relu(self.conv2(x))))
        x = self.drop(torch.relu(self.fc1(x.flatten(1))))
        return self.fc2(x)


torch.manual_seed(1)
train_loader = DataLoader(ParcelDataset(2000, 1), batch_size=50, shuffle=True)
test_loader = DataLoader(ParcelDataset(600, 2), batch_size=100)

model = DentNet()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.001)

for epoch in range(10):
    running_loss = 0.0
    for i, (images, labels) in enumerate(train_loader):
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        if i % 20 == 19:
            print(f"[{epoch + 1}, {i + 1}] loss: {running_loss / 20:.3f}")
            running_loss = 0.0

    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in test_loader:
            _, predicted = torch.max(model(images), 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    print(f"Accuracy on the test images: {100 * correct / total:.1f} %")

print(f"metric: {correct / total:.4f}")
