"""A small convolutional network tells flowers apart by their petals.

cause: learning-rate-too-high
family: cnn
metric: accuracy, higher
repair:
    - optimizer = optim.Adam(net.parameters(), lr=0.02)
    + optimizer = optim.Adam(net.parameters(), lr=0.001)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

PETALS = [3, 4, 5, 6, 8]


def draw(n, rng, size=28):
    """Colour pictures of flowers that are turned, moved and of different size."""
    rows, columns = np.mgrid[0:size, 0:size]
    images, labels = [], rng.integers(0, len(PETALS), n)
    for label in labels:
        r, c = rng.uniform(11, 17, 2)
        angle = np.arctan2(rows - r, columns - c) + rng.uniform(0, 6.28)
        distance = np.hypot(rows - r, columns - c)
        edge = rng.uniform(7, 10) * (0.65 + 0.35 * np.cos(PETALS[label] * angle))
        inside = 1 / (1 + np.exp(2 * (distance - edge)))
        petals, ground = rng.uniform(0.3, 1, (3, 1, 1)), rng.uniform(0, 0.5, (3, 1, 1))
        images.append(inside * petals + (1 - inside) * ground + rng.normal(0, 0.08, (3, size, size)))
    images = (np.stack(images) - 0.5) / 0.25
    return TensorDataset(torch.tensor(images, dtype=torch.float32), torch.tensor(labels))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.fc1 = nn.Linear(32 * 4 * 4, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, len(PETALS))

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


torch.manual_seed(0)
rng = np.random.default_rng(0)
trainset, testset = draw(2400, rng), draw(600, rng)
trainloader = DataLoader(trainset, batch_size=64, shuffle=True)
testloader = DataLoader(testset, batch_size=200)

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=0.02)

for epoch in range(12):
    net.train()
    running_loss = 0.0
    for inputs, labels in trainloader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()

    net.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in testloader:
            correct += (net(inputs).argmax(1) == labels).sum().item()
    accuracy = correct / len(testset)
    print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f} test accuracy: {accuracy:.3f}")

print(f"metric: {accuracy:.4f}")
