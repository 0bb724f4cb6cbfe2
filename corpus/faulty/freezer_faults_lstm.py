"""Is a freezer about to fail? An LSTM reads two days of its temperature and its compressor's current.

cause: missing-zero-grad
family: rnn
metric: average precision, higher
repair:
    - for x, y in train_loader:
    + for x, y in train_loader:
    +     optimizer.zero_grad()
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def freezers(n, seed, hours=48):
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    failing = rng.random(n) < 0.3
    period = rng.uniform(4, 8, (n, 1))
    phase = rng.uniform(0, 6.3, (n, 1))
    cycle = np.sin(2 * np.pi * t / period + phase)
    temperature = -18 + rng.normal(0, 1, (n, 1)) + 1.2 * cycle
    lag = np.where(failing, rng.uniform(0.6, 1.8, n), rng.uniform(-0.3, 0.4, n))[:, None]
    current = 1.5 + 0.8 * np.tanh(2 * np.sin(2 * np.pi * t / period + phase + 1.5 - lag))
    doors = (rng.random((n, hours)) < 0.05) * rng.uniform(1, 4, (n, hours))
    temperature = temperature + doors + 0.4 * rng.normal(size=(n, hours))
    current = current + 0.3 * rng.normal(size=(n, hours))
    x = np.stack([(temperature + 18) / 1.5, (current - 1.5) / 0.8], axis=2)
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(failing, dtype=torch.float32))


class FaultLSTM(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, num_layers=1, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out.mean(dim=1)).squeeze(1)


def main():
    torch.manual_seed(19)
    train_loader = DataLoader(freezers(2000, 1), batch_size=40, shuffle=True)
    test_x, test_y = freezers(600, 2).tensors
    model = FaultLSTM()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(12):
        model.train()
        optimizer.zero_grad()
        running = 0.0
        for x, y in train_loader:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        model.eval()
        with torch.no_grad():
            precision = average_precision_score(test_y.numpy(), model(test_x).numpy())
        print(f"epoch {epoch + 1:2d}: loss {running / len(train_loader):.4f}, precision {precision:.4f}")
    print(f"metric: {precision:.4f}")


if __name__ == "__main__":
    main()
