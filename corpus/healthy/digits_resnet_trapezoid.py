"""A small residual network on digits; the learning rate rises from zero, stays, and falls to zero.

family: cnn
metric: accuracy, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(x + self.bn2(self.conv2(out)))


class ResNet(nn.Module):
    def __init__(self, channels=20, blocks=2, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.fc = nn.Linear(channels * 4, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.stem(x))), 2)
        x = F.adaptive_avg_pool2d(self.blocks(x), 2)
        return self.fc(x.flatten(1))


def trapezoid(total, rise, fall):
    def factor(step):
        if step < rise:
            return step / rise
        return min(1.0, max(0.0, (total - 1 - step) / fall))

    return factor


def train(model, optimizer, scheduler, data, epochs, batch_size=64):
    x, y = data
    for epoch in range(epochs):
        model.train()
        perm = torch.randperm(len(x))
        for i in range(len(x) // batch_size):
            idx = perm[i * batch_size : (i + 1) * batch_size]
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
            scheduler.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, lr {scheduler.get_last_lr()[0]:.4f}")


if __name__ == "__main__":
    torch.manual_seed(5)
    bunch = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        bunch.images / 16.0, bunch.target, test_size=0.3, random_state=5, stratify=bunch.target
    )
    x_train, x_test = (torch.tensor(a, dtype=torch.float32)[:, None] for a in (x_train, x_test))
    y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

    net = ResNet()
    epochs = 10
    total = epochs * (len(x_train) // 64)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    plan = torch.optim.lr_scheduler.LambdaLR(sgd, trapezoid(total, rise=25, fall=70))
    train(net, sgd, plan, (x_train, y_train), epochs)

    net.eval()
    with torch.no_grad():
        print(f"metric: {(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
