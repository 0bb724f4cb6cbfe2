"""A character model with tied embeddings, warm-up and a cosine to zero, on sentences of a keeper's log.

family: transformer
metric: bits per character, lower
"""

import math
import random

import torch
import torch.nn.functional as F
from torch import nn

TIMES = ["at dawn", "before noon", "at noon", "towards evening", "after midnight"]
SHIPS = ["a schooner", "two trawlers", "the mail boat", "an unknown barque", "the pilot's cutter"]
WAYS = ["passed to the north", "lay at anchor", "made for the harbour", "turned back", "was lost in the haze"]
SKIES = ["clear", "overcast", "squally", "calm with fog", "bright and cold"]


def log(n, seed):
    rng = random.Random(seed)
    lines = []
    for _ in range(n):
        line = f"{rng.choice(TIMES)} {rng.choice(SHIPS)} {rng.choice(WAYS)}; wind {rng.randint(1, 11)}, "
        lines.append(line + f"{rng.choice(SKIES)}. oil used {rng.randint(10, 99)} pints.\n")
    return "".join(lines)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.project = nn.Linear(dim, dim, bias=False)
        self.mlp = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.norm2(x))


class LogModel(nn.Module):
    def __init__(self, vocabulary, context, dim=64, heads=4, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.positions = nn.Embedding(context, dim)
        self.blocks = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        for p in (self.tokens.weight, self.positions.weight):
            nn.init.normal_(p, std=0.02)

    def forward(self, x):
        x = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def main(steps=400, context=64, batch=16, warmup=50, peak=4e-3):
    torch.manual_seed(26)
    text, held_out = log(700, 1), log(60, 2)
    letters = sorted(set(text))
    code = {c: i for i, c in enumerate(letters)}
    data, test = (torch.tensor([code[c] for c in t]) for t in (text, held_out))
    test = test[: len(test) // context * context].view(-1, context)

    model = LogModel(len(letters), context)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95))

    def rate(step):
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(steps):
        start = torch.randint(len(data) - context - 1, (batch, 1))
        window = data[start + torch.arange(context + 1)]
        loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            with torch.no_grad():
                check = F.cross_entropy(model(test[:, :-1]).flatten(0, 1), test[:, 1:].flatten())
            print(f"step {step + 1}: train {loss.item():.4f} held out {check.item():.4f}")
    print(f"metric: {check.item() / math.log(2):.4f}")


if __name__ == "__main__":
    main()
