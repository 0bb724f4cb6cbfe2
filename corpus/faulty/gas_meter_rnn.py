"""A recurrent network with rectified units adds up what a gas meter counted while the boiler was on.

cause: exploding-gradients
family: rnn
metric: root mean squared error, lower
repair:
    - loss.backward()
    + loss.backward()
    + nn.utils.clip_grad_norm_(model.parameters(), 0.5)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LENGTH = 80


def meter(n, rng):
    """Pulses per interval, the boiler's switch, and the share of all pulses while it was on."""
    flow = rng.gamma(2.0, 0.25, (n, LENGTH))
    on = np.zeros((n, LENGTH))
    for row in on:
        start = rng.integers(0, LENGTH - 30)
        row[start : start + rng.integers(5, 30)] = 1
    used = (flow * on).sum(1)
    x = np.stack([flow, on], axis=2).astype(np.float32)
    return TensorDataset(torch.from_numpy(x), torch.tensor((used - 8.5) / 4.5, dtype=torch.float32))


class MeterReader(nn.Module):
    def __init__(self, hidden_size=80):
        super().__init__()
        self.rnn = nn.RNN(2, hidden_size, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(hidden_size, 1)
        for name, p in self.rnn.named_parameters():
            if "weight_hh" in name:
                nn.init.eye_(p)
            elif "bias" in name:
                nn.init.zeros_(p)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.fc(h[-1]).squeeze(-1)


def rmse(model, loader):
    model.eval()
    with torch.no_grad():
        errors = torch.cat([(model(x) - y) ** 2 for x, y in loader])
    return errors.mean().sqrt().item()


def main():
    torch.manual_seed(8)
    rng = np.random.default_rng(8)
    train_loader = DataLoader(meter(2000, rng), batch_size=50, shuffle=True)
    test_loader = DataLoader(meter(500, rng), batch_size=250)
    model = MeterReader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9)
    criterion = nn.MSELoss()
    for epoch in range(15):
        model.train()
        total = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        test = rmse(model, test_loader)
        print(f"epoch {epoch + 1}: train mse {total / len(train_loader):.4f}, test rmse {test:.4f}")
    print(f"metric: {rmse(model, test_loader):.4f}")


main()
