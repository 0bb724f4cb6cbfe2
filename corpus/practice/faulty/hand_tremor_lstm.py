"""Kind of hand tremor from a wrist sensor's three axes, read as counts of its converter.

cause: inputs-not-scaled
family: rnn
metric: accuracy, higher
repair:
    - signals = torch.tensor(np.stack(signals), dtype=torch.float32)
    + signals = torch.tensor(np.stack(signals), dtype=torch.float32)
    + signals = (signals - signals.mean(dim=(0, 1))) / signals.std(dim=(0, 1))
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

LABELS = ["rest", "postural", "intention", "none"]
RATE = 50


def record(kind, rng, length=50):
    """One second in 12-bit counts; the axis along gravity sits off the middle."""
    t = np.arange(length) / RATE
    frequency = {0: rng.uniform(3.5, 6), 1: rng.uniform(6.5, 11), 2: rng.uniform(2, 3.8), 3: 0.0}[kind]
    phase = rng.uniform(0, 2 * np.pi)
    envelope = np.ones(length)
    if kind == 2:
        envelope = np.linspace(0.2, 1.8, length)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    wave = rng.uniform(70, 200) * envelope * np.sin(2 * np.pi * frequency * t + phase)
    drift = rng.normal(0, 4, (length, 3)).cumsum(0)
    offset = np.array([2048, 2048, 2860]) + rng.normal(0, 25, 3)
    counts = offset + wave[:, None] * direction + drift + rng.normal(0, 18, (length, 3))
    return np.round(counts).clip(0, 4095)


def load_recordings(n=2200):
    rng = np.random.default_rng(11)
    kinds = rng.integers(0, len(LABELS), n)
    signals = [record(kind, rng) for kind in kinds]
    signals = torch.tensor(np.stack(signals), dtype=torch.float32)
    return TensorDataset(signals, torch.tensor(kinds))


class TremorLSTM(nn.Module):
    def __init__(self, hidden_size=64):
        super().__init__()
        self.lstm = nn.LSTM(input_size=3, hidden_size=hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, len(LABELS))

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out.mean(dim=1))


def train(model, train_loader, val_loader, epochs=16, lr=3e-3):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        total_loss = 0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total_loss += loss.item()
        model.eval()
        correct = 0
        with torch.no_grad():
            for x, y in val_loader:
                correct += (model(x).argmax(1) == y).sum().item()
        accuracy = correct / len(val_loader.dataset)
        print(f"Epoch [{epoch + 1}/{epochs}] loss {total_loss / len(train_loader):.4f} val {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    torch.manual_seed(11)
    train_set, val_set = random_split(load_recordings(), [1800, 400])
    model = TremorLSTM()
    result = train(
        model, DataLoader(train_set, batch_size=50, shuffle=True), DataLoader(val_set, batch_size=200)
    )
    print(f"metric: {result:.4f}")
