"""A small GPT with tied embeddings on generated harbour reports, level of words.

family: transformer
metric: held-out perplexity, lower
"""

import math
import random

import torch
from torch import nn

SHIPS = ["the ferry", "a trawler", "the tanker", "one tug", "a yacht", "the pilot boat"]
PORTS = ["north pier", "south quay", "dry dock", "inner basin"]
LOADS = ["coal", "timber", "grain", "salt", "wool"]


def report(rng):
    ship, port, load = rng.choice(SHIPS), rng.choice(PORTS), rng.choice(LOADS)
    hour = rng.randint(1, 12)
    arrived = f"{ship} arrived at {port} with {load} at {hour} ."
    later = hour % 12 + 1
    left = (
        f"at {later} {ship} left {port} without {load} ."
        if rng.random() < 0.6
        else f"{load} stays at {port} ."
    )
    return f"{arrived} {left}".split()


def tokens(rng, n):
    out = []
    for _ in range(n):
        out += report(rng)
    return out


class Attention(nn.Module):
    def __init__(self, dim, heads, context):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.out = nn.Linear(dim, dim, bias=False)
        self.register_buffer("mask", torch.triu(torch.full((context, context), float("-inf")), 1))

    def forward(self, x):
        b, t, d = x.shape
        split = lambda m: m(x).view(b, t, self.heads, -1).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.query), split(self.key), split(self.value)
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.heads) + self.mask[:t, :t]
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))


class GPT(nn.Module):
    def __init__(self, vocab, dim=64, heads=4, layers=2, context=32):
        super().__init__()
        self.context = context
        self.embed = nn.Embedding(vocab, dim)
        self.place = nn.Embedding(context, dim)
        self.attn = nn.ModuleList(Attention(dim, heads, context) for _ in range(layers))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Linear(4 * dim, dim)) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2 * layers + 1))
        for emb in (self.embed, self.place):
            nn.init.normal_(emb.weight, std=0.02)
        # residual branches start at nothing
        for a, m in zip(self.attn, self.mlps, strict=True):
            nn.init.zeros_(a.out.weight)
            nn.init.zeros_(m[2].weight)

    def forward(self, idx):
        x = self.embed(idx) + self.place.weight[: idx.size(1)]
        for i, (attn, mlp) in enumerate(zip(self.attn, self.mlps, strict=True)):
            x = x + attn(self.norms[2 * i](x))
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.norms[-1](x) @ self.embed.weight.t()


def loss_on(model, data, starts):
    chunk = torch.stack([data[s : s + model.context + 1] for s in starts])
    logits = model(chunk[:, :-1])
    return nn.functional.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())


def main():
    rng = random.Random(4)
    torch.manual_seed(4)
    train, val = tokens(rng, 3000), tokens(rng, 300)
    vocab = {w: i for i, w in enumerate(sorted(set(train)))}
    train, val = (torch.tensor([vocab[w] for w in part]) for part in (train, val))
    model = GPT(len(vocab))
    steps = 420
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-4, 1.0, total_iters=40)
    cool = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - 40, eta_min=0.0)
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cool], milestones=[40])

    @torch.no_grad()
    def validate():
        starts = range(0, len(val) - model.context - 1, model.context)
        return math.exp(loss_on(model, val, starts).item())

    for step in range(steps):
        starts = torch.randint(0, len(train) - model.context - 1, (16,)).tolist()
        loss = loss_on(model, train, starts)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 100 == 99:
            print(f"{step + 1}: train {math.exp(loss.item()):.3f} validation {validate():.3f}")
    print(f"metric: {validate():.4f}")


if __name__ == "__main__":
    main()
