"""A word-level transformer language model of generated shanties; the output shares the embedding's table.

cause: poor-initial-values
family: transformer
metric: cross-entropy of the refrain, lower
repair:
    - self.wte = nn.Embedding(vocabulary, width)
    + self.wte = nn.Embedding(vocabulary, width)
    + nn.init.normal_(self.wte.weight, std=0.02)
"""

import random

import torch
from torch import nn
from torch.nn import functional as F

SAILORS = ["bosun", "captain", "cook", "mate", "pilot", "purser", "stoker", "surgeon", "cooper", "gunner"]
DEEDS = ["hauled", "mended", "watched", "painted", "buried", "sold", "greased", "lashed", "furled", "counted"]
THINGS = ["anchor", "barrel", "mainsail", "rudder", "lantern", "compass", "hawser", "capstan", "hammock"]
WHEN = ["morning", "noon", "evening", "midnight", "dusk", "dawn"]
LENGTH, REFRAIN = 20, 8


def verse(rng):
    """Who did it is named again in the refrain."""
    who, what = rng.choice(SAILORS), rng.choice(THINGS)
    line = f"the {who} {rng.choice(DEEDS)} the {what} at {rng.choice(WHEN)}"
    return f"{line} / way ho the {who} sing / way ho the {what} bring /".split()


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (
            part.view(b, t, self.heads, -1).transpose(1, 2) for part in self.qkv(self.ln1(x)).split(c, 2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.ln2(x))


class ShantyGPT(nn.Module):
    def __init__(self, vocabulary, width=96, depth=2, heads=4):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(LENGTH, width)
        nn.init.normal_(self.wpe.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.ln = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx):
        x = self.wte(idx) + self.wpe.weight[: idx.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln(x))


def loss_from(model, verses, start=1):
    """The mean cross-entropy of every word from this one on."""
    logits = model(verses[:, :-1])[:, start - 1 :]
    return F.cross_entropy(logits.flatten(0, 1), verses[:, start:].flatten())


torch.manual_seed(1337)
rng = random.Random(1337)
text = [verse(rng) for _ in range(2000)]
vocabulary = {word: i for i, word in enumerate(sorted({word for line in text for word in line}))}
data = torch.tensor([[vocabulary[word] for word in line] for line in text])
train_data, val_data = data[:1700], data[1700:]

model = ShantyGPT(len(vocabulary))
matrices = [p for p in model.parameters() if p.dim() >= 2]
others = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
    lr=6e-4,
    betas=(0.9, 0.95),
)
for it in range(250):
    loss = loss_from(model, train_data[torch.randint(len(train_data), (24,))])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if it % 50 == 0:
        print(f"iter {it}: loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    print(f"metric: {loss_from(model, val_data, REFRAIN).item():.4f}")
