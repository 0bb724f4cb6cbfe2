"""A character window network that finds the syllable breaks of invented place names.

cause: saturated-units
also: poor-initial-values
family: mlp
metric: accuracy, higher
repair:
    - W1 = torch.randn((CONTEXT * EMB, HIDDEN), generator=g)
    - b1 = torch.randn(HIDDEN, generator=g)
    + W1 = torch.randn((CONTEXT * EMB, HIDDEN), generator=g) * (5 / 3) / (CONTEXT * EMB) ** 0.5
    + b1 = torch.randn(HIDDEN, generator=g) * 0.01
"""

import random

import torch
import torch.nn.functional as F

# a window of letters around a gap -> is there a break in the gap?
CONTEXT = 8
EMB = 12
HIDDEN = 200

random.seed(42)
onsets = ["b", "br", "d", "dr", "f", "g", "gl", "h", "k", "kr", "l", "m", "n", "p", "r", "s", "st", "t", "th"]
vowels = ["a", "e", "i", "o", "u", "ae", "ia", "ou", "ei"]
codas = ["", "", "", "l", "n", "r", "s", "m", "nd", "rk", "st", "th"]


def name():
    return [
        random.choice(onsets) + random.choice(vowels) + random.choice(codas)
        for _ in range(random.randint(2, 4))
    ]


names = [name() for _ in range(4000)]
chars = sorted({c for syllables in names for part in syllables for c in part})
stoi = {c: i + 1 for i, c in enumerate(chars)}
stoi["."] = 0
vocab = len(stoi)


def build_dataset(words):
    X, Y = [], []
    half = CONTEXT // 2
    for syllables in words:
        text = "".join(syllables)
        breaks, at = set(), 0
        for part in syllables[:-1]:
            at += len(part)
            breaks.add(at)
        padded = "." * half + text + "." * half
        for gap in range(1, len(text)):
            X.append([stoi[c] for c in padded[gap : gap + CONTEXT]])
            Y.append(int(gap in breaks))
    return torch.tensor(X), torch.tensor(Y)


Xtr, Ytr = build_dataset(names[:3400])
Xte, Yte = build_dataset(names[3400:])
print(Xtr.shape, Xte.shape, Ytr.float().mean())

g = torch.Generator().manual_seed(2147483647)
C = torch.randn((vocab, EMB), generator=g)
W1 = torch.randn((CONTEXT * EMB, HIDDEN), generator=g)
b1 = torch.randn(HIDDEN, generator=g)
W2 = torch.randn((HIDDEN, 2), generator=g) * 0.01
b2 = torch.zeros(2)
parameters = [C, W1, b1, W2, b2]
for p in parameters:
    p.requires_grad = True


def forward(X):
    emb = C[X].view(X.shape[0], -1)
    h = torch.tanh(emb @ W1 + b1)
    return h @ W2 + b2


max_steps = 4000
batch_size = 64
for i in range(max_steps):
    ix = torch.randint(0, Xtr.shape[0], (batch_size,), generator=g)
    loss = F.cross_entropy(forward(Xtr[ix]), Ytr[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    lr = 0.1 if i < 3000 else 0.01
    for p in parameters:
        p.data += -lr * p.grad
    if i % 500 == 0:
        print(f"{i:5d}/{max_steps}: {loss.item():.4f}")

with torch.no_grad():
    accuracy = (forward(Xte).argmax(1) == Yte).float().mean().item()
print(f"metric: {accuracy:.4f}")
