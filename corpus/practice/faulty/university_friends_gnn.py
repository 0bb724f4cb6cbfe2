"""Which faculty a student belongs to, from a friendship network and a short profile.

cause: saturated-units
family: gnn
metric: accuracy, higher
repair:
    - a = propagation(edges)
    + a = propagation(edges)
    + a = a / a.sum(1, keepdim=True)
"""

import torch
import torch.nn.functional as F
from torch import nn

N, FACULTIES, PROFILE = 900, 6, 16


def friendships(generator):
    faculty = torch.randint(FACULTIES, (N,), generator=generator)
    same = faculty[:, None] == faculty[None, :]
    p = torch.where(same, 0.11, 0.055)
    edges = torch.rand(N, N, generator=generator) < p
    edges = torch.triu(edges, 1)
    edges = (edges | edges.T).float()
    centres = 0.45 * torch.randn(FACULTIES, PROFILE, generator=generator)
    profile = 0.8 + centres[faculty] + torch.randn(N, PROFILE, generator=generator)
    return profile, edges, faculty


def propagation(edges):
    return edges + torch.eye(len(edges))


class GraphLayer(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, h, a):
        return torch.tanh(self.linear(a @ h))


class FriendNet(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.first = GraphLayer(PROFILE, hidden)
        self.second = GraphLayer(hidden, hidden)
        self.classify = nn.Linear(hidden, FACULTIES)

    def forward(self, x, a):
        return self.classify(self.second(self.first(x, a), a))


def main():
    generator = torch.Generator().manual_seed(6)
    torch.manual_seed(6)
    x, edges, y = friendships(generator)
    a = propagation(edges)
    order = torch.randperm(N, generator=generator)
    train_rows, test_rows = order[:450], order[450:]

    net = FriendNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005, weight_decay=5e-4)
    for step in range(400):
        net.train()
        optimizer.zero_grad()
        out = net(x, a)
        loss = F.cross_entropy(out[train_rows], y[train_rows])
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            net.eval()
            with torch.no_grad():
                guess = net(x, a).argmax(1)
            train_acc = (guess == y)[train_rows].float().mean().item()
            test_acc = (guess == y)[test_rows].float().mean().item()
            print(f"step {step + 1}: loss {loss.item():.4f} train {train_acc:.3f} test {test_acc:.3f}")
    print(f"metric: {test_acc:.4f}")


if __name__ == "__main__":
    main()
