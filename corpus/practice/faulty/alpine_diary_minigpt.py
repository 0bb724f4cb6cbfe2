"""A small GPT on the diary of a mountain guide, letter by letter.

cause: softmax-before-cross-entropy
family: transformer
metric: accuracy of the next letter, higher
repair:
    - probs = F.softmax(logits, dim=-1)
    - loss = None if targets is None else F.cross_entropy(probs.flatten(0, 1), targets.flatten())
    + probs = F.softmax(logits, dim=-1)
    + loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

# hyperparameters
batch_size = 32
block_size = 32
max_iters = 500
eval_interval = 100
learning_rate = 2e-3
n_embd = 48
n_head = 4
n_layer = 2
dropout = 0.0
# ---------------

random.seed(1902)
torch.manual_seed(1902)

starts = ["Rose at {t}", "Left the hut at {t}", "Woke to wind at {t}", "Set out at {t}"]
weather = [
    "clear and cold",
    "fog in the valley",
    "fresh snow on the ridge",
    "thunder by noon",
    "stars still out",
]
acts = [
    "roped up below the glacier",
    "cut steps to the saddle",
    "rested by the cairn",
    "turned back at the gap",
]
people = ["the two Englishmen", "old Anton", "the professor", "a party of five", "my brother"]
ends = ["Tea and bread.", "Boots wet through.", "All well.", "Paid in silver.", "Slept badly."]
times = ["two", "three", "four", "half past four", "five"]
lines = [
    f"{random.choice(starts).format(t=random.choice(times))}, {random.choice(weather)}. "
    f"With {random.choice(people)} {random.choice(acts)}. {random.choice(ends)}\n"
    for _ in range(700)
]
text = "".join(lines)

chars = sorted(set(text))
vocab_size = len(chars)
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
n = int(0.9 * len(data))
train_data, val_data = data[:n], data[n:]


def get_batch(split):
    d = train_data if split == "train" else val_data
    ix = torch.randint(len(d) - block_size - 1, (batch_size,))
    x = torch.stack([d[i : i + block_size] for i in ix])
    y = torch.stack([d[i + 1 : i + block_size + 1] for i in ix])
    return x, y


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, n_head, C // n_head).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.sa = Attention()
        self.ffwd = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.ReLU(), nn.Linear(4 * n_embd, n_embd))

    def forward(self, x):
        x = x + self.sa(self.ln1(x))
        return x + self.ffwd(self.ln2(x))


class MiniGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, n_embd)
        self.pos = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block() for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None):
        x = self.tok(idx) + self.pos(torch.arange(idx.size(1)))
        logits = self.lm_head(self.ln_f(self.blocks(x)))
        probs = F.softmax(logits, dim=-1)
        loss = None if targets is None else F.cross_entropy(probs.flatten(0, 1), targets.flatten())
        return probs, loss

    @torch.no_grad()
    def generate(self, idx, length):
        for _ in range(length):
            probs, _ = self(idx[:, -block_size:])
            idx = torch.cat([idx, torch.multinomial(probs[:, -1], 1)], dim=1)
        return idx


@torch.no_grad()
def val_accuracy():
    model.eval()
    hits = []
    for _ in range(10):
        x, y = get_batch("val")
        probs, _ = model(x)
        hits.append((probs.argmax(-1) == y).float().mean())
    model.train()
    return torch.stack(hits).mean().item()


model = MiniGPT()
print(sum(p.numel() for p in model.parameters()) / 1e3, "k parameters")
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
for it in range(max_iters):
    if it % eval_interval == 0:
        print(f"step {it}: val accuracy {val_accuracy():.4f}")
    xb, yb = get_batch("train")
    _, loss = model(xb, yb)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

sample = model.generate(torch.tensor([[stoi["R"]]]), 120)[0].tolist()
print("".join(chars[i] for i in sample))
print(f"metric: {val_accuracy():.4f}")
