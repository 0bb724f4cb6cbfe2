"""A small causal transformer on the letters of counting rhymes, with warm-up and cosine.

family: transformer
metric: bits per character, lower
"""

import math
import random
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

CREATURES = ["mice", "geese", "hens", "cats", "crows", "bees", "goats", "snails", "toads", "moths"]
ACTIONS = ["sat", "sang", "slept", "hopped", "swam", "played", "prayed", "danced"]
SPOTS = [
    "in the hay",
    "by the bay",
    "on the wall",
    "in the hall",
    "at the mill",
    "on the hill",
    "under the tree",
    "by the sea",
]
COUNTS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def verses(n, seed):
    rng = random.Random(seed)
    text = []
    for _ in range(n):
        creature, k = rng.choice(CREATURES), rng.randrange(1, 9)
        pair = rng.randrange(4)
        text.append(
            f"{COUNTS[k]} {creature} {rng.choice(ACTIONS)} {SPOTS[2 * pair]},\n"
            f"one went off, {COUNTS[k - 1]} {creature} {rng.choice(ACTIONS)} {SPOTS[2 * pair + 1]}.\n\n"
        )
    return "".join(text)


@dataclass
class Config:
    block: int = 64
    layers: int = 2
    heads: int = 4
    width: int = 48
    batch: int = 12
    steps: int = 600
    lr: float = 3e-3
    warmup: int = 40


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.ln1, self.ln2 = nn.LayerNorm(c.width), nn.LayerNorm(c.width)
        self.qkv = nn.Linear(c.width, 3 * c.width)
        self.proj = nn.Linear(c.width, c.width)
        self.mlp = nn.Sequential(nn.Linear(c.width, 4 * c.width), nn.GELU(), nn.Linear(4 * c.width, c.width))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self, vocab, c):
        super().__init__()
        self.tok = nn.Embedding(vocab, c.width)
        self.pos = nn.Embedding(c.block, c.width)
        self.blocks = nn.Sequential(*[Block(c) for _ in range(c.layers)])
        self.ln = nn.LayerNorm(c.width)
        self.head = nn.Linear(c.width, vocab, bias=False)
        self.apply(self._init)
        self.head.weight = self.tok.weight

    @staticmethod
    def _init(m):
        if isinstance(m, nn.Linear | nn.Embedding):
            nn.init.normal_(m.weight, std=0.02)
        if isinstance(m, nn.Linear) and m.bias is not None:
            nn.init.zeros_(m.bias)

    def forward(self, idx, targets):
        x = self.tok(idx) + self.pos(torch.arange(idx.shape[1]))
        logits = self.head(self.ln(self.blocks(x)))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def batch_of(data, c):
    at = torch.randint(0, len(data) - c.block - 1, (c.batch,))
    x = torch.stack([data[i : i + c.block] for i in at])
    y = torch.stack([data[i + 1 : i + 1 + c.block] for i in at])
    return x, y


def lr_at(step, c):
    if step < c.warmup:
        return (step + 1) / c.warmup
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - c.warmup) / (c.steps - c.warmup)))


@torch.no_grad()
def estimate(model, data, c):
    model.eval()
    loss = sum(model(*batch_of(data, c)).item() for _ in range(12)) / 12
    model.train()
    return loss


if __name__ == "__main__":
    torch.manual_seed(1845)
    c = Config()
    train_text, val_text = verses(1500, 1), verses(200, 2)
    chars = sorted(set(train_text))
    stoi = {ch: i for i, ch in enumerate(chars)}
    train, val = (torch.tensor([stoi[ch] for ch in t]) for t in (train_text, val_text))
    model = GPT(len(chars), c)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=c.lr, betas=(0.9, 0.95))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: lr_at(s, c))
    for step in range(c.steps):
        loss = model(*batch_of(train, c))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 150 == 149:
            print(f"step {step + 1}: train {loss.item():.3f} val {estimate(model, val, c):.3f}")
    print(f"metric: {estimate(model, val, c) / math.log(2):.4f}")
