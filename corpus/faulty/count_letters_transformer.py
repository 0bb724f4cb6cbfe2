"""A transformer that says, at every letter, how often this letter occurs in the string.

cause: parameters-not-in-optimizer
family: transformer
metric: accuracy, higher
repair:
    - self.blocks = [Block(d_model, n_heads) for _ in range(n_layers)]
    + self.blocks = nn.ModuleList([Block(d_model, n_heads) for _ in range(n_layers)])
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

N_LETTERS, LENGTH, MOST = 6, 12, 7


class Block(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.ln1 = nn.LayerNorm(d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.proj = nn.Linear(d_model, d_model)
        self.ln2 = nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.GELU(), nn.Linear(2 * d_model, d_model))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.mlp(self.ln2(x))


class Counter(nn.Module):
    def __init__(self, d_model=32, n_heads=4, n_layers=2):
        super().__init__()
        self.embed = nn.Embedding(N_LETTERS, d_model)
        self.blocks = [Block(d_model, n_heads) for _ in range(n_layers)]
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, MOST + 1)

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def batch(n):
    # some letters are favourites of a string, so that counts vary
    favour = torch.rand(n, N_LETTERS) ** 3 + 0.05
    tokens = torch.multinomial(favour, LENGTH, replacement=True)
    counts = (tokens[:, :, None] == tokens[:, None, :]).sum(-1).clamp(max=MOST)
    return tokens, counts


torch.manual_seed(17)
model = Counter()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98))
warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 30))
for step in range(400):
    tokens, counts = batch(48)
    logits = model(tokens)
    loss = F.cross_entropy(logits.flatten(0, 1), counts.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    warmup.step()
    if step % 100 == 99:
        print(f"{step + 1:4d}  {loss.item():.4f}")

model.eval()
with torch.no_grad():
    tokens, counts = batch(1000)
    accuracy = (model(tokens).argmax(-1) == counts).float().mean().item()
print(f"metric: {accuracy:.4f}")
