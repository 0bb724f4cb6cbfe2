"""Sums modulo 29 from two embedded numbers; half of the table is shown, the other half must be inferred.

family: mlp
metric: accuracy on unseen sums, higher
"""

import torch
import torch.nn.functional as F
from torch import nn

P = 29


class AddModulo(nn.Module):
    def __init__(self, width=128, hidden=256):
        super().__init__()
        self.embed = nn.Embedding(P, width)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, P, bias=False)

    def forward(self, pairs):
        h = self.embed(pairs[:, 0]) + self.embed(pairs[:, 1])
        return self.down(F.relu(self.up(h)))


def accuracy(model, pairs, sums):
    with torch.no_grad():
        return (model(pairs).argmax(1) == sums).float().mean().item()


def main():
    torch.manual_seed(1)
    pairs = torch.cartesian_prod(torch.arange(P), torch.arange(P))
    sums = pairs.sum(1) % P
    order = torch.randperm(len(pairs))
    seen, unseen = order[: int(0.6 * len(pairs))], order[int(0.6 * len(pairs)) :]

    model = AddModulo()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1.0, betas=(0.9, 0.98))
    for step in range(1300):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(pairs[seen]), sums[seen])
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            right = accuracy(model, pairs[seen], sums[seen]), accuracy(model, pairs[unseen], sums[unseen])
            print(f"step {step:4d}  loss {loss.item():.5f}  seen {right[0]:.3f}  unseen {right[1]:.3f}")
    print("metric:", accuracy(model, pairs[unseen], sums[unseen]))


if __name__ == "__main__":
    main()
