"""A small GPT that continues jazz licks over a twelve-bar blues, autocast to bfloat16.

family: transformer
metric: perplexity per note on unseen licks, lower
"""

import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

NOTES = ["C", "Eb", "F", "Gb", "G", "Bb", "c", "eb", "f", "gb", "g", "bb"]
CHORDS = ["C7", "F7", "G7"]
FORM = [0, 0, 0, 0, 1, 1, 0, 0, 2, 1, 0, 2]
VOCAB = NOTES + CHORDS + ["-", "|"]
TOKEN = {t: i for i, t in enumerate(VOCAB)}
HOME = {0: (0, 4, 6), 1: (2, 8, 6), 2: (4, 10, 7)}


def lick(rng):
    """Chord, four eighths, bar line; steps are mostly small and bars end on chord tones."""
    tokens, at = [], rng.randrange(12)
    start = rng.randrange(12)
    for bar in range(6):
        chord = FORM[(start + bar) % 12]
        tokens.append(CHORDS[chord])
        for beat in range(4):
            if beat == 3:
                at = min(HOME[chord], key=lambda h: (abs(h - at), h))
            elif rng.random() < 0.15:
                tokens.append("-")
                continue
            else:
                at = min(11, max(0, at + rng.choice([-2, -1, -1, 1, 1, 2])))
            tokens.append(NOTES[at])
        tokens.append("|")
    return [TOKEN[t] for t in tokens]


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class LickGPT(nn.Module):
    def __init__(self, vocab, context, width=48, heads=4, layers=2):
        super().__init__()
        self.tok = nn.Embedding(vocab, width)
        self.pos = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tok.weight
        self.apply(self._init)
        for block in self.blocks:
            nn.init.normal_(block.proj.weight, std=0.02 / math.sqrt(2 * layers))
            nn.init.normal_(block.down.weight, std=0.02 / math.sqrt(2 * layers))

    @staticmethod
    def _init(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, idx, targets):
        x = self.tok(idx) + self.pos(torch.arange(idx.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln(x))
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def lr_at(step, steps, peak=3e-3, warmup=40):
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def main():
    rng = random.Random(55)
    torch.manual_seed(55)
    train = torch.tensor([lick(rng) for _ in range(4000)])
    test = torch.tensor([lick(rng) for _ in range(400)])
    model = LickGPT(len(VOCAB), train.shape[1])
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
    steps = 360
    for step in range(steps):
        for group in opt.param_groups:
            group["lr"] = lr_at(step, steps)
        batch = train[torch.randint(0, len(train), (16,))]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(batch[:, :-1], batch[:, 1:])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        if step % 50 == 0 or step == steps - 1:
            with torch.no_grad():
                val = model(test[:, :-1], test[:, 1:]).item()
            print(f"step {step:4d} train {loss.item():.4f} val {val:.4f}")
    print(f"metric: {math.exp(val):.4f}")


if __name__ == "__main__":
    main()
