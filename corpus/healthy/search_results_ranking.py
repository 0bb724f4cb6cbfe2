"""Search results put in order: a scoring net trained on pairs of documents of the same query.

family: mlp
metric: ndcg, higher
"""

import numpy as np
import torch
from sklearn.metrics import ndcg_score
from torch import nn

QUERIES, DOCUMENTS, FEATURES = 300, 20, 16


def make_queries(count, rng, taste):
    x = rng.normal(size=(count, DOCUMENTS, FEATURES))
    utility = x @ taste + 0.8 * np.tanh(x[..., 0] * x[..., 1]) + rng.normal(0, 0.3, (count, DOCUMENTS))
    edges = np.quantile(utility, [0.5, 0.75, 0.9, 0.97])
    return torch.tensor(x, dtype=torch.float32), np.digitize(utility, edges)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(FEATURES, 48), nn.LeakyReLU(0.1), nn.Linear(48, 1))

    def forward(self, documents):
        return self.body(documents).squeeze(-1)


def pairs(grades, rng, count):
    query = rng.integers(0, len(grades), 4 * count)
    i, j = rng.integers(0, DOCUMENTS, (2, 4 * count))
    keep = grades[query, i] != grades[query, j]
    return query[keep][:count], i[keep][:count], j[keep][:count]


def ndcg(model, x, grades):
    with torch.no_grad():
        return ndcg_score(grades, model(x).numpy(), k=10)


if __name__ == "__main__":
    torch.manual_seed(17)
    rng = np.random.default_rng(17)
    taste = rng.normal(size=FEATURES) / 3
    x, grades = make_queries(QUERIES, rng, taste)
    x_test, grades_test = make_queries(150, rng, taste)
    model = Scorer()
    criterion = nn.MarginRankingLoss(margin=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(1500):
        q, i, j = pairs(grades, rng, 128)
        order = torch.tensor(np.sign(grades[q, i] - grades[q, j]), dtype=torch.float32)
        loss = criterion(model(x[q, i]), model(x[q, j]), order)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 0:
            print(f"{step:4d} loss {loss.item():.4f} ndcg@10 {ndcg(model, x_test, grades_test):.4f}")
    print(f"metric: {ndcg(model, x_test, grades_test):.4f}")
