"""A convolutional network with batch normalisation on handwritten digits.

cause: batch-too-small
family: cnn
metric: accuracy, higher
repair:
    - "batch_size": 2,
    + "batch_size": 64,
    - "iterations": 700,
    + "iterations": 220,
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

settings = {
    "batch_size": 2,
    "iterations": 700,
    "lr": 0.05,
}


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class SmallResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(BasicBlock(1, 8, 1), BasicBlock(8, 16, 2), BasicBlock(16, 16, 2))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


def main():
    torch.manual_seed(18)
    digits = load_digits()
    x = torch.tensor(digits.images[:, None] / 8 - 1, dtype=torch.float32)
    y = torch.tensor(digits.target)
    shuffle = torch.randperm(len(y))
    train = TensorDataset(x[shuffle[:1400]], y[shuffle[:1400]])
    draws = RandomSampler(
        train, replacement=True, num_samples=settings["batch_size"] * settings["iterations"]
    )
    model = SmallResNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=settings["lr"], momentum=0.9, weight_decay=1e-4)
    model.train()
    for i, (images, labels) in enumerate(DataLoader(train, settings["batch_size"], sampler=draws)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if i % 100 == 0:
            print(f"iteration {i} loss {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        predicted = model(x[shuffle[1400:]]).argmax(1)
    print(f"metric: {(predicted == y[shuffle[1400:]]).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
