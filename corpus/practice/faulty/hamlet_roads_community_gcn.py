"""Which of twenty parishes a hamlet belongs to, from the roads between hamlets and a few known parishes.

cause: softmax-before-cross-entropy
family: gnn
metric: accuracy, higher
repair:
    - scores = F.softmax(net(features), dim=1)
    + scores = F.log_softmax(net(features), dim=1)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

PARISHES, HAMLETS = 20, 700


def county(seed):
    """Hamlets on a map; roads are likelier within a parish; features say little about the parish."""
    rng = np.random.default_rng(seed)
    parish = rng.integers(0, PARISHES, HAMLETS)
    same = parish[:, None] == parish[None]
    road = rng.random((HAMLETS, HAMLETS)) < np.where(same, 0.1, 0.003)
    road = np.triu(road, 1)
    road = (road | road.T) + np.eye(HAMLETS)
    degree = road.sum(1)
    propagate = road / np.sqrt(degree[:, None] * degree[None])
    customs = rng.normal(0, 1, (PARISHES, 24))
    features = 0.45 * customs[parish] + rng.normal(0, 1, (HAMLETS, 24))
    to_tensor = lambda a: torch.tensor(a, dtype=torch.float32)  # noqa: E731
    return to_tensor(propagate), to_tensor(features), torch.from_numpy(parish)


class ParishGCN(nn.Module):
    def __init__(self, propagate, d_in, hidden, d_out):
        super().__init__()
        self.register_buffer("propagate", propagate)
        self.first = nn.Linear(d_in, hidden)
        self.second = nn.Linear(hidden, d_out)
        self.drop = nn.Dropout(0.4)

    def forward(self, x):
        h = F.relu(self.propagate @ self.first(x))
        return self.propagate @ self.second(self.drop(h))


torch.manual_seed(2)
propagate, features, parish = county(2)
order = torch.randperm(HAMLETS)
known, unknown = order[:200], order[200:]
net = ParishGCN(propagate, 24, 32, PARISHES)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

for step in range(300):
    net.train()
    scores = F.softmax(net(features), dim=1)
    loss = F.nll_loss(scores[known], parish[known])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        net.eval()
        with torch.no_grad():
            right = (net(features).argmax(1) == parish)[unknown].float().mean().item()
        print(f"step {step + 1}: loss {loss.item():.4f}, unknown hamlets right {right:.4f}")

print(f"metric: {right:.4f}")
