"""Six conditions of a cold store's compressor from windows of raw converter counts, 0 to 1023.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - for window, condition in loader:
    + net.train()
    + for window, condition in loader:
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

CONDITIONS = ["idle", "normal", "low refrigerant", "worn bearing", "loose mount", "icing"]


def windows(n, seed, length=128):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(CONDITIONS), n)
    t = np.arange(length)
    main, second, knocks = np.array(
        [[0.1, 0.05, 0], [1, 0.2, 0], [1, 0.7, 0], [1, 0.2, 1], [1.6, 0.2, 0.4], [0.6, 0.5, 0.2]]
    )[kind].T
    phase = rng.uniform(0, 6.3, (n, 2))
    wave = main[:, None] * np.sin(t / 4.1 + phase[:, :1]) + second[:, None] * np.sin(t / 1.7 + phase[:, 1:])
    hits = rng.random((n, length)) < 0.04
    wave += knocks[:, None] * hits * rng.normal(0, 2.5, (n, length))
    counts = 512 + rng.normal(0, 25, (n, 1)) + 60 * wave + rng.normal(0, 30, (n, length))
    counts = counts.round().clip(0, 1023)
    return torch.tensor(counts, dtype=torch.float32).unsqueeze(1), torch.from_numpy(kind)


def conv_bn(c_in, c_out, kernel, stride):
    return nn.Sequential(nn.Conv1d(c_in, c_out, kernel, stride), nn.BatchNorm1d(c_out), nn.ReLU())


class ConditionNet(nn.Module):
    def __init__(self, length, classes):
        super().__init__()
        self.length = length
        self.features = nn.Sequential(
            nn.BatchNorm1d(1), conv_bn(1, 16, 7, 2), conv_bn(16, 24, 5, 2), conv_bn(24, 32, 5, 2)
        )
        self.classifier = nn.Linear(self.feature_size, classes)

    @property
    def feature_size(self):
        """The number of features after all convolutions, found by passing one empty window."""
        self.eval()
        with torch.no_grad():
            return self.features(torch.zeros(1, 1, self.length)).numel()

    def forward(self, window):
        return self.classifier(self.features(window).flatten(1))


def train_one_epoch(net, loader, optimizer, criterion):
    total = 0.0
    for window, condition in loader:
        optimizer.zero_grad()
        loss = criterion(net(window), condition)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.inference_mode()
def accuracy(net, window, condition):
    net.eval()
    return (net(window).argmax(dim=1) == condition).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(1023)
    x, y = windows(1500, 1)
    x_test, y_test = windows(600, 2)
    loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
    net = ConditionNet(x.size(-1), len(CONDITIONS))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        loss = train_one_epoch(net, loader, optimizer, criterion)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy(net, x_test, y_test):.4f}")
    print(f"metric: {accuracy(net, x_test, y_test):.4f}")
