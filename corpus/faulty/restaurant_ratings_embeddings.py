"""Ratings of restaurants from guest and place embeddings.

cause: overfitting
family: recommender
metric: mean squared error, lower
repair:
    - opt = torch.optim.Adam(net.parameters(), lr=0.01)
    + opt = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=3e-4)
    - net = Ratings(dim=48)
    + net = Ratings(dim=4)
"""

import numpy as np
import torch
from torch import nn

GUESTS, PLACES = 220, 140


def visits(seed=44):
    rng = np.random.default_rng(seed)
    taste, style = rng.normal(size=(GUESTS, 2)), rng.normal(size=(PLACES, 2))
    mild, good = rng.normal(0, 0.5, GUESTS), rng.normal(0, 0.7, PLACES)
    seen = np.argwhere(rng.random((GUESTS, PLACES)) < 0.2)
    g, p = seen.T
    stars = mild[g] + good[p] + 0.7 * (taste[g] * style[p]).sum(1) + rng.normal(0, 0.6, len(g))
    order = rng.permutation(len(g))
    return torch.tensor(seen[order]), torch.tensor(stars[order], dtype=torch.float32)


class Ratings(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.guest = nn.Embedding(GUESTS, dim + 1)
        self.place = nn.Embedding(PLACES, dim + 1)
        nn.init.normal_(self.guest.weight, 0, 0.1)
        nn.init.normal_(self.place.weight, 0, 0.1)

    def forward(self, pairs):
        g, p = self.guest(pairs[:, 0]), self.place(pairs[:, 1])
        return g[:, 0] + p[:, 0] + (g[:, 1:] * p[:, 1:]).sum(-1)


def loop(net, opt, pairs, stars):
    total = 0.0
    for rows in torch.randperm(len(pairs)).split(128):
        loss = nn.functional.mse_loss(net(pairs[rows]), stars[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    return total / len(pairs)


def main():
    torch.manual_seed(44)
    pairs, stars = visits()
    cut = int(0.8 * len(pairs))
    net = Ratings(dim=48)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(25):
        train = loop(net, opt, pairs[:cut], stars[:cut])
        with torch.no_grad():
            test = nn.functional.mse_loss(net(pairs[cut:]), stars[cut:]).item()
        print(f"epoch {epoch}: train {train:.3f} test {test:.3f}")
    print(f"metric: {test:.4f}")


if __name__ == "__main__":
    main()
