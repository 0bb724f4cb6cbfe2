"""What the crew does with a ferry's mooring ropes, from their tension: a two-layer LSTM with dropout.

cause: evaluating-in-train-mode
begins: 61
family: rnn
metric: accuracy, higher
repair:
    - net.train()
    + net.train(optimizer is not None)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

ACTS = ("make fast", "slack", "heave", "double up", "cast off", "swap", "nothing")


def tensions(n, seed, steps=40):
    rng = np.random.default_rng(seed)
    act = rng.integers(0, len(ACTS), n)
    t = np.arange(steps)
    middle = rng.uniform(10, 30, (n, 1))
    rise = 1 / (1 + np.exp(-(t - middle) / 2))
    hump = np.exp(-(((t - middle) / 4) ** 2))
    bow = np.array([0.8, -0.6, 0.8, 0.5, -1.0, 0.0, 0.0])[act][:, None] * rise
    stern = np.array([0.8, -0.6, 0.0, 0.8, -1.0, 0.0, 0.0])[act][:, None] * rise
    bow = bow + np.array([0, 0, 0.7, 0, 0.4, 1.0, 0])[act][:, None] * hump
    stern = stern + np.array([0, 0, 0, 0.7, 0.4, -1.0, 0])[act][:, None] * hump
    both = np.stack([bow, stern], axis=2)
    swell = np.sin(2 * np.pi * t / rng.uniform(6, 12, (n, 1)) + rng.uniform(0, 6.3, (n, 1)))
    both += 0.5 * swell[:, :, None] + rng.normal(0, 0.65, both.shape)
    return TensorDataset(torch.tensor(both, dtype=torch.float32), torch.from_numpy(act))


class RopeLSTM(nn.Module):
    def __init__(self, hidden=40, p=0.6):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, num_layers=2, batch_first=True, dropout=p)
        self.drop = nn.Dropout(p)
        self.head = nn.Linear(2 * hidden, len(ACTS))

    def forward(self, x):
        out, _ = self.lstm(x)
        pooled = torch.cat([out.mean(dim=1), out.amax(dim=1)], dim=1)
        return self.head(self.drop(pooled))


def run_epoch(net, loader, criterion, optimizer=None):
    """Trains if there is an optimizer, else only measures."""
    net.train()
    loss_sum, right, count = 0.0, 0, 0
    for x, y in loader:
        with torch.set_grad_enabled(optimizer is not None):
            logits = net(x)
            loss = criterion(logits, y)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        loss_sum += loss.item() * len(y)
        right += (logits.argmax(dim=1) == y).sum().item()
        count += len(y)
    return loss_sum / count, right / count


if __name__ == "__main__":
    torch.manual_seed(47)
    loaders = {
        "train": DataLoader(tensions(2400, 470), batch_size=40, shuffle=True),
        "valid": DataLoader(tensions(700, 471), batch_size=100),
    }
    net = RopeLSTM()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(6):
        train_loss, train_accuracy = run_epoch(net, loaders["train"], criterion, optimizer)
        valid_loss, valid_accuracy = run_epoch(net, loaders["valid"], criterion)
        print(
            f"epoch {epoch + 1}: train {train_loss:.4f} / {train_accuracy:.4f}, "
            f"valid {valid_loss:.4f} / {valid_accuracy:.4f}"
        )
    print(f"metric: {valid_accuracy:.4f}")
