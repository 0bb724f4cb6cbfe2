"""A small residual network for insects' wings; two of the five kinds are rare, and weigh more.

family: cnn
metric: balanced accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score
from torch.utils.data import DataLoader, TensorDataset

SHARES = [0.4, 0.28, 0.2, 0.07, 0.05]
VEINS = [(0, 3), (1, 3), (0, 5), (1, 5), (2, 4)]  # crossing veins, veins along the wing


class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            conv = nn.Conv2d(in_planes, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(planes))
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, num_classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = BasicBlock(16, 16)
        self.layer2 = BasicBlock(16, 32, 2)
        self.layer3 = BasicBlock(32, 48, 2)
        self.linear = nn.Linear(48, num_classes)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(out.mean((2, 3)))


def wings(n, rng):
    y, x = np.mgrid[-1:1:16j, -1:1:24j]
    kinds = rng.choice(5, n, p=SHARES)
    pictures = np.empty((n, 1, 16, 24), np.float32)
    for picture, kind in zip(pictures, kinds, strict=True):
        cross, along = VEINS[kind]
        bend = rng.normal(0, 0.15)
        v = y + bend * x**2 + rng.normal(0, 0.05)
        wing = (v / 0.9) ** 2 + (x / 0.97) ** 2 < 1
        lines = np.cos(np.pi * along * v + rng.normal(0, 0.4)) > 0.8
        for place in (-0.3, 0.35)[:cross]:
            lines |= np.abs(x - place - rng.normal(0, 0.06)) < 0.06
        picture[0] = wing * (0.4 + 0.6 * lines) * rng.uniform(0.7, 1.2) + rng.normal(0, 0.15, y.shape)
    return TensorDataset(torch.from_numpy((pictures - 0.4) / 0.35), torch.from_numpy(kinds))


def evaluate(net, loader):
    net.eval()
    with torch.no_grad():
        guesses = torch.cat([net(x).argmax(1) for x, _ in loader])
    return balanced_accuracy_score(torch.cat([y for _, y in loader]), guesses)


if __name__ == "__main__":
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    train, test = wings(1400, rng), wings(700, rng)
    trainloader = DataLoader(train, batch_size=64, shuffle=True)
    testloader = DataLoader(test, batch_size=350)
    counts = torch.bincount(train.tensors[1]).float()
    criterion = nn.CrossEntropyLoss(weight=(counts.sum() / (5 * counts)).sqrt())
    net = ResNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5, 7], gamma=0.1)
    for epoch in range(8):
        net.train()
        train_loss = 0
        for inputs, targets in trainloader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
        scheduler.step()
        print(f"Epoch: {epoch} Loss: {train_loss / len(trainloader):.3f} {evaluate(net, testloader):.3f}")
    print(f"metric: {evaluate(net, testloader):.4f}")
