"""Handwritten digits by a convolutional net whose weights are averaged over the last epochs (SWA).

family: cnn
metric: accuracy, higher
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.optim import swa_utils
from torch.utils.data import DataLoader, TensorDataset


def build():
    return nn.Sequential(
        nn.Conv2d(1, 20, 3, bias=False),
        nn.BatchNorm2d(20),
        nn.ReLU(),
        nn.Conv2d(20, 40, 3, stride=2, bias=False),
        nn.BatchNorm2d(40),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(160, 10),
    )


def test(model, loader):
    model.eval()
    right = total = 0
    with torch.inference_mode():
        for x, y in loader:
            right += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return right / total


if __name__ == "__main__":
    torch.manual_seed(55)
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    parts = train_test_split(x, torch.tensor(digits.target), test_size=0.3, random_state=55)
    train_loader = DataLoader(TensorDataset(parts[0], parts[2]), 48, shuffle=True, drop_last=True)
    test_loader = DataLoader(TensorDataset(parts[1], parts[3]), 256)

    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    averaged = swa_utils.AveragedModel(model)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    swa_schedule = swa_utils.SWALR(optimizer, swa_lr=0.03, anneal_epochs=2)
    for epoch in range(20):
        model.train()
        for image, label in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(image), label)
            loss.backward()
            optimizer.step()
        if epoch >= 10:
            averaged.update_parameters(model)
            swa_schedule.step()
        else:
            cosine.step()
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1} loss {loss.item():.4f} accuracy {test(model, test_loader):.4f}")
    swa_utils.update_bn(train_loader, averaged)
    print(f"metric: {test(averaged, test_loader):.4f}")
