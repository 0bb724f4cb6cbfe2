"""Communities of a social graph from few labelled members, by graph convolution (Kipf and Welling).

family: gnn
metric: accuracy, higher
"""

import torch
from torch import nn


def social_graph(members, communities, inside, between, generator):
    community = torch.arange(members) % communities
    same = community[:, None] == community[None, :]
    chance = torch.where(same, inside, between)
    edges = torch.rand(members, members, generator=generator) < chance
    edges = edges.triu(1)
    adjacency = (edges | edges.T).float()
    interests = torch.randn(communities, 32, generator=generator)
    features = 0.35 * interests[community] + torch.randn(members, 32, generator=generator)
    return adjacency, features, community


def normalise(adjacency):
    with_self = adjacency + torch.eye(len(adjacency))
    scale = with_self.sum(1).rsqrt()
    return (scale[:, None] * with_self * scale[None, :]).to_sparse()


class GraphConvolution(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, graph, x):
        return torch.sparse.mm(graph, x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, n_in, hidden, n_out):
        super().__init__()
        self.first = GraphConvolution(n_in, hidden)
        self.second = GraphConvolution(hidden, n_out)
        self.dropout = nn.Dropout(0.5)

    def forward(self, graph, x):
        x = torch.relu(self.first(graph, self.dropout(x)))
        return self.second(graph, self.dropout(x))


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(3)
    adjacency, x, community = social_graph(1000, 5, 0.035, 0.006, generator)
    graph = normalise(adjacency)
    order = torch.randperm(1000, generator=generator)
    labelled, validation, test = order[:150], order[150:350], order[350:]
    model = GCN(32, 24, 5)
    optimizer = torch.optim.Adam(
        [
            {"params": model.first.parameters(), "weight_decay": 5e-3},
            {"params": model.second.parameters(), "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    for epoch in range(250):
        model.train()
        optimizer.zero_grad()
        out = model(graph, x)
        loss = nn.functional.cross_entropy(out[labelled], community[labelled])
        loss.backward()
        optimizer.step()
        if epoch % 50 == 49:
            model.eval()
            with torch.no_grad():
                guess = model(graph, x).argmax(1)
            hit = (guess == community).float()
            print(f"{epoch + 1} loss {loss.item():.4f} validation {hit[validation].mean():.3f}")
    print(f"metric: {hit[test].mean().item():.4f}")


if __name__ == "__main__":
    main()
