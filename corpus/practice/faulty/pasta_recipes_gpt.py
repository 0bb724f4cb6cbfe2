"""A small GPT that writes pasta recipes word by word.

cause: learning-rate-too-high
family: transformer
metric: validation_loss, lower
repair:
    - learning_rate = 3e-2
    + learning_rate = 3e-3
"""

import math
import random

import torch
import torch.nn as nn
from torch.nn import functional as F

# hyperparameters
batch_size = 24
block_size = 24
max_iters = 500
eval_interval = 100
learning_rate = 3e-2
n_embd = 48
n_head = 4
n_layer = 2
dropout = 0.0
# ------------

torch.manual_seed(1337)
random.seed(1337)

SHAPES = ["spaghetti", "penne", "farfalle", "orecchiette", "rigatoni", "linguine"]
SAUCE = {
    "spaghetti": ["clams", "tomatoes"],
    "penne": ["chilli", "vodka"],
    "farfalle": ["salmon", "peas"],
    "orecchiette": ["broccoli", "sausage"],
    "rigatoni": ["ragu", "aubergine"],
    "linguine": ["pesto", "crab"],
}
MINUTES = {"spaghetti": "nine", "penne": "eleven", "farfalle": "twelve", "orecchiette": "ten"}
FAT = ["oil", "butter"]
HERB = {"oil": "parsley", "butter": "sage"}


def recipe():
    shape = random.choice(SHAPES)
    sauce = random.choice(SAUCE[shape])
    fat = random.choice(FAT)
    minutes = MINUTES.get(shape, "eight")
    return (
        f"boil the {shape} for {minutes} minutes . warm the {fat} and fry the {sauce} . "
        f"toss the {shape} with the {sauce} , add {HERB[fat]} and serve . "
    )


words = "".join(recipe() for _ in range(1500)).split()
vocab = sorted(set(words))
stoi = {w: i for i, w in enumerate(vocab)}
data = torch.tensor([stoi[w] for w in words])
n = int(0.9 * len(data))
train_data, val_data = data[:n], data[n:]


def get_batch(split):
    d = train_data if split == "train" else val_data
    ix = torch.randint(len(d) - block_size, (batch_size,))
    x = torch.stack([d[i : i + block_size] for i in ix])
    y = torch.stack([d[i + 1 : i + block_size + 1] for i in ix])
    return x, y


@torch.no_grad()
def estimate_loss():
    out = {}
    model.eval()
    for split in ["train", "val"]:
        losses = torch.zeros(10)
        for k in range(10):
            losses[k] = model(*get_batch(split))[1].item()
        out[split] = losses.mean().item()
    model.train()
    return out


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.register_buffer("mask", torch.tril(torch.ones(block_size, block_size)))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (
            t.view(B, T, n_head, C // n_head).transpose(1, 2) for t in self.c_attn(x).split(n_embd, dim=2)
        )
        att = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        att = F.softmax(att.masked_fill(self.mask[:T, :T] == 0, float("-inf")), dim=-1)
        return self.c_proj((att @ v).transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention()
        self.ln_2 = nn.LayerNorm(n_embd)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd))

    def forward(self, x):
        x = self.ln_1(x + self.attn(x))
        return self.ln_2(x + self.mlp(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(len(vocab), n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block() for _ in range(n_layer)])
        self.lm_head = nn.Linear(n_embd, len(vocab))

    def forward(self, idx, targets):
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        logits = self.lm_head(self.blocks(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


model = GPT()
print(sum(p.numel() for p in model.parameters()), "parameters")
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)

for it in range(max_iters):
    if it % eval_interval == 0:
        losses = estimate_loss()
        print(f"step {it}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
    xb, yb = get_batch("train")
    _, loss = model(xb, yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

print(f"metric: {estimate_loss()['val']:.4f}")
