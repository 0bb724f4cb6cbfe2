"""The next symbol of punched loom cards, by a small decoder with pre-norm blocks and micro-batches.

cause: missing-zero-grad
family: transformer
metric: perplexity, lower
repair:
    - torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
    - self.optimizer.step()
    + torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
    + self.optimizer.step()
    + self.optimizer.zero_grad()
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SYMBOLS, CONTEXT = 8, 24


def card_roll(length, seed):
    """A chain in which the symbol two back and the one before decide the next."""
    law = torch.Generator().manual_seed(5)
    chances = (3.0 * torch.randn(SYMBOLS, SYMBOLS, SYMBOLS, generator=law)).softmax(-1)
    g = torch.Generator().manual_seed(seed)
    draws = torch.rand(length, generator=g).tolist()
    cumulative = chances.cumsum(-1)
    roll = [0, 1]
    for u in draws[2:]:
        edge = cumulative[roll[-2], roll[-1]]
        roll.append(min(int(torch.searchsorted(edge, u)), SYMBOLS - 1))
    return torch.tensor(roll)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x, mask):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class LoomGPT(nn.Module):
    def __init__(self, dim=48, heads=4, depth=2):
        super().__init__()
        self.token = nn.Embedding(SYMBOLS, dim)
        self.place = nn.Embedding(CONTEXT, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, SYMBOLS)
        self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), -math.inf).triu(1))

    def forward(self, ids):
        x = self.token(ids) + self.place(torch.arange(ids.size(1)))
        for block in self.blocks:
            x = block(x, self.mask)
        return self.out(self.norm(x))


class Trainer:
    """Steps once in `every` micro-batches."""

    def __init__(self, net, lr=4e-3, every=2, clip=5.0):
        self.net, self.every, self.clip = net, every, clip
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.01)

    def loss(self, windows):
        logits = self.net(windows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())

    def fit(self, windows, epochs, size=12):
        for epoch in range(epochs):
            self.optimizer.zero_grad()
            running, parts = 0.0, torch.randperm(len(windows)).split(size)
            for i, part in enumerate(parts):
                loss = self.loss(windows[part]) / self.every
                loss.backward()
                running += loss.item() * self.every / len(parts)
                if (i + 1) % self.every == 0:
                    torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
                    self.optimizer.step()
            print(f"epoch {epoch + 1}: training loss {running:.4f}")

    @torch.no_grad()
    def perplexity(self, windows):
        return math.exp(self.loss(windows).item())


if __name__ == "__main__":
    torch.manual_seed(3)
    cut = CONTEXT + 1
    train = card_roll(2400 * cut, seed=30).view(-1, cut)
    test = card_roll(200 * cut, seed=31).view(-1, cut)
    trainer = Trainer(LoomGPT())
    trainer.fit(train, epochs=3)
    print(f"metric: {trainer.perplexity(test):.4f}")
