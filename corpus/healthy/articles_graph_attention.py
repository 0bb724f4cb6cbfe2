"""A graph attention network names the field of articles from their words and citations; few are labelled.

family: gnn
metric: accuracy, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

FIELDS, ARTICLES, WORDS = 5, 700, 300


def citations():
    """Articles cite their own field four times out of five; a fifth of their words is typical of it."""
    field = torch.randint(FIELDS, (ARTICLES,))
    usual = torch.rand(FIELDS, WORDS) < 0.08
    words = (torch.rand(ARTICLES, WORDS) < 0.03) | (usual[field] & (torch.rand(ARTICLES, WORDS) < 0.12))
    source = torch.arange(ARTICLES).repeat_interleave(3)
    near = torch.rand(len(source)) < 0.8
    target = torch.empty_like(source)
    for k in range(FIELDS):
        members = (field == k).nonzero()[:, 0]
        mine = (field[source] == k) & near
        target[mine] = members[torch.randint(len(members), (int(mine.sum()),))]
    target[~near] = torch.randint(ARTICLES, (int((~near).sum()),))
    loops = torch.arange(ARTICLES)
    edges = torch.stack([torch.cat([source, target, loops]), torch.cat([target, source, loops])])
    x = words.float()
    return x / x.sum(1, keepdim=True).clamp(min=1), field, edges


class GATLayer(nn.Module):
    def __init__(self, n_in, n_out, heads, dropout):
        super().__init__()
        self.heads, self.n_out, self.dropout = heads, n_out, dropout
        self.linear = nn.Linear(n_in, heads * n_out, bias=False)
        self.a_source = nn.Parameter(torch.empty(heads, n_out))
        self.a_target = nn.Parameter(torch.empty(heads, n_out))
        for p in (self.linear.weight, self.a_source, self.a_target):
            nn.init.xavier_uniform_(p, gain=1.414)

    def forward(self, x, edges):
        source, target = edges
        h = self.linear(F.dropout(x, self.dropout, self.training)).view(-1, self.heads, self.n_out)
        e = (h * self.a_source).sum(-1)[source] + (h * self.a_target).sum(-1)[target]
        e = F.leaky_relu(e, 0.2)
        e = (e - e.max()).exp()
        total = torch.zeros(len(x), self.heads).index_add(0, target, e)
        weight = F.dropout(e / total[target], self.dropout, self.training)
        return torch.zeros_like(h).index_add(0, target, weight[..., None] * h[source])


class GAT(nn.Module):
    def __init__(self, hidden=8, heads=8, dropout=0.5):
        super().__init__()
        self.dropout = dropout
        self.layer1 = GATLayer(WORDS, hidden, heads, dropout)
        self.layer2 = GATLayer(hidden * heads, FIELDS, 1, dropout)

    def forward(self, x, edges):
        x = F.elu(self.layer1(x, edges).flatten(1))
        return self.layer2(x, edges).mean(1)


if __name__ == "__main__":
    torch.manual_seed(72)
    x, field, edges = citations()
    train, val, test = torch.randperm(ARTICLES).split([100, 150, 450])
    model = GAT()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)
    best_val = best_test = 0.0
    for epoch in range(300):
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, edges)[train], field[train])
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            right = (model(x, edges).argmax(1) == field).float()
        if right[val].mean() > best_val:
            best_val, best_test = right[val].mean().item(), right[test].mean().item()
        if epoch % 50 == 0:
            print(f"Epoch: {epoch:03d}, Loss: {loss.item():.4f}, Val: {best_val:.4f}, Test: {best_test:.4f}")
    print(f"metric: {best_test:.4f}")
