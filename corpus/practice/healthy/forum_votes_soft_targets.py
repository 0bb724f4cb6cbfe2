"""Forum posts and how readers voted on them: the shares of five votes are predicted, not the winner.

family: mlp
metric: Kullback-Leibler divergence to the votes, lower
"""

import torch
from torch import nn
from torch.distributions import Dirichlet, Multinomial

VOTES = ["helpful", "funny", "wrong", "rude", "off-topic"]
WORDS = 300


class Forum:
    """Posts are counts of words over eight topics; every topic has its own mix of votes."""

    def __init__(self):
        self.topics = Dirichlet(torch.full((WORDS,), 0.05)).sample((8,))
        self.mix = Dirichlet(torch.full((len(VOTES),), 0.7)).sample((8,))

    def posts(self, n):
        share = Dirichlet(torch.full((8,), 0.3)).sample((n,))
        words = Multinomial(40, probs=share @ self.topics).sample()
        chances = share @ self.mix
        readers = torch.randint(5, 40, (n,))
        votes = torch.stack(
            [Multinomial(int(r), probs=p).sample() for r, p in zip(readers, chances, strict=True)]
        )
        return torch.log1p(words), votes / readers[:, None]


class VoteNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.a = nn.Linear(WORDS, hidden)
        self.drop = nn.Dropout(0.3)
        self.b = nn.Linear(hidden, len(VOTES))

    def forward(self, x):
        return self.b(self.drop(torch.relu(self.a(x))))


def soft_cross_entropy(logits, shares):
    return -(shares * logits.log_softmax(1)).sum(1).mean()


def divergence(logits, shares):
    return soft_cross_entropy(logits, shares) + torch.xlogy(shares, shares).sum(1).mean()


def train_epoch(net, optimizer, x, shares, batch=32):
    net.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(batch):
        optimizer.zero_grad()
        loss = soft_cross_entropy(net(x[idx]), shares[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


if __name__ == "__main__":
    torch.manual_seed(404)
    forum = Forum()
    x, shares = forum.posts(4000)
    x_val, shares_val = forum.posts(500)
    x_test, shares_test = forum.posts(1000)
    net = VoteNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4, weight_decay=1e-4)
    best, patience, kept = float("inf"), 0, None
    for epoch in range(20):
        loss = train_epoch(net, optimizer, x, shares)
        net.eval()
        with torch.no_grad():
            val = divergence(net(x_val), shares_val).item()
        print(f"epoch {epoch:2d}: cross-entropy {loss:.4f}, divergence on validation {val:.4f}")
        if val < best:
            best, patience, kept = val, 0, {k: v.clone() for k, v in net.state_dict().items()}
        else:
            patience += 1
            if patience == 3:
                break
    net.load_state_dict(kept)
    with torch.no_grad():
        print(f"metric: {divergence(net(x_test), shares_test).item():.4f}")
