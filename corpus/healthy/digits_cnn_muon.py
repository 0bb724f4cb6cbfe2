"""A convolutional net on handwritten digits with softened labels, trained by Muon.

family: cnn
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import descend


def conv_net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def batches(images, labels, size, generator):
    order = torch.randperm(len(images), generator=generator)
    for i in range(0, len(order) - size + 1, size):
        yield images[order[i : i + size]], labels[order[i : i + size]]


def main(epochs=10):
    torch.manual_seed(7)
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 8 - 1
    labels = torch.tensor(labels)
    train, test = train_test_split(torch.arange(len(labels)), test_size=0.25, random_state=0)

    model = conv_net()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = descend.optimizer("muon", model, lr=0.02, weight_decay=0.01)
    generator = torch.Generator().manual_seed(1)
    steps_per_epoch = len(train) // 64
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.02, 1 - step / (epochs * steps_per_epoch))
    )

    for epoch in range(epochs):
        for image, label in batches(images[train], labels[train], 64, generator):
            optimizer.zero_grad()
            loss = criterion(model(image), label)
            loss.backward()
            optimizer.step()
            scheduler.step()
        print(f"epoch {epoch} smoothed loss {loss.item():.3f}")

    with torch.no_grad():
        accuracy = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
