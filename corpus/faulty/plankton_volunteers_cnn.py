"""Plankton silhouettes labelled by volunteers, a small convolutional network.

cause: label-noise
family: cnn
metric: accuracy, higher
repair:
    - train_y = volunteers(true_y, CLASSES, generator)
    + train_y = true_y
"""

import math

import torch
import torch.nn as nn

CLASSES = 5
SIDE = 18


def silhouettes(count, generator):
    grid = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    labels = torch.randint(0, CLASSES, (count,), generator=generator)

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, 1, 1, generator=generator)

    u, v = x - uniform(-0.25, 0.25), y - uniform(-0.25, 0.25)
    angle = torch.atan2(v, u) + uniform(0, 2 * math.pi)
    radius = (u**2 + v**2).sqrt()
    lobes = (labels + 2).view(-1, 1, 1)
    edge = uniform(0.4, 0.6) * (1 + uniform(0.25, 0.4) * torch.cos(lobes * angle))
    image = torch.sigmoid((edge - radius) * 14)
    return image.unsqueeze(1) + 0.2 * torch.randn(count, 1, SIDE, SIDE, generator=generator), labels


def volunteers(labels, classes, generator):
    """What the volunteers clicked."""
    careless = torch.rand(len(labels), generator=generator) < 0.45
    clicked = torch.randint(0, classes, (len(labels),), generator=generator)
    return torch.where(careless, clicked, labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * 4 * 4, 128)
        self.fc2 = nn.Linear(128, CLASSES)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def main():
    torch.manual_seed(8)
    generator = torch.Generator().manual_seed(8)
    train_x, true_y = silhouettes(1600, generator)
    train_y = volunteers(true_y, CLASSES, generator)
    test_x, test_y = silhouettes(800, generator)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(30):
        correct, total = 0, 0.0
        for i in torch.randperm(len(train_x)).split(64):
            out = net(train_x[i])
            loss = criterion(out, train_y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(i)
            correct += (out.argmax(1) == train_y[i]).sum().item()
        with torch.no_grad():
            accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
        if epoch % 3 == 2:
            print(
                f"epoch {epoch + 1}: loss {total / len(train_x):.3f}, "
                f"train {correct / len(train_x):.3f}, test {accuracy:.3f}"
            )
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
