"""A factorisation of a listeners-by-songs table of play counts (log scale).

cause: symmetric-initial-values
family: recommender
metric: mean squared error, lower
repair:
    - self.p = nn.Parameter(torch.ones(listeners, rank) * scale)
    - self.q = nn.Parameter(torch.ones(songs, rank) * scale)
    + self.p = nn.Parameter(torch.randn(listeners, rank) * scale)
    + self.q = nn.Parameter(torch.randn(songs, rank) * scale)
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class TasteModel(nn.Module):
    def __init__(self, listeners, songs, rank=6, scale=0.3):
        super().__init__()
        self.p = nn.Parameter(torch.ones(listeners, rank) * scale)
        self.q = nn.Parameter(torch.ones(songs, rank) * scale)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, pair):
        i, j = pair.unbind(1)
        return (self.p[i] * self.q[j]).sum(1) + self.offset


def plays():
    g = torch.Generator().manual_seed(99)
    a = torch.randn(250, 4, generator=g)
    b = torch.randn(180, 4, generator=g)
    table = a @ b.t() / 2 + 1.5
    seen = torch.nonzero(torch.rand(250, 180, generator=g) < 0.5)
    counts = table[seen[:, 0], seen[:, 1]] + 0.2 * torch.randn(len(seen), generator=g)
    return TensorDataset(seen, counts)


def evaluate(model, subset):
    pairs, counts = next(iter(DataLoader(subset, batch_size=len(subset))))
    with torch.no_grad():
        return nn.functional.mse_loss(model(pairs), counts).item()


def main():
    torch.manual_seed(99)
    data = plays()
    train, test = random_split(data, [len(data) - 4000, 4000])
    loader = DataLoader(train, batch_size=256, shuffle=True)
    model = TasteModel(250, 180)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)
    for epoch in range(11):
        for pairs, counts in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(pairs), counts)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f} {evaluate(model, test):.4f}")
    print(f"metric: {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
