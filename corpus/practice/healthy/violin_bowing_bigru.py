"""Where a violinist changes the bow, frame by frame; a bidirectional GRU under a clipped gradient.

family: rnn
metric: F1 of the changes, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FRAMES = 48


class Recording(Dataset):
    """Bow speed with its sign lost, loudness and brightness; 1 on the frame where the direction turns."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.x = np.zeros((n, FRAMES, 3), dtype=np.float32)
        self.y = np.zeros((n, FRAMES), dtype=np.float32)
        for i in range(n):
            t, direction, speed = 0, 1, np.zeros(FRAMES)
            while t < FRAMES:
                length = rng.integers(5, 14)
                stroke = direction * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 0.6
                end = min(t + length, FRAMES)
                speed[t:end] = stroke[: end - t] * rng.uniform(0.6, 1.4)
                if t:
                    self.y[i, t] = 1
                t, direction = t + length, -direction
            self.x[i, :, 0] = np.abs(speed) + rng.normal(0, 0.15, FRAMES)
            self.x[i, :, 1] = np.log(np.abs(speed) + 0.2) + rng.normal(0, 0.3, FRAMES)
            self.x[i, :, 2] = rng.normal(0, 0.5) + 0.3 * np.cumsum(rng.normal(0, 0.3, FRAMES))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class BowNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, 1)

    def forward(self, x):
        return self.out(self.gru(x)[0]).squeeze(-1)


def f1(model, data):
    model.eval()
    with torch.no_grad():
        said = model(torch.from_numpy(data.x)) > 0
    true = torch.from_numpy(data.y) > 0
    return (2 * (said & true).sum() / (said.sum() + true.sum())).item()


if __name__ == "__main__":
    torch.manual_seed(440)
    train, test = Recording(1200, 1), Recording(300, 2)
    loader = DataLoader(train, batch_size=32, shuffle=True)
    model = BowNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
    for epoch in range(8):
        model.train()
        mean = 0.0
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            mean += loss.item() / len(loader)
        print(f"epoch {epoch + 1}: loss {mean:.4f}, F1 {f1(model, test):.4f}")
    print(f"metric: {f1(model, test):.4f}")
