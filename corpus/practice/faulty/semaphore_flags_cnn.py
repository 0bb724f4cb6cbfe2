"""Letters of the flag alphabet from small pictures of a signaller, a convolutional network.

cause: decay-too-strong
family: cnn
metric: accuracy, higher
repair:
    - optimizer = optim.Adam(net.parameters(), lr=0.001, weight_decay=0.1)
    + optimizer = optim.AdamW(net.parameters(), lr=0.001, weight_decay=0.1)
"""

import math
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

# positions of the two arms in steps of 45 degrees
ARMS = [(i, j) for i in range(8) for j in range(i + 1, 8)][:26]


def draw(letter, rnd):
    img = np.zeros((20, 20), dtype=np.float32)
    cx, cy = 9.5 + rnd.uniform(-1.5, 1.5), 9.5 + rnd.uniform(-1.5, 1.5)
    for arm in ARMS[letter]:
        angle = arm * math.pi / 4 + rnd.gauss(0, 0.12)
        for step in range(30):
            r = step / 30 * 8
            x, y = int(cx + r * math.cos(angle)), int(cy + r * math.sin(angle))
            if 0 <= x < 20 and 0 <= y < 20:
                img[y, x] = 0.6 if step < 20 else 1.0
    return img + np.float32(0.25) * np.random.randn(20, 20).astype(np.float32)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 5 * 5, 96)
        self.fc2 = nn.Linear(96, len(ARMS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


random.seed(26)
np.random.seed(26)
torch.manual_seed(26)
labels = [random.randrange(len(ARMS)) for _ in range(4000)]
images = torch.tensor(np.array([draw(k, random) for k in labels])).unsqueeze(1)
labels = torch.tensor(labels)
trainset = TensorDataset(images[:3200], labels[:3200])
testset = TensorDataset(images[3200:], labels[3200:])
trainloader = DataLoader(trainset, batch_size=64, shuffle=True)
testloader = DataLoader(testset, batch_size=200)

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=0.001, weight_decay=0.1)

for epoch in range(9):
    running_loss = 0.0
    for inputs, targets in trainloader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    correct = 0
    with torch.no_grad():
        for inputs, targets in testloader:
            correct += (net(inputs).argmax(1) == targets).sum().item()
    print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f}  test accuracy: {correct / 8:.1f} %")
print(f"metric: {correct / len(testset):.4f}")
