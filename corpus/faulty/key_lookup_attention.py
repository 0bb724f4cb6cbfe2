"""One attention layer that looks up the value stored under a noisy key.

cause: saturated-units
family: attention
metric: accuracy, higher
repair:
    - scores = torch.einsum("bd,bnd->bn", q, k)
    + scores = torch.einsum("bd,bnd->bn", q, k) / k.shape[-1] ** 0.5
"""

import torch
from torch import nn

DIM, SLOTS, VALUES = 192, 12, 8


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_query = nn.Linear(DIM, DIM, bias=False)
        self.to_key = nn.Linear(DIM, DIM, bias=False)
        self.value = nn.Embedding(VALUES, 64)
        self.out = nn.Linear(64, VALUES)
        for layer in (self.to_query, self.to_key):
            nn.init.xavier_normal_(layer.weight)

    def forward(self, query, keys, stored):
        q, k = self.to_query(query), self.to_key(keys)
        scores = torch.einsum("bd,bnd->bn", q, k)
        weights = scores.softmax(dim=-1)
        return self.out(torch.einsum("bn,bnd->bd", weights, self.value(stored)))


def episode(size):
    keys = torch.randn(size, SLOTS, DIM)
    stored = torch.randint(VALUES, (size, SLOTS))
    asked = torch.randint(SLOTS, (size,))
    rows = torch.arange(size)
    query = keys[rows, asked] + 1.2 * torch.randn(size, DIM)
    return query, keys, stored, stored[rows, asked]


def main():
    torch.manual_seed(17)
    model = Lookup()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    for step in range(1, 281):
        query, keys, stored, answer = episode(64)
        logits = model(query, keys, stored)
        loss = nn.functional.cross_entropy(logits, answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            share = (logits.argmax(1) == answer).float().mean()
            print(f"step {step}: loss {loss:.3f}, right {share:.2f}")
    with torch.no_grad():
        query, keys, stored, answer = episode(1000)
        share = (model(query, keys, stored).argmax(1) == answer).float().mean()
    print(f"metric: {share:.4f}")


if __name__ == "__main__":
    main()
