"""A message-passing network that says which stations of a dense network are overloaded.

cause: exploding-gradients
family: gnn
metric: accuracy, higher
repair:
    - gathered = torch.zeros_like(h).index_add_(0, target, message[source])
    + gathered = torch.zeros_like(h).index_add_(0, target, message[source])
    + gathered = gathered / torch.bincount(target, minlength=len(h)).clamp(min=1)[:, None]
"""

import torch
import torch.nn.functional as F
from torch import nn


class Passing(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.message = nn.Linear(width, width)
        self.own = nn.Linear(width, width)

    def forward(self, h, source, target):
        message = self.message(h)
        gathered = torch.zeros_like(h).index_add_(0, target, message[source])
        return F.relu(self.own(h) + gathered)


class StationNet(nn.Module):
    def __init__(self, features, width=32, rounds=4):
        super().__init__()
        self.read = nn.Linear(features, width)
        self.rounds = nn.ModuleList(Passing(width) for _ in range(rounds))
        self.write = nn.Linear(width, 2)

    def forward(self, x, source, target):
        h = F.relu(self.read(x))
        for passing in self.rounds:
            h = passing(h, source, target)
        return self.write(h)


def station_graph(generator, nodes=120, reach=0.3):
    place = torch.rand(nodes, 2, generator=generator)
    near = (torch.cdist(place, place) < reach) & ~torch.eye(nodes, dtype=torch.bool)
    target, source = near.nonzero(as_tuple=True)
    load, room = torch.randn(2, nodes, generator=generator)
    around = torch.zeros(nodes).index_add_(0, target, load[source])
    around = around / torch.bincount(target, minlength=nodes).clamp(min=1)
    label = (load + 4 * around > room).long()
    return torch.stack([load, room], 1), source, target, label


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(31)
    graphs = [station_graph(generator) for _ in range(60)]
    train, test = graphs[:45], graphs[45:]
    torch.manual_seed(31)
    model = StationNet(2)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=1e-2)
    for epoch in range(12):
        losses = []
        for i in torch.randperm(len(train)).tolist():
            x, source, target, label = train[i]
            loss = F.cross_entropy(model(x, source, target), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch} mean loss {sum(losses) / len(losses):.4f}")
    with torch.no_grad():
        right = [(model(x, s, t).argmax(1) == y).float().mean() for x, s, t, y in test]
    print(f"metric: {torch.stack(right).mean().item():.4f}")
