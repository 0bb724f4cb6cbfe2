"""A causal transformer that sorts six digits; warm-up and cosine decay to zero.

family: transformer
metric: share of new sequences sorted without a mistake, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

LENGTH = 6
DIGITS = 6
WIDTH = 48
HEADS = 4
STEPS = 350
WARMUP = 50
PEAK = 3e-3


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.ln2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (
            m.view(b, t, HEADS, c // HEADS).transpose(1, 2) for m in self.qkv(self.ln1(x)).chunk(3, -1)
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(attended.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.ln2(x))


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(DIGITS, WIDTH)
        self.pos = nn.Parameter(0.02 * torch.randn(2 * LENGTH - 1, WIDTH))
        self.blocks = nn.Sequential(Block(), Block())
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, DIGITS, bias=False)
        nn.init.normal_(self.tok.weight, std=0.02)

    def forward(self, idx):
        x = self.tok(idx) + self.pos[: idx.size(1)]
        return self.head(self.norm(self.blocks(x)))


def problems(n):
    source = torch.randint(0, DIGITS, (n, LENGTH))
    return source, source.sort(1).values


def lr_at(step):
    if step < WARMUP:
        return step / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - 1 - WARMUP)))


torch.manual_seed(0)
model = Sorter()
decayed = [p for p in model.parameters() if p.dim() >= 2]
others = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
opt = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95))

for step in range(STEPS):
    for g in opt.param_groups:
        g["lr"] = PEAK * lr_at(step)
    source, answer = problems(64)
    logits = model(torch.cat([source, answer[:, :-1]], 1))[:, LENGTH - 1 :]
    loss = F.cross_entropy(logits.transpose(1, 2), answer)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} | loss {loss.item():.4f} | norm {norm:.3f} | lr {PEAK * lr_at(step):.2e}")

with torch.no_grad():
    source, answer = problems(1000)
    written = source
    for _ in range(LENGTH):
        written = torch.cat([written, model(written)[:, -1:].argmax(-1)], 1)
    print("metric:", (written[:, LENGTH:] == answer).all(1).float().mean().item())
