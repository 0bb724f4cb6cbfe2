"""An LSTM that foretells rain from the last day of barometer readings in pascal.

cause: inputs-not-scaled
family: rnn
metric: accuracy, higher
repair:
    - inputs = torch.tensor(np.stack(windows), dtype=torch.float32)[..., None]
    + inputs = torch.tensor((np.stack(windows) - 101000) / 400, dtype=torch.float32)[..., None]
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def weather(n, rng, hours=24):
    """Pressure at sea level by the hour; a fall that gathers speed brings rain."""
    windows, rains = [], []
    for _ in range(n):
        level = rng.normal(101000, 300)
        speed, bend = rng.normal(0, 12), rng.normal(0, 1.0)
        t = np.arange(hours) - hours / 2
        tide = 60 * np.sin(2 * np.pi * (np.arange(hours) + rng.uniform(0, 24)) / 12)
        pressure = level + speed * t + bend * t**2 / 2 + tide + rng.normal(0, 10, hours)
        windows.append(pressure)
        rains.append(float(speed + 8 * bend < 0))
    inputs = torch.tensor(np.stack(windows), dtype=torch.float32)[..., None]
    return inputs, torch.tensor(rains)


class RainModel(nn.Module):
    def __init__(self, hidden_size=32):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.fc(h[-1]).squeeze(-1)


def main():
    torch.manual_seed(21)
    rng = np.random.default_rng(21)
    train = TensorDataset(*weather(1200, rng))
    x_test, y_test = weather(400, rng)
    loader = DataLoader(train, batch_size=40, shuffle=True, drop_last=True)
    model = RainModel()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.RAdam(model.parameters(), lr=5e-3)
    for epoch in range(14):
        model.train()
        epoch_loss = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            epoch_loss += loss.item()
        print(f"Epoch {epoch + 1:02d} loss {epoch_loss / len(loader):.4f}")
    model.eval()
    with torch.no_grad():
        accuracy = ((model(x_test) > 0).float() == y_test).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
