"""Next dish in a canteen's ordering sessions, by a recurrent recommender with tied item vectors.

family: recommender
metric: recall at 10, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

N_DISHES, MAX_LEN = 300, 12


def sessions(n, rng):
    """Guests drift between neighbouring dishes of a cuisine; now and then they pick what is popular."""
    kitchen = np.random.default_rng(0)
    follow = kitchen.integers(1, N_DISHES + 1, (N_DISHES + 1, 4))
    popular = 1 / np.arange(1, N_DISHES + 1) ** 0.9
    popular /= popular.sum()
    out = np.zeros((n, MAX_LEN), dtype=np.int64)
    for s in range(n):
        length = rng.integers(4, MAX_LEN + 1)
        item = 1 + rng.choice(N_DISHES, p=popular)
        for t in range(length):
            out[s, t] = item
            u = rng.random()
            if u < 0.65:
                item = follow[item, rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])]
            else:
                item = 1 + rng.choice(N_DISHES, p=popular)
    return out


class SessionDataset(Dataset):
    def __init__(self, n, seed):
        self.data = torch.from_numpy(sessions(n, np.random.default_rng(seed)))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        return self.data[i, :-1], self.data[i, 1:]


class GRU4Rec(nn.Module):
    def __init__(self, n_items, dim=48):
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        nn.init.normal_(self.items.weight[1:], std=dim**-0.5)
        self.drop = nn.Dropout(0.2)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(n_items + 1))

    def forward(self, x):
        h, _ = self.gru(self.drop(self.items(x)))
        return F.linear(self.drop(h), self.items.weight, self.bias)


def recall_at(model, loader, k=10):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            scores[..., 0] = -torch.inf
            found = (scores.topk(k, dim=-1).indices == y.unsqueeze(-1)).any(-1)
            hits += found[y > 0].sum().item()
            total += (y > 0).sum().item()
    return hits / total


if __name__ == "__main__":
    torch.manual_seed(33)
    train_loader = DataLoader(SessionDataset(4000, 1), batch_size=64, shuffle=True)
    val_loader = DataLoader(SessionDataset(600, 2), batch_size=200)
    model = GRU4Rec(N_DISHES)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
    for epoch in range(8):
        model.train()
        running = 0.0
        for x, y in train_loader:
            logits = model(x)
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += loss.item()
        recall = recall_at(model, val_loader)
        print(f"epoch {epoch + 1} loss {running / len(train_loader):.4f} recall@10 {recall:.4f}")
    print(f"metric: {recall:.4f}")
