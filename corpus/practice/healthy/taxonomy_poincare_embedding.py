"""A taxonomy of 400 invented animals in the Poincaré disc: Riemannian SGD with a burn-in.

family: embedding
metric: mean average precision of the reconstructed ancestors, higher
"""

import numpy as np
import torch

N, DIM, NEGATIVES, EPS = 400, 5, 10, 1e-5
rng = np.random.default_rng(44)
torch.manual_seed(44)

parent = np.zeros(N, dtype=int)
depth = np.zeros(N, dtype=int)
for i in range(1, N):
    parent[i] = (i - 1) // 4
    depth[i] = depth[parent[i]] + 1

related = np.zeros((N, N), dtype=bool)
pairs = []
for i in range(1, N):
    j = i
    while j:
        j = parent[j]
        pairs.append((i, j))
        related[i, j] = True
pairs = torch.tensor(pairs)
print(f"{len(pairs)} pairs of descendant and ancestor, depth {depth.max()}")
unrelated = [torch.tensor(np.flatnonzero(~related[i] & (np.arange(N) != i))) for i in range(N)]


def distance(u, v):
    uu = (1 - u.pow(2).sum(-1)).clamp(min=EPS)
    vv = (1 - v.pow(2).sum(-1)).clamp(min=EPS)
    gap = (u - v).pow(2).sum(-1)
    return torch.acosh((1 + 2 * gap / (uu * vv)).clamp(min=1 + 1e-7))


class RiemannianSGD(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                scale = (1 - p.pow(2).sum(-1, keepdim=True)).pow(2) / 4
                p.add_(scale * p.grad, alpha=-group["lr"])
                norm = p.norm(dim=-1, keepdim=True)
                p.copy_(torch.where(norm >= 1, p / norm * (1 - EPS), p))


def mean_average_precision(points):
    d = distance(points[:, None], points[None]).numpy()
    np.fill_diagonal(d, np.inf)
    scores = []
    for i in range(1, N):
        ranks = np.argsort(d[i])
        hits = related[i][ranks]
        places = np.flatnonzero(hits) + 1
        scores.append((np.arange(1, len(places) + 1) / places).mean())
    return float(np.mean(scores))


points = torch.nn.Parameter(torch.empty(N, DIM, dtype=torch.float64).uniform_(-1e-3, 1e-3))
optimizer = RiemannianSGD([points], lr=0.0)
BURN_IN, EPOCHS = 10, 60
for epoch in range(EPOCHS):
    optimizer.param_groups[0]["lr"] = 1.0 if epoch < BURN_IN else 25.0
    total = 0.0
    for rows in torch.randperm(len(pairs)).split(50):
        u, v = pairs[rows].T
        picks = [unrelated[i][torch.randint(0, len(unrelated[i]), (NEGATIVES,))] for i in u.tolist()]
        wrong = torch.stack(picks)
        others = torch.cat([v[:, None], wrong], 1)
        d = distance(points[u][:, None], points[others])
        loss = torch.nn.functional.cross_entropy(-d, torch.zeros(len(u), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(u)
    if epoch % 6 == 5:
        score = mean_average_precision(points.detach())
        print(f"epoch {epoch + 1} loss {total / len(pairs):.4f} MAP {score:.4f}")
print(f"metric: {mean_average_precision(points.detach()):.4f}")
