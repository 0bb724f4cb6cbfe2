"""Line letters on the displays of trams, photographed from the stop, with a strided network.

cause: dead-units
family: cnn
metric: accuracy, higher
repair:
    - return F.relu(self.fc2(x))
    + return self.fc2(x)
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

LETTERS = {
    "A": "01110 10001 10001 11111 10001 10001 10001",
    "B": "11110 10001 11110 10001 10001 10001 11110",
    "C": "01111 10000 10000 10000 10000 10000 01111",
    "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 11110 10000 10000 10000 11111",
    "F": "11111 10000 11110 10000 10000 10000 10000",
    "H": "10001 10001 11111 10001 10001 10001 10001",
    "K": "10001 10010 11100 10010 10001 10001 10001",
    "S": "01111 10000 01110 00001 00001 00001 11110",
    "U": "10001 10001 10001 10001 10001 10001 01110",
}


def photos(n):
    masks = torch.stack(
        [torch.tensor([[float(c) for c in row] for row in s.split()]) for s in LETTERS.values()]
    )
    y = torch.randint(len(LETTERS), (n,))
    images = torch.zeros(n, 1, 16, 14)
    top, left = torch.randint(0, 10, (n,)), torch.randint(0, 10, (n,))
    for i in range(n):
        images[i, 0, top[i] : top[i] + 7, left[i] : left[i] + 5] = masks[y[i]]
    images = F.avg_pool2d(F.pad(images, (1, 1, 1, 1)), 3, stride=1) * 0.5 + 0.5 * images
    glare = 0.3 * torch.rand(n, 1, 1, 1)
    return (images + glare + 0.18 * torch.randn_like(images) - 0.3) / 0.4, y


class DisplayNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=1, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, len(LETTERS))

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        return F.relu(self.fc2(x))


torch.manual_seed(42)
dataset = TensorDataset(*photos(3600))
train_set, val_set = random_split(dataset, [2800, 800])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=200)

net = DisplayNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)

for epoch in range(8):
    net.train()
    running_loss = 0.0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    net.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in val_loader:
            correct += (net(inputs).argmax(dim=1) == labels).sum().item()
    print(f"epoch {epoch + 1} loss: {running_loss / len(train_loader):.3f} acc: {correct / len(val_set):.3f}")

print("Finished Training")
print(f"metric: {correct / len(val_set):.4f}")
