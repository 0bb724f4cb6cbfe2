"""The next article a visitor of a tool shop looks at, a GRU with one table for input and output.

family: recommender
metric: recall at 5, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ARTICLES, STEPS = 300, 12


def sessions(count, seed):
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(2)
    follows = np.stack([world.permutation(ARTICLES)[:6] for _ in range(ARTICLES)])
    start = 1 / (1 + np.arange(ARTICLES)) ** 0.8
    start /= start.sum()
    out = np.zeros((count, STEPS + 1), dtype=np.int64)
    for row in out:
        row[0] = rng.choice(ARTICLES, p=start)
        for t in range(1, STEPS + 1):
            if rng.random() < 0.75:
                row[t] = follows[row[t - 1], min(rng.geometric(0.45) - 1, 5)]
            elif t > 1 and rng.random() < 0.5:
                row[t] = row[t - 2]
            else:
                row[t] = rng.choice(ARTICLES, p=start)
    return torch.from_numpy(out)


class SessionGRU(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.articles = nn.Embedding(ARTICLES, dim)
        nn.init.normal_(self.articles.weight, std=0.1)
        self.drop = nn.Dropout(0.2)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(ARTICLES))

    def forward(self, ids):
        h, _ = self.gru(self.drop(self.articles(ids)))
        return self.drop(h) @ self.articles.weight.T + self.bias


@torch.no_grad()
def recall(model, ids, k=5):
    model.eval()
    top = model(ids[:, :-1]).topk(k, dim=-1).indices
    return (top == ids[:, 1:, None]).any(-1).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(71)
    train, test = sessions(4000, 1), sessions(800, 3)
    loader = DataLoader(TensorDataset(train), batch_size=64, shuffle=True)
    model = SessionGRU()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(11):
        model.train()
        total = 0.0
        for (ids,) in loader:
            logits = model(ids[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(loader):.4f}, recall@5 {recall(model, test):.4f}")
    print(f"metric: {recall(model, test):.4f}")
