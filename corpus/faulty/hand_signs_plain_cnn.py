"""A deep convolutional network in the manner of VGG counts the raised fingers of drawn hands.

cause: vanishing-gradients
also: poor-initial-values
family: cnn
metric: accuracy, higher
repair:
    - layers += [nn.Conv2d(channels, v, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
    + layers += [nn.Conv2d(channels, v, kernel_size=3, padding=1), nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
"""

import numpy as np
import torch
import torch.nn as nn

CFG = [12, 12, 12, "M", 16, 16, 16, 16, "M", 24, 24, 24, 24, "M", 24, 24, 24]


def hands(n, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:24, 0:24].astype(np.float32)
    pictures = np.zeros((n, 1, 24, 24), np.float32)
    fingers = rng.integers(1, 6, n)
    for i in range(n):
        r, c = rng.uniform(14, 16), rng.uniform(10, 14)
        picture = (np.hypot(x - c, y - r) < 4.5).astype(np.float32)
        for k in rng.choice(5, fingers[i], replace=False):
            a = (k - 2) * 0.55 + rng.normal(0, 0.06)
            along = (x - c) * np.sin(a) - (y - r) * np.cos(a)
            across = (x - c) * np.cos(a) + (y - r) * np.sin(a)
            picture[(along > 0) & (along < rng.uniform(9, 11)) & (np.abs(across) < 0.9)] = 1
        pictures[i, 0] = picture * rng.uniform(0.6, 1) + rng.normal(0, 0.1, (24, 24))
    return torch.from_numpy((pictures - 0.3) / 0.4), torch.from_numpy(fingers - 1)


def make_layers(cfg):
    layers = []
    channels = 1
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            layers += [nn.Conv2d(channels, v, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            channels = v
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, num_classes=5):
        super().__init__()
        self.features = make_layers(CFG)
        self.classifier = nn.Sequential(nn.Linear(24 * 9, 64), nn.ReLU(), nn.Linear(64, num_classes))

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.flatten(1))


def train(model, x, y, optimizer, batch_size=32):
    model.train()
    losses = []
    for index in torch.randperm(len(x)).split(batch_size):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[index]), y[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(1)
    x_train, y_train = hands(1600, seed=1)
    x_test, y_test = hands(500, seed=2)
    model = VGG()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    for epoch in range(7):
        loss = train(model, x_train, y_train, optimizer)
        accuracy = test(model, x_test, y_test)
        print(f"Epoch {epoch}: loss {loss:.4f}, test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
