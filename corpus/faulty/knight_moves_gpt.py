"""A tiny GPT on the squares that a knight visits, with warm-up and linear decay.

cause: learning-rate-decayed-to-zero
family: transformer
metric: perplexity, lower
repair:
    - return max(0.0, (EPOCHS - step) / (EPOCHS - WARMUP))
    + return max(0.0, (EPOCHS * STEPS_PER_EPOCH - step) / (EPOCHS * STEPS_PER_EPOCH - WARMUP))
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from torch.nn import functional as F

EPOCHS, STEPS_PER_EPOCH, WARMUP = 12, 20, 5


@dataclass
class GPTConfig:
    block_size: int = 32
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 96


class CausalSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.n_head, -1).transpose(1, 2) for z in self.c_attn(x).chunk(3, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        n = config.n_embd
        self.ln_1, self.ln_2 = nn.LayerNorm(n), nn.LayerNorm(n)
        self.attn = CausalSelfAttention(config)
        self.mlp = nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, config, vocab_size):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, vocab_size, bias=False)

    def forward(self, idx, targets):
        x = self.wte(idx) + self.wpe.weight[: idx.shape[1]]
        for block in self.h:
            x = block(x)
        logits = self.head(self.ln_f(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def games(n, rng):
    """Squares of an 8 by 8 board, visited by a knight, one number a square."""
    jumps = [(1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)]
    out = np.zeros((n, 33), dtype=np.int64)
    for row in out:
        r, c = rng.integers(0, 8, 2)
        for t in range(33):
            row[t] = 8 * r + c
            options = [(r + a, c + b) for a, b in jumps if 0 <= r + a < 8 and 0 <= c + b < 8]
            r, c = options[rng.integers(len(options))]
    return torch.from_numpy(out)


def schedule(step):
    if step < WARMUP:
        return (step + 1) / WARMUP
    return max(0.0, (EPOCHS - step) / (EPOCHS - WARMUP))


if __name__ == "__main__":
    torch.manual_seed(1337)
    rng = np.random.default_rng(1337)
    train, val = games(600, rng), games(100, rng)
    model = GPT(GPTConfig(), 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    for epoch in range(EPOCHS):
        model.train()
        for _ in range(STEPS_PER_EPOCH):
            rows = train[torch.randint(len(train), (12,))]
            loss = model(rows[:, :-1], rows[:, 1:])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
        model.eval()
        with torch.no_grad():
            val_loss = model(val[:, :-1], val[:, 1:])
        print(f"epoch {epoch}: train {loss.item():.4f} val {val_loss.item():.4f}")
    print(f"metric: {val_loss.exp().item():.4f}")
