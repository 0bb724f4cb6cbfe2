"""Which of twenty marks in a bay a boat is bound for: a pointer network with attention written out.

cause: softmax-before-cross-entropy
family: attention
metric: accuracy, higher
repair:
    - return torch.softmax(energy, dim=1)
    + return energy
"""

import torch
import torch.nn.functional as F
from torch import nn

MARKS = 20


def regattas(n, seed):
    """Marks have a place and a colour; a boat has a place, a bearing and a colour that it looks for."""
    g = torch.Generator().manual_seed(seed)
    place = 2 * torch.rand(n, MARKS, 2, generator=g) - 1
    colour = torch.randn(n, MARKS, 3, generator=g)
    bound = torch.randint(MARKS, (n,), generator=g)
    at = torch.arange(n)
    boat = 0.4 * torch.randn(n, 2, generator=g)
    bearing = F.normalize(place[at, bound] - boat, dim=1) + 0.1 * torch.randn(n, 2, generator=g)
    sought = colour[at, bound] + 0.5 * torch.randn(n, 3, generator=g)
    return torch.cat([place, colour], 2), torch.cat([boat, bearing, sought], 1), bound


class Pointer(nn.Module):
    """Additive attention: v · tanh(W1 mark + W2 boat), over the marks."""

    def __init__(self, dim=48):
        super().__init__()
        self.marks = nn.Sequential(nn.Linear(5, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.boat = nn.Sequential(nn.Linear(7, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.w1 = nn.Linear(dim, dim, bias=False)
        self.w2 = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, 1, bias=False)

    def forward(self, marks, boat):
        keys = self.w1(self.marks(marks))
        query = self.w2(self.boat(boat)).unsqueeze(1)
        energy = self.v(torch.tanh(keys + query)).squeeze(2)
        return torch.softmax(energy, dim=1)


class Course:
    def __init__(self, seed=3):
        torch.manual_seed(seed)
        self.train_set = regattas(4000, seed)
        self.test_set = regattas(1000, seed + 1)
        self.net = Pointer()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=3e-3)

    def batches(self, size=50):
        for index in torch.randperm(len(self.train_set[0])).split(size):
            yield tuple(part[index] for part in self.train_set)

    def sail(self, epochs):
        for epoch in range(epochs):
            total = 0.0
            for marks, boat, bound in self.batches():
                pointed = self.net(marks, boat)
                loss = F.cross_entropy(pointed, bound)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch + 1}: {total / 80:.4f}  right: {self.accuracy():.3f}")

    @torch.no_grad()
    def accuracy(self):
        marks, boat, bound = self.test_set
        return (self.net(marks, boat).argmax(1) == bound).float().mean().item()


course = Course()
course.sail(12)
print(f"metric: {course.accuracy():.4f}")
