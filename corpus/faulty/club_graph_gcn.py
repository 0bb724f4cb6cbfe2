"""A graph convolutional network that finds communities in a random block graph.

cause: learning-rate-too-low
family: gnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=5e-4)
    + optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(42)
rng = np.random.default_rng(42)

# --- graph -----------------------------------------------------------------
clubs, per_club = 5, 80
n = clubs * per_club
label = np.repeat(np.arange(clubs), per_club)
same = label[:, None] == label[None, :]
adjacency = np.triu(rng.random((n, n)) < np.where(same, 0.10, 0.012), 1)
adjacency = (adjacency | adjacency.T).astype(np.float32) + np.eye(n, dtype=np.float32)
degree = adjacency.sum(1)
a_hat = torch.tensor(adjacency / np.sqrt(degree[:, None] * degree[None, :]))

centres = rng.normal(size=(clubs, 16))
features = torch.tensor(centres[label] * 0.45 + rng.normal(size=(n, 16)), dtype=torch.float32)
labels = torch.tensor(label)

order = torch.randperm(n)
train_idx, test_idx = order[:120], order[120:]


# --- model -----------------------------------------------------------------
class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout=0.3):
        super().__init__()
        self.w1 = nn.Linear(nfeat, nhid)
        self.w2 = nn.Linear(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, a):
        x = F.relu(a @ self.w1(x))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(a @ self.w2(x), dim=1)


model = GCN(16, 32, clubs)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=5e-4)

# --- training --------------------------------------------------------------
for epoch in range(300):
    model.train()
    optimizer.zero_grad()
    output = model(features, a_hat)
    loss = F.nll_loss(output[train_idx], labels[train_idx])
    loss.backward()
    optimizer.step()
    if epoch % 30 == 0:
        model.eval()
        with torch.no_grad():
            pred = model(features, a_hat).argmax(1)
        acc = (pred[test_idx] == labels[test_idx]).float().mean()
        print(f"Epoch {epoch:03d} | loss {loss.item():.4f} | test {acc.item():.4f}")

model.eval()
with torch.no_grad():
    pred = model(features, a_hat).argmax(1)
print("metric:", (pred[test_idx] == labels[test_idx]).float().mean().item())
