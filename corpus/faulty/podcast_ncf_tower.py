"""A two-column recommender with a tower of layers guesses which podcast a listener finishes.

cause: missing-activation
family: recommender
metric: accuracy, higher
repair:
    - h = self.drop(self.fc1(h))
    - h = self.drop(self.fc2(h))
    - return self.out(self.fc3(h)).squeeze(-1)
    + h = self.drop(self.relu(self.fc1(h)))
    + h = self.drop(self.relu(self.fc2(h)))
    + return self.out(self.relu(self.fc3(h))).squeeze(-1)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LISTENERS, SHOWS = 240, 160


def history(rng, n):
    """Listeners of five circles and shows of six genres: each circle has its own favourites."""
    circle = rng.integers(0, 5, LISTENERS)
    genre = rng.integers(0, 6, SHOWS)
    liking = np.where(rng.random((5, 6)) < 0.5, -1.6, 1.6)
    popular = rng.normal(0, 0.5, SHOWS)
    who, what = rng.integers(0, LISTENERS, n), rng.integers(0, SHOWS, n)
    score = liking[circle[who], genre[what]] + popular[what]
    finished = rng.random(n) < 1 / (1 + np.exp(-1.5 * score))
    return torch.tensor(who), torch.tensor(what), torch.tensor(finished, dtype=torch.float32)


class Tower(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.listener = nn.Embedding(LISTENERS, dim)
        self.show = nn.Embedding(SHOWS, dim)
        self.fc1 = nn.Linear(2 * dim, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 16)
        self.out = nn.Linear(16, 1)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.1)

    def forward(self, who, what):
        h = torch.cat([self.listener(who), self.show(what)], dim=-1)
        h = self.drop(self.fc1(h))
        h = self.drop(self.fc2(h))
        return self.out(self.fc3(h)).squeeze(-1)


def main():
    torch.manual_seed(31)
    who, what, finished = history(np.random.default_rng(31), 24000)
    train = TensorDataset(who[:20000], what[:20000], finished[:20000])
    loader = DataLoader(train, batch_size=256, shuffle=True)
    model = Tower()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(10):
        model.train()
        running = 0.0
        for w, s, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(w, s), y)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(y)
        model.eval()
        with torch.no_grad():
            guess = model(who[20000:], what[20000:]) > 0
        accuracy = (guess == finished[20000:].bool()).float().mean().item()
        print(f"[{epoch + 1:2d}] train loss {running / len(train):.4f}  test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
