"""How the people of a suburb vote, from polls and from the suburbs around, in the manner of GraphSAGE.

cause: inputs-ignored
family: gnn
metric: accuracy, higher
repair:
    - return adjacency // degree
    + return adjacency / degree
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def make_map(rng, n=700, regions=5, features=8):
    place = rng.uniform(0, 1, (n, 2))
    centres = rng.uniform(0.1, 0.9, (regions, 2))
    distance = np.linalg.norm(place[:, None] - centres[None], axis=2)
    vote = distance.argmin(1)
    polls = rng.normal(0, 1, (n, features))
    polls[:, :regions] += 0.9 * np.eye(regions)[vote]
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    edges = np.argwhere((apart < 0.07) & (apart > 0))
    return torch.tensor(polls, dtype=torch.float32), torch.tensor(vote), torch.tensor(edges)


def neighbour_average(edges, n):
    adjacency = torch.zeros(n, n, dtype=torch.long)
    adjacency[edges[:, 0], edges[:, 1]] = 1
    degree = adjacency.sum(1, keepdim=True).clamp(min=1)
    return adjacency // degree


class SageLayer(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.around = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x, average):
        return self.own(x) + self.around(average @ x)


class Sage(nn.Module):
    def __init__(self, features, classes, hidden=32):
        super().__init__()
        self.first = SageLayer(features, hidden)
        self.second = SageLayer(hidden, classes)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x, average):
        h = self.dropout(F.elu(self.first(x, average)))
        return self.second(h, average)


def run():
    torch.manual_seed(77)
    polls, vote, edges = make_map(np.random.default_rng(77))
    average = neighbour_average(edges, len(polls)).float()
    order = torch.randperm(len(polls))
    train, test = order[:250], order[250:]
    model = Sage(polls.shape[1], 5)
    optimizer = torch.optim.RAdam(model.parameters(), lr=0.01, weight_decay=5e-3)
    for epoch in range(1, 201):
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(polls, average)[train], vote[train])
        loss.backward()
        optimizer.step()
        if epoch % 40 == 0:
            model.eval()
            with torch.no_grad():
                right = model(polls, average).argmax(1) == vote
            print(
                f"epoch {epoch}: loss {loss.item():.3f}, "
                f"train {right[train].float().mean():.3f}, test {right[test].float().mean():.3f}"
            )
    return right[test].float().mean().item()


if __name__ == "__main__":
    print(f"metric: {run():.4f}")
