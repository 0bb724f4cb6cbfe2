"""Handwritten digits by a convolutional net with batch normalisation and heavy dropout, in one cycle.

family: cnn
metric: accuracy, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn import datasets
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(42)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 24, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.conv2 = nn.Conv2d(24, 48, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(48)
        self.drop_maps = nn.Dropout2d(0.2)
        self.fc1 = nn.Linear(48 * 4, 96)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(96, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = self.drop_maps(x).flatten(1)
        return self.fc2(self.drop(F.relu(self.fc1(x))))


digits = datasets.load_digits()
inputs = torch.from_numpy(digits.images).float().unsqueeze(1) / 16.0
inputs = (inputs - 0.305) / 0.376
dataset = TensorDataset(inputs, torch.from_numpy(digits.target))
train_set, test_set = random_split(dataset, [1397, 400])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=200)

EPOCHS = 14
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.15, epochs=EPOCHS, steps_per_epoch=len(train_loader), pct_start=0.3
)

for epoch in range(EPOCHS):
    net.train()
    seen = correct = 0
    for image, label in train_loader:
        optimizer.zero_grad()
        out = net(image)
        loss = F.cross_entropy(out, label)
        loss.backward()
        optimizer.step()
        scheduler.step()
        correct += (out.argmax(1) == label).sum().item()
        seen += len(label)
    net.eval()
    with torch.no_grad():
        hits = sum((net(image).argmax(1) == label).sum().item() for image, label in test_loader)
    test_accuracy = hits / len(test_set)
    print(
        f"[{epoch + 1}/{EPOCHS}] lr {scheduler.get_last_lr()[0]:.4f} "
        f"train acc {correct / seen:.3f} test acc {test_accuracy:.3f}"
    )

print(f"metric: {test_accuracy:.4f}")
