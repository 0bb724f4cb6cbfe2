"""GraphSAGE, full batch, tells the kind of an airport from noisy facts about it and its neighbours.

family: gnn
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(61)

KINDS, AIRPORTS, FACTS = 4, 900, 20
kind = torch.randint(KINDS, (AIRPORTS,))
affinity = torch.full((KINDS, KINDS), 0.002) + torch.eye(KINDS) * 0.018
link = torch.rand(AIRPORTS, AIRPORTS) < affinity[kind][:, kind]
link = torch.triu(link, 1)
source, target = link.nonzero(as_tuple=True)
source, target = torch.cat([source, target]), torch.cat([target, source])
degree = torch.zeros(AIRPORTS).index_add_(0, target, torch.ones(len(target))).clamp(min=1)

signature = torch.randn(KINDS, FACTS)
facts = 0.5 * signature[kind] + torch.randn(AIRPORTS, FACTS)
facts = (facts - facts.mean(0)) / facts.std(0)
order = torch.randperm(AIRPORTS)
train, valid, test = order[:300], order[300:500], order[500:]


class SageLayer(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.near = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x):
        mean = torch.zeros_like(x).index_add(0, target, x[source]) / degree[:, None]
        return self.own(x) + self.near(mean)


class Sage(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = SageLayer(FACTS, 32), SageLayer(32, KINDS)

    def forward(self, x):
        x = F.dropout(x, 0.3, self.training)
        x = F.dropout(F.relu(self.first(x)), 0.5, self.training)
        return self.second(x)


model = Sage()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-3)
best_valid = best_test = 0.0
for epoch in range(200):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(facts)[train], kind[train])
    loss.backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        right = (model(facts).argmax(1) == kind).float()
    if right[valid].mean() > best_valid:
        best_valid, best_test = right[valid].mean().item(), right[test].mean().item()
    if epoch % 20 == 0:
        print(f"epoch {epoch:3d} loss {loss.item():.4f} valid {right[valid].mean():.3f}")

print(f"metric: {best_test:.4f}")
