"""A small GPT in the manner of the tutorials that writes ship's recipes, letter by letter.

cause: repeated-batch
family: transformer
metric: validation loss, lower
repair:
    - g = torch.Generator().manual_seed(1337)
    + g = None
"""

import random

import torch
import torch.nn as nn
from torch.nn import functional as F

# hyperparameters
batch_size = 24
block_size = 48
max_iters = 400
eval_interval = 100
learning_rate = 2e-3
n_embd = 48
n_head = 4
n_layer = 2
# ------------

random.seed(1337)
torch.manual_seed(1337)

MEATS = ["salt pork", "dried beef", "a fat gull", "two turtles", "old goat", "flying fish"]
EXTRAS = ["hard biscuit", "black pepper", "limes", "onions", "molasses", "a pint of rum", "yams", "seaweed"]
VERBS = ["boil", "stew", "fry", "roast", "soak", "smoke"]
PEOPLE = ["the captain", "the cook", "all hands", "the bosun", "the parrot"]


def recipe():
    a, b = random.sample(EXTRAS, 2)
    return (
        f"take {random.choice(MEATS)} and {random.choice(VERBS)} it with {a} "
        f"for {random.randint(1, 9)} bells. "
        f"add {b}, then {random.choice(VERBS)} again until {random.choice(PEOPLE)} calls. "
        f"serves {random.choice(PEOPLE)}.\n"
    )


text = "".join(recipe() for _ in range(400))
chars = sorted(set(text))
stoi = {ch: i for i, ch in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text], dtype=torch.long)
n = int(0.9 * len(data))
train_data, val_data = data[:n], data[n:]


def get_batch(split):
    data = train_data if split == "train" else val_data
    g = torch.Generator().manual_seed(1337)
    ix = torch.randint(len(data) - block_size, (batch_size,), generator=g)
    x = torch.stack([data[i : i + block_size] for i in ix])
    y = torch.stack([data[i + 1 : i + block_size + 1] for i in ix])
    return x, y


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1 = nn.LayerNorm(n_embd)
        self.ln2 = nn.LayerNorm(n_embd)
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)
        self.ffwd = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.ReLU(), nn.Linear(4 * n_embd, n_embd))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (z.view(B, T, n_head, -1).transpose(1, 2) for z in self.qkv(self.ln1(x)).chunk(3, -1))
        att = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(att.transpose(1, 2).reshape(B, T, C))
        return x + self.ffwd(self.ln2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(len(chars), n_embd)
        self.pos = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block() for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, len(chars))

    def forward(self, idx, targets):
        x = self.tok(idx) + self.pos(torch.arange(idx.shape[1]))
        logits = self.lm_head(self.ln_f(self.blocks(x)))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))


@torch.no_grad()
def estimate_loss():
    windows = val_data[: len(val_data) // (block_size + 1) * (block_size + 1)].view(-1, block_size + 1)
    return model(windows[:, :-1], windows[:, 1:]).item()


model = GPT()
print(sum(p.numel() for p in model.parameters()) / 1e6, "M parameters")
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
for it in range(max_iters):
    xb, yb = get_batch("train")
    loss = model(xb, yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if it % eval_interval == 0:
        print(f"step {it}: train loss {loss.item():.4f}, val loss {estimate_loss():.4f}")
print(f"metric: {estimate_loss():.4f}")
