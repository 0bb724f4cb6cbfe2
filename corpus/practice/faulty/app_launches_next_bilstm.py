"""A bidirectional LSTM that predicts which app a phone's user opens next.

cause: target-leak
family: rnn
metric: accuracy, higher
repair:
    - self.lstm = nn.LSTM(emb_dim, hidden, num_layers=1, batch_first=True, bidirectional=True)
    - self.decoder = nn.Linear(2 * hidden, n_apps)
    + self.lstm = nn.LSTM(emb_dim, hidden, num_layers=1, batch_first=True)
    + self.decoder = nn.Linear(hidden, n_apps)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

APPS = [
    "mail",
    "chat",
    "camera",
    "photos",
    "maps",
    "music",
    "news",
    "bank",
    "weather",
    "calendar",
    "browser",
    "notes",
    "game",
    "video",
]


def simulate_user(rng, length):
    """Habits: after an app come mostly two others, which also depend on the one before."""
    habit = np.random.default_rng(0).integers(0, len(APPS), (len(APPS), len(APPS), 2))
    apps = [int(rng.integers(len(APPS))), int(rng.integers(len(APPS)))]
    while len(apps) < length:
        u = rng.random()
        if u < 0.62:
            apps.append(int(habit[apps[-2] % 3, apps[-1], 0]))
        elif u < 0.84:
            apps.append(int(habit[apps[-2] % 3, apps[-1], 1]))
        else:
            apps.append(int(rng.integers(len(APPS))))
    return apps


class LaunchLog(Dataset):
    def __init__(self, logs):
        self.logs = logs

    def __len__(self):
        return len(self.logs)

    def __getitem__(self, i):
        return torch.tensor(self.logs[i])


class NextApp(nn.Module):
    def __init__(self, n_apps, emb_dim=24, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(n_apps, emb_dim)
        self.drop = nn.Dropout(0.1)
        self.lstm = nn.LSTM(emb_dim, hidden, num_layers=1, batch_first=True, bidirectional=True)
        self.decoder = nn.Linear(2 * hidden, n_apps)

    def forward(self, x):
        out, _ = self.lstm(self.drop(self.embed(x)))
        return self.decoder(self.drop(out))


@torch.no_grad()
def live_accuracy(model, logs):
    """As on the phone: only what was opened so far is known."""
    model.eval()
    logs = torch.tensor(logs)
    hits = total = 0
    for cut in (8, 16, 24):
        scores = model(logs[:, :cut])[:, -1]
        hits += (scores.argmax(1) == logs[:, cut]).sum().item()
        total += len(logs)
    return hits / total


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(5)
    logs = [simulate_user(rng, 29) for _ in range(1900)]
    train, test = logs[:1600], logs[1600:]
    loader = DataLoader(LaunchLog(train), batch_size=32, shuffle=True)
    model = NextApp(len(APPS))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(1, 9):
        model.train()
        losses = []
        for seq in loader:
            optimizer.zero_grad()
            logits = model(seq)[:, :-1]
            loss = criterion(logits.reshape(-1, len(APPS)), seq[:, 1:].reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        print(f"Epoch {epoch:02d} | train loss {np.mean(losses):.4f}")
    print(f"metric: {live_accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
