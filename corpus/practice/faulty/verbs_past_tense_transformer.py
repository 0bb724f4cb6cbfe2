"""The past tense of invented verbs letter by letter, a small causal transformer with a linear schedule.

cause: learning-rate-decayed-to-zero
begins: 22
family: transformer
metric: share of words fully right, higher
repair:
    - num_training_steps = len(train) // args.batch_size
    + num_training_steps = len(train) // args.batch_size * args.epochs
"""

import random
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F

args = SimpleNamespace(epochs=9, batch_size=64, lr=3e-3, warmup=20, dim=64, layers=2, heads=4)
CHARS = "_abcdefghijklmnopqrstuvwxyz>."
STOI = {c: i for i, c in enumerate(CHARS)}
SIZE = 22


def invent(rng):
    onset = rng.choice(
        ["b", "bl", "d", "dr", "f", "gl", "h", "k", "l", "m", "n", "pl", "r", "s", "sk", "st", "t", "v"]
    )
    vowel = rng.choice("aeiou")
    coda = rng.choice(["b", "g", "ck", "ll", "m", "n", "nd", "ng", "p", "rt", "ss", "t", "v"])
    stem = onset + vowel + coda
    return stem + rng.choice(["", "", "e", "y", "le"])


def past(verb):
    if verb.endswith("ng"):
        return verb[:-3] + "a" + "ng"
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y"):
        return verb[:-1] + "ied"
    if verb[-1] in "bgmnpt" and verb[-2] in "aeiou":
        return verb + verb[-1] + "ed"
    return verb + "ed"


def encode(verb):
    text = f"{verb}>{past(verb)}."
    return [STOI[c] for c in text.ljust(SIZE, "_")]


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))


class VerbModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(len(CHARS), args.dim)
        self.pos = nn.Parameter(torch.randn(SIZE, args.dim) * 0.02)
        self.blocks = nn.Sequential(*[Block(args.dim, args.heads) for _ in range(args.layers)])
        self.ln = nn.LayerNorm(args.dim)
        self.head = nn.Linear(args.dim, len(CHARS))

    def forward(self, ids):
        return self.head(self.ln(self.blocks(self.tok(ids) + self.pos[: ids.shape[1]])))


def words_right(model, ids):
    """Teacher forced: all the letters after '>' must be the likeliest."""
    with torch.no_grad():
        guess = model(ids[:, :-1]).argmax(-1)
    target = ids[:, 1:]
    after = (ids[:, :-1] == STOI[">"]).cumsum(1) > 0
    return ((guess == target) | ~after | (target == 0)).all(1).float().mean().item()


rng = random.Random(8)
torch.manual_seed(8)
verbs = sorted({invent(rng) for _ in range(12000)})
rng.shuffle(verbs)
ids = torch.tensor([encode(v) for v in verbs])
train, test = ids[:2600], ids[2600:3200]

model = VerbModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
num_training_steps = len(train) // args.batch_size


def lr_lambda(step):
    if step < args.warmup:
        return (step + 1) / args.warmup
    return max(0.0, (num_training_steps - step) / (num_training_steps - args.warmup))


scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda)
for epoch in range(args.epochs):
    model.train()
    for idx in torch.randperm(len(train))[: len(train) // args.batch_size * args.batch_size].split(
        args.batch_size
    ):
        batch = train[idx]
        logits = model(batch[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), ignore_index=0)
        loss.backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    model.eval()
    right = words_right(model, test)
    print(f"epoch {epoch} loss {loss.item():.3f} words right {right:.3f}")
print(f"metric: {right:.4f}")
