"""Breeds of dogs, seen from the side, with a backbone and a new head.

cause: frozen-parameters
family: cnn
metric: accuracy, higher
repair:
    - for param in model.parameters():
    -     param.requires_grad = False
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

BREEDS = {  # body's length, body's height, legs, ear, tail
    "dachshund": (9, 2.5, 2, 2, 4),
    "greyhound": (7, 3, 7, 1, 5),
    "bulldog": (6, 4, 3, 1, 1),
    "terrier": (5, 3, 4, 2, 2),
    "poodle": (5.5, 3.5, 6, 3, 2),
    "retriever": (7, 4, 5, 2.5, 5),
}


def dog(shape, rng, size=28):
    long, high, legs, ear, tail = np.array(shape) * rng.uniform(0.88, 1.12, 5)
    y, x = np.mgrid[0:size, 0:size].astype(float)
    x = (x - size / 2 - rng.uniform(-2, 2)) * rng.choice([-1, 1])
    y = y - 13 - rng.uniform(-2, 2)
    picture = (np.abs(x / long) ** 3 + np.abs(y / high) ** 3) < 1
    for foot in (-0.75, -0.5, 0.5, 0.75):
        picture |= (np.abs(x - foot * long) < 0.7) & (y > 0) & (y < high + legs)
    head = np.hypot(x - long - 1, y + high) < 2.4
    picture |= head | (np.hypot(x - long - 0.5, (y + high + 2 - ear) / 1.4) < ear * 0.8)
    picture |= (np.abs(y + high * 0.5 + 0.7 * (-x - long)) < 0.8) & (x < -long) & (x > -long - tail)
    coat, ground = rng.uniform(0.1, 0.5, (3, 1, 1)), rng.uniform(0.6, 1, (3, 1, 1))
    return np.where(picture, coat, ground) + rng.normal(0, 0.06, (3, size, size))


def dataset(n, rng):
    labels = rng.integers(0, len(BREEDS), n)
    shapes = list(BREEDS.values())
    images = np.stack([dog(shapes[k], rng) for k in labels])
    return TensorDataset(torch.tensor((images - 0.5) / 0.28, dtype=torch.float32), torch.tensor(labels))


def conv_bn(c_in, c_out, stride):
    conv = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class SmallNet(nn.Module):
    def __init__(self, num_classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            conv_bn(3, 16, 1), conv_bn(16, 24, 2), conv_bn(24, 32, 2), conv_bn(32, 48, 2)
        )
        self.fc = nn.Linear(48, num_classes)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def smallnet(num_classes=1000):
    return SmallNet(num_classes)


def train_model(model, loaders, criterion, optimizer, scheduler, num_epochs):
    for epoch in range(num_epochs):
        for phase in ("train", "val"):
            model.train(phase == "train")
            running_loss, running_corrects, seen = 0.0, 0, 0
            for inputs, labels in loaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * len(labels)
                running_corrects += (outputs.argmax(1) == labels).sum().item()
                seen += len(labels)
            if phase == "train":
                scheduler.step()
            print(f"{epoch} {phase} Loss: {running_loss / seen:.4f} Acc: {running_corrects / seen:.4f}")
    return running_corrects / seen


if __name__ == "__main__":
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    loaders = {
        "train": DataLoader(dataset(1500, rng), batch_size=32, shuffle=True),
        "val": DataLoader(dataset(500, rng), batch_size=100),
    }
    model = smallnet()
    for param in model.parameters():
        param.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, len(BREEDS))
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = optim.SGD(trainable, lr=0.05, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    accuracy = train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=10)
    print(f"metric: {accuracy:.4f}")
