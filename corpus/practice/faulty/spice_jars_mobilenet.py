"""Spices on the shelf from a phone's pictures, depthwise separable convolutions and a decaying rate.

cause: learning-rate-decayed-to-zero
family: cnn
metric: accuracy, higher
repair:
    - optimizer.step()
    - scheduler.step()
    - seen += len(labels)
    + optimizer.step()
    + seen += len(labels)
    - val_acc = evaluate(model, val_loader)
    + scheduler.step()
    + val_acc = evaluate(model, val_loader)
"""

import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset, random_split

CLASSES = ["paprika", "curcuma", "pepper", "thyme", "cinnamon", "oregano", "curry"]
EPOCHS = 10


def make_photos(n):
    """Grains of a spice's colour and size before a background, under light of any colour."""
    g = torch.Generator().manual_seed(99)
    colours = torch.tensor(
        [
            [0.7, 0.3, 0.2],
            [0.75, 0.6, 0.2],
            [0.4, 0.4, 0.38],
            [0.4, 0.5, 0.3],
            [0.6, 0.4, 0.3],
            [0.42, 0.48, 0.3],
            [0.7, 0.55, 0.22],
        ]
    )
    grain = torch.tensor([1, 1, 3, 2, 1, 4, 2])
    labels = torch.randint(0, len(CLASSES), (n,), generator=g)
    photos = torch.empty(n, 3, 16, 16)
    for i, k in enumerate(labels.tolist()):
        s = int(grain[k])
        texture = torch.randn(1, 1, 16 // s + 1, 16 // s + 1, generator=g)
        texture = nn.functional.interpolate(texture, scale_factor=s)[0, :, :16, :16]
        light = 1 + 0.2 * torch.randn(3, 1, 1, generator=g)
        photos[i] = (colours[k][:, None, None] + 0.12 * texture) * light
    return photos + 0.1 * torch.randn(photos.shape, generator=g), labels


def separable(cin, cout, stride):
    return nn.Sequential(
        nn.Conv2d(cin, cin, 3, stride, 1, groups=cin, bias=False),
        nn.BatchNorm2d(cin),
        nn.ReLU6(inplace=True),
        nn.Conv2d(cin, cout, 1, bias=False),
        nn.BatchNorm2d(cout),
        nn.ReLU6(inplace=True),
    )


def build_model():
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, 1, 1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU6(inplace=True),
        separable(12, 24, 2),
        separable(24, 32, 1),
        separable(32, 48, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(48, len(CLASSES)),
    )


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    right = total = 0
    for images, labels in loader:
        right += (model(images).argmax(1) == labels).sum().item()
        total += len(labels)
    return right / total


def main():
    torch.manual_seed(1)
    photos, labels = make_photos(3000)
    dataset = TensorDataset((photos - photos.mean()) / photos.std(), labels)
    train_set, val_set = random_split(dataset, [2400, 600])
    train_loader = DataLoader(train_set, batch_size=48, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=200)
    model = build_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    scheduler = ExponentialLR(optimizer, gamma=0.85)
    for epoch in range(EPOCHS):
        model.train()
        seen, loss_sum = 0, 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            seen += len(labels)
            loss_sum += loss.item() * len(labels)
        val_acc = evaluate(model, val_loader)
        print(f"Epoch {epoch + 1:2d}/{EPOCHS} - loss: {loss_sum / seen:.4f} - val_acc: {val_acc:.4f}")
    print(f"metric: {val_acc:.4f}")


if __name__ == "__main__":
    main()
