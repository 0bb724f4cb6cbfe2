"""Who is typing? A GRU over the rhythm of key presses.

cause: batch-too-small
also: learning-rate-too-high
family: rnn
metric: accuracy, higher
repair:
    - BATCH_SIZE = 1
    + BATCH_SIZE = 8
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 1
EPOCHS = 3
TYPISTS, KEYS = 6, 16


def recordings(n, seed):
    """Dwell and flight time of each key; every typist has a habit for some pairs of keys."""
    habits = np.random.default_rng(99)
    pace = habits.normal(0, 0.25, TYPISTS)
    dwell_habit = habits.normal(0, 0.5, (TYPISTS, 8))
    flight_habit = habits.normal(0, 0.5, (TYPISTS, 8))
    rng = np.random.default_rng(seed)
    who = rng.integers(0, TYPISTS, n)
    keys = rng.integers(0, 8, (n, KEYS))
    dwell = dwell_habit[who[:, None], keys] + rng.normal(0, 0.9, (n, KEYS))
    flight = pace[who, None] + flight_habit[who[:, None], keys] + rng.normal(0, 0.9, (n, KEYS))
    x = np.concatenate([np.eye(8)[keys], dwell[..., None], flight[..., None]], axis=2)
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(who))


class TypistGRU(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(10, hidden, batch_first=True)
        self.out = nn.Linear(hidden, TYPISTS)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.out(states.mean(dim=1))


@torch.no_grad()
def accuracy(model, dataset):
    x, who = dataset.tensors
    return (model(x).argmax(1) == who).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    train_set, test_set = recordings(600, 1), recordings(500, 2)
    loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
    model = TypistGRU()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for epoch in range(EPOCHS):
        losses = []
        for x, who in loader:
            loss = nn.functional.cross_entropy(model(x), who)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f} accuracy {accuracy(model, test_set):.3f}")
    print(f"metric: {accuracy(model, test_set):.4f}")
