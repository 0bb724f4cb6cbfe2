"""Gestures drawn in the air with a phone, recognised from its accelerometer.

cause: inputs-ignored
family: rnn
metric: accuracy, higher
repair:
    - return self.fc(h0[-1])
    + return self.fc(hn[-1])
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(11)
torch.manual_seed(11)

GESTURES = ["circle", "swipe", "shake", "figure eight", "chop"]
hidden_size, num_layers, seq_len = 48, 1, 40


def record(g):
    t = np.linspace(0, 1, seq_len)
    speed, phase = np.random.uniform(0.8, 1.25), np.random.uniform(0, 0.5)
    w = 2 * np.pi * speed
    if g == 0:
        a = [np.cos(w * t + phase), np.sin(w * t + phase), 0 * t]
    elif g == 1:
        a = [2 * np.exp(-(((t - 0.4) * 6) ** 2)) - 2 * np.exp(-(((t - 0.65) * 6) ** 2)), 0 * t, 0.2 * t]
    elif g == 2:
        a = [1.3 * np.sin(5 * w * t + phase), 0.3 * np.sin(5 * w * t), 0 * t]
    elif g == 3:
        a = [np.cos(w * t + phase), np.sin(2 * w * t + 2 * phase), 0 * t]
    else:
        a = [0 * t, 0.3 * t, -2 * np.exp(-(((t - 0.5 * speed) * 9) ** 2))]
    tilt = np.random.normal(0, 0.25, 3)
    return np.stack(a, 1) * np.random.uniform(0.7, 1.3) + tilt + np.random.normal(0, 0.3, (seq_len, 3))


def make_dataset(n):
    labels = np.random.randint(0, len(GESTURES), n)
    signals = np.stack([record(g) for g in labels])
    return TensorDataset(torch.tensor(signals, dtype=torch.float32), torch.tensor(labels))


class GRUNet(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers, num_classes):
        super().__init__()
        self.num_layers = num_layers
        self.hidden_size = hidden_size
        self.gru = nn.GRU(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        _, hn = self.gru(x, h0)
        self.state = hn.detach()  # for the live demo
        return self.fc(h0[-1])


train_loader = DataLoader(make_dataset(1600), batch_size=64, shuffle=True)
test_loader = DataLoader(make_dataset(500), batch_size=100)
model = GRUNet(3, hidden_size, num_layers, len(GESTURES))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

num_epochs = 14
for epoch in range(num_epochs):
    for signals, labels in train_loader:
        outputs = model(signals)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"Epoch [{epoch + 1}/{num_epochs}], Loss: {loss.item():.4f}")

model.eval()
with torch.no_grad():
    n_correct = 0
    for signals, labels in test_loader:
        n_correct += (model(signals).argmax(1) == labels).sum().item()
acc = n_correct / len(test_loader.dataset)
print(f"metric: {acc:.4f}")
