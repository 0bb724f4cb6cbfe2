"""A graph convolutional network that sorts papers of a generated citation graph into topics.

cause: softmax-before-cross-entropy
family: gnn
metric: accuracy, higher
repair:
    - return log_p.exp()
    + return log_p
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)

TOPICS, NODES, WORDS = 8, 640, 120


def citation_graph():
    topic = torch.arange(NODES) % TOPICS
    same = topic[:, None] == topic[None, :]
    chance = torch.where(same, 0.025, 0.004)
    edges = (torch.rand(NODES, NODES) < chance).triu(1)
    adjacency = (edges | edges.T).float()
    habit = torch.rand(TOPICS, WORDS) ** 6 * 0.35
    words = (torch.rand(NODES, WORDS) < habit[topic] + 0.04).float()
    return adjacency, words, topic


def normalise(adjacency):
    a = adjacency + torch.eye(len(adjacency))
    d = a.sum(1).rsqrt()
    return d[:, None] * a * d[None, :]


class GCN(nn.Module):
    def __init__(self, width=32, dropout=0.3):
        super().__init__()
        self.first = nn.Linear(WORDS, width)
        self.second = nn.Linear(width, TOPICS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, a, x):
        h = F.relu(a @ self.first(x))
        log_p = F.log_softmax(a @ self.second(self.dropout(h)), dim=-1)
        return log_p.exp()


adjacency, x, y = citation_graph()
a = normalise(adjacency)
x = x / x.sum(1, keepdim=True).clamp(min=1)

shuffled = torch.randperm(NODES)
train, val, test = shuffled[:200], shuffled[200:340], shuffled[340:]

model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(200):
    model.train()
    optimizer.zero_grad()
    out = model(a, x)
    loss = F.cross_entropy(out[train], y[train])
    loss.backward()
    optimizer.step()
    if epoch % 20 == 19:
        model.eval()
        with torch.no_grad():
            guess = model(a, x).argmax(1)
        acc = (guess[val] == y[val]).float().mean()
        print(f"Epoch: {epoch + 1:03d}, Loss: {loss:.4f}, Val: {acc:.4f}")

accuracy = (guess[test] == y[test]).float().mean().item()
print(f"metric: {accuracy:.4f}")
