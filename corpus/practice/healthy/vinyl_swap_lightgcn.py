"""Records that members of a swap club may want next: LightGCN over the graph of members and records.

family: recommender
metric: recall at 20 on held-out swaps, higher
"""

import numpy as np
import torch
import torch.nn.functional as F

MEMBERS, RECORDS, DIM = 500, 400, 32
rng = np.random.default_rng(91)
torch.manual_seed(91)

taste = rng.dirichlet(np.full(8, 0.25), MEMBERS)
style = rng.dirichlet(np.full(8, 0.2), RECORDS)
fame = rng.pareto(1.5, RECORDS) + 0.2
train_pairs, test_items = [], []
for m in range(MEMBERS):
    p = (style @ taste[m]) ** 1.5 * fame
    n = rng.integers(8, 35)
    picks = rng.choice(RECORDS, n, replace=False, p=p / p.sum())
    held = max(2, n // 5)
    test_items.append(set(picks[:held].tolist()))
    train_pairs += [(m, r) for r in picks[held:].tolist()]
train_pairs = torch.tensor(train_pairs)


def normalised_adjacency(pairs):
    n = MEMBERS + RECORDS
    a = torch.zeros(n, n)
    a[pairs[:, 0], pairs[:, 1] + MEMBERS] = 1
    a = a + a.T
    d = a.sum(1).clamp(min=1).rsqrt()
    return (d[:, None] * a * d[None]).to_sparse()


class LightGCN(torch.nn.Module):
    def __init__(self, adjacency, layers=2):
        super().__init__()
        self.adjacency, self.layers = adjacency, layers
        self.table = torch.nn.Parameter(torch.empty(MEMBERS + RECORDS, DIM))
        torch.nn.init.normal_(self.table, std=0.1)

    def forward(self):
        h, total = self.table, self.table
        for _ in range(self.layers):
            h = self.adjacency @ h
            total = total + h
        total = total / (self.layers + 1)
        return total[:MEMBERS], total[MEMBERS:]


@torch.no_grad()
def recall(model, k=20):
    members, records = model()
    scores = members @ records.T
    scores[train_pairs[:, 0], train_pairs[:, 1]] = -torch.inf
    top = scores.topk(k, 1).indices.tolist()
    return float(np.mean([len(test_items[m] & set(top[m])) / len(test_items[m]) for m in range(MEMBERS)]))


def main():
    known = torch.zeros(MEMBERS, RECORDS, dtype=torch.bool)
    known[train_pairs[:, 0], train_pairs[:, 1]] = True
    model = LightGCN(normalised_adjacency(train_pairs))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    famous = known.sum(0).float()
    print(f"{len(train_pairs)} swaps")
    for epoch in range(16):
        total, n = 0.0, 0
        for idx in torch.randperm(len(train_pairs)).split(256):
            m, pos = train_pairs[idx].T
            neg = torch.randint(0, RECORDS, (len(m),))
            again = known[m, neg]
            neg[again] = torch.randint(0, RECORDS, (int(again.sum()),))
            members, records = model()
            gap = (members[m] * (records[pos] - records[neg])).sum(1)
            own = model.table
            size = own[m].pow(2).sum() + own[pos + MEMBERS].pow(2).sum() + own[neg + MEMBERS].pow(2).sum()
            loss = -F.logsigmoid(gap).mean() + 4e-3 * size / (2 * len(m))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, n = total + loss.item(), n + 1
        if epoch % 3 == 0:
            print(f"epoch {epoch} bpr {total / n:.4f} recall@20 {recall(model):.4f}")
    top = torch.where(known, -torch.inf, famous.expand(MEMBERS, -1)).topk(20, 1).indices.tolist()
    popular = np.mean([len(test_items[m] & set(top[m])) / len(test_items[m]) for m in range(MEMBERS)])
    print(f"most popular {popular:.4f}")
    print(f"metric: {recall(model):.4f}")


if __name__ == "__main__":
    main()
