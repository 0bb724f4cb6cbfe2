"""Gestures from the accelerometer of a wristband, read by two LSTM layers.

cause: inputs-ignored
family: rnn
metric: accuracy, higher
repair:
    - self.lstm = nn.LSTM(channels, hidden, num_layers=layers, dropout=0.1)
    + self.lstm = nn.LSTM(channels, hidden, num_layers=layers, dropout=0.1, batch_first=True)
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def gestures(n, length=24):
    label = torch.randint(5, (n,))
    t = torch.linspace(0, 1, length).expand(n, length)
    phase = 2 * math.pi * torch.rand(n, 1)
    speed = 2 * math.pi * (1.2 + 0.4 * torch.rand(n, 1))
    angle = speed * t + phase
    x, y = torch.cos(angle), torch.sin(angle)
    y = torch.where((label == 1)[:, None], -y, y)
    y = torch.where((label == 2)[:, None], torch.cos(2 * angle), y)
    x = torch.where((label == 3)[:, None], torch.sign(x) * 0.8, x)
    wobble = torch.where((label == 4)[:, None], torch.cos(3 * angle), torch.zeros_like(angle))
    signal = torch.stack([x, y, wobble], 2)
    return signal + 0.15 * torch.randn_like(signal), label


class GestureNet(nn.Module):
    def __init__(self, channels=3, hidden=32, layers=2, classes=5):
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, num_layers=layers, dropout=0.1)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out[:, -1])


def accuracy(model, loader):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for x, y in loader:
            hits += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return hits / total


def main():
    torch.manual_seed(5)
    train = DataLoader(TensorDataset(*gestures(1200)), batch_size=40, shuffle=True)
    test = DataLoader(TensorDataset(*gestures(400)), batch_size=40)
    model = GestureNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    for epoch in range(12):
        model.train()
        running = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            running += loss.item()
        print(f"[{epoch + 1:2d}] loss {running / len(train):.3f} test accuracy {accuracy(model, test):.3f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
