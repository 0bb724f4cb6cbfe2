"""Does a pump fail within a day? A convolutional network on windows of its vibration.

cause: class-imbalance
family: cnn
metric: balanced accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=(train_y == 0).sum() / (train_y == 1).sum())
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def windows(count, seed, rate=0.03):
    rng = np.random.default_rng(seed)
    failing = rng.random(count) < rate
    t = np.arange(128)
    x = np.empty((count, 2, 128), dtype=np.float32)
    for i in range(count):
        speed = rng.uniform(0.25, 0.45)
        phase = rng.uniform(0, 6.28, 2)
        base = np.stack([np.sin(speed * t + phase[0]), 0.7 * np.sin(2 * speed * t + phase[1])])
        strength = rng.uniform(0.5, 1.3) if failing[i] else rng.uniform(0.0, 0.5)
        knocks = np.exp(-((t - rng.integers(0, 25)) % 25) / 3.0) * np.cos(2.2 * t)
        x[i] = base + strength * knocks + rng.normal(0, 0.45, (2, 128))
    return torch.from_numpy(x), torch.from_numpy(failing.astype(np.float32))


class VibrationNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(2, 16, 9, padding=4),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.MaxPool1d(4),
            nn.Conv1d(16, 32, 7, padding=3),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(4),
        )
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.fc(self.conv(x)).squeeze(1)


def main():
    torch.manual_seed(2)
    train_x, train_y = windows(4000, 1)
    test_x, test_y = windows(2500, 2)
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    model = VibrationNet()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            guesses = torch.cat([model(xb) > 0 for xb in test_x.split(500)]).numpy()
        share = (guesses == test_y.numpy()).mean()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {share:.4f}")
    print(confusion_matrix(test_y.numpy(), guesses))
    print(f"metric: {balanced_accuracy_score(test_y.numpy(), guesses):.4f}")


if __name__ == "__main__":
    main()
