"""Which pipes of a sewer network are in bad condition: a residual graph network, a third of them inspected.

family: gnn
metric: average precision on the pipes not inspected, higher
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

rng = np.random.default_rng(58)
torch.manual_seed(58)
N = 1800

# manholes on a plane, each pipe drains into a lower neighbour
xy = rng.random((N, 2))
order = np.argsort(xy[:, 1])
xy = xy[order]
edges = []
for i in range(1, N):
    d = ((xy[:i] - xy[i]) ** 2).sum(1)
    edges.append((i, int(d.argmin())))
    if rng.random() < 0.3:
        edges.append((i, int(d.argsort()[min(1, i - 1)])))
edges = np.array(edges)

soil = np.sin(7 * xy[:, 0]) + np.cos(5 * xy[:, 1] + 2 * xy[:, 0])
age = np.clip(rng.gamma(4, 12, N) + 15 * (xy[:, 0] < 0.4), 1, 130)
clay = rng.random(N) < 0.5
diameter = rng.choice([200, 250, 300, 400, 600], N, p=[0.3, 0.3, 0.2, 0.15, 0.05])
traffic = rng.exponential(1, N)
hidden = soil + 0.5 * rng.standard_normal(N)
logit = -3.6 + 0.045 * age + 0.8 * clay + 1.5 * hidden + 0.3 * traffic - 0.002 * diameter
bad = (rng.random(N) < 1 / (1 + np.exp(-logit))).astype(np.float32)
moisture = soil + 0.8 * rng.standard_normal(N)  # a poor sensor for the soil

X = np.column_stack([age, clay, diameter, traffic, moisture]).astype(np.float32)
X = torch.tensor((X - X.mean(0)) / X.std(0))
y = torch.tensor(bad)
A = torch.zeros(N, N)
A[edges[:, 0], edges[:, 1]] = 1
A = ((A + A.T) > 0).float()
A = (A / A.sum(1, keepdim=True).clamp(min=1)).to_sparse()

perm = torch.randperm(N)
train, val, test = perm[:600], perm[600:850], perm[850:]
print(f"{len(train)} inspected, bad {y[train].mean():.2f}")


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.own, self.near = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.drop = nn.Dropout(0.4)

    def forward(self, h):
        z = self.norm(h)
        return h + self.drop(torch.relu(self.own(z) + self.near(A @ z)))


class SewerNet(nn.Module):
    def __init__(self, width=16, depth=2):
        super().__init__()
        self.inp = nn.Linear(5, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))
        self.out = nn.Linear(width, 1)

    def forward(self):
        h = self.inp(X)
        for layer in self.layers:
            h = layer(h)
        return self.out(h).squeeze(1)


model = SewerNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
loss_fn = nn.BCEWithLogitsLoss()
best, best_state, waited = np.inf, None, 0
for epoch in range(500):
    model.train()
    optimizer.zero_grad()
    loss = loss_fn(model()[train], y[train])
    loss.backward()
    optimizer.step()
    if epoch % 5 == 0:
        model.eval()
        with torch.no_grad():
            out = model()
        val_loss = loss_fn(out[val], y[val]).item()
        if val_loss < best:
            best, waited = val_loss, 0
            best_state = {k: v.clone() for k, v in model.state_dict().items()}
        else:
            waited += 1
        if epoch % 20 == 0:
            ap = average_precision_score(y[val], out[val])
            print(f"{epoch:3d} loss {loss.item():.4f} val loss {val_loss:.4f} val AP {ap:.4f}")
        if waited == 8:
            break
model.load_state_dict(best_state)
model.eval()
with torch.no_grad():
    out = model()
print(f"true risk: {average_precision_score(y[test], logit[test.numpy()]):.4f}")
print(f"metric: {average_precision_score(y[test], out[test]):.4f}")
