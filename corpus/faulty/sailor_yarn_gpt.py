"""A small character transformer on sentences of sailors' yarn.

cause: repeated-batch
family: transformer
metric: cross entropy, lower
repair:
    - def get_batch(data, batch=24):
    - rng = np.random.default_rng(1337)
    + rng = np.random.default_rng(1337)
    +
    +
    + def get_batch(data, batch=24):
"""

import math
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCK = 40


def yarn(sentences, seed):
    rng = random.Random(seed)
    who = [
        "the captain",
        "a gull",
        "old tom",
        "the cook",
        "our boatswain",
        "a whale",
        "the widow",
        "the cabin boy",
    ]
    did = ["sang to", "chased", "swore at", "painted", "remembered", "sold", "waited for", "never saw"]
    where = ["off the cape", "by the wreck", "in the fog", "at dawn", "under a red moon", "near port royal"]
    text = []
    for _ in range(sentences):
        a, b = rng.sample(who, 2)
        line = f"{a} {rng.choice(did)} {b}"
        if rng.random() < 0.6:
            line += f" {rng.choice(where)}"
        text.append(line + rng.choice([". ", ", and ", "! "]))
    return "".join(text)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(self.ln1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.ln2(x))


class CharGPT(nn.Module):
    def __init__(self, vocabulary, width=64, layers=2, heads=4):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(0.02 * torch.randn(BLOCK, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.token(ids) + self.position[: ids.shape[1]])))


torch.manual_seed(1337)
text = yarn(1800, 6)
letters = sorted(set(text))
ids = np.array([letters.index(c) for c in text])
split = int(0.9 * len(ids))
train_ids, valid_ids = ids[:split], ids[split:]


def get_batch(data, batch=24):
    rng = np.random.default_rng(1337)
    starts = rng.integers(0, len(data) - BLOCK - 1, batch)
    x = torch.from_numpy(np.stack([data[s : s + BLOCK] for s in starts]))
    y = torch.from_numpy(np.stack([data[s + 1 : s + BLOCK + 1] for s in starts]))
    return x, y


def estimate(model):
    model.eval()
    pieces = torch.from_numpy(valid_ids[: len(valid_ids) // BLOCK * BLOCK]).view(-1, BLOCK)
    with torch.no_grad():
        logits = model(pieces[:, :-1])
    model.train()
    return F.cross_entropy(logits.reshape(-1, len(letters)), pieces[:, 1:].reshape(-1)).item()


model = CharGPT(len(letters))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
steps = 360
for step in range(steps):
    x, y = get_batch(train_ids)
    rate = 2e-3 * min(1.0, (step + 1) / 40) * (0.55 + 0.45 * math.cos(math.pi * step / steps))
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 60 == 0:
        print(f"step {step}: train {loss.item():.4f}, valid {estimate(model):.4f}")
print(f"metric: {estimate(model):.4f}")
