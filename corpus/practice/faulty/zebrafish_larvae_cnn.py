"""Zebrafish larvae under the microscope: normal, curved, short or with a swollen heart.

cause: labels-misaligned
family: cnn
metric: accuracy, higher
repair:
    - labels = labels.repeat_interleave(3)
    + labels = labels.repeat(3)
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

H, W = 16, 28
device = torch.device("cpu")


def larva(kind):
    y = torch.linspace(-1, 1, H).view(H, 1)
    x = torch.linspace(-1.75, 1.75, W).view(1, W)
    bend = (0.1 if kind != 1 else 0.35 + 0.2 * torch.rand(1)) * (1 if torch.rand(1) < 0.5 else -1)
    length = 1.4 if kind != 2 else 0.75
    length = length * (0.9 + 0.2 * torch.rand(1))
    spine = bend * (x**2 - 0.5)
    thickness = 0.16 * (1 - x / length).clamp(min=0).sqrt().clamp(max=1) + 1e-3
    body = torch.exp(-((y - spine) ** 2) / (2 * thickness**2)) * torch.sigmoid(12 * (length - x.abs()))
    heart = 0.12 if kind != 3 else 0.3
    heart = torch.exp(-((x + 0.4 * length) ** 2 + (y - spine - 0.15) ** 2) / (2 * heart**2))
    return 0.8 * body + 0.6 * heart + 0.18 * torch.randn(H, W)


def well_plate(n):
    kinds = torch.randint(4, (n,))
    return torch.stack([larva(k) for k in kinds.tolist()]).unsqueeze(1), kinds


def augment(images, labels):
    images = torch.cat([images, images.flip(-1), images + 0.1 * torch.randn_like(images)])
    labels = labels.repeat_interleave(3)
    return images, labels


class LarvaNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=3, padding=1)
        self.drop = nn.Dropout(0.25)
        self.fc1 = nn.Linear(20 * 4 * 7, 50)
        self.fc2 = nn.Linear(50, 4)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(self.drop(x)))
        return self.fc2(x)


def train(model, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        if batch_idx % 20 == 0:
            print(f"Train Epoch: {epoch} [{batch_idx}/{len(loader)}]\tLoss: {loss.item():.6f}")


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            correct += (model(data.to(device)).argmax(1) == target.to(device)).sum().item()
    print(f"Test set: Accuracy: {correct}/{len(loader.dataset)}")
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(1)
    train_x, train_y = augment(*well_plate(800))
    test_x, test_y = well_plate(500)
    train_loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    test_loader = DataLoader(TensorDataset(test_x, test_y), batch_size=250)
    model = LarvaNet().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, 13):
        train(model, train_loader, optimizer, epoch)
        accuracy = test(model, test_loader)
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
