"""Names of villages, letter by letter, from the three letters before: tensors, and a descent by hand.

cause: softmax-before-cross-entropy
family: language model
metric: perplexity, lower
repair:
    - loss = F.cross_entropy(prob, Y[ix])
    + loss = -prob[torch.arange(len(ix)), Y[ix]].log().mean()
"""

import random

import torch
import torch.nn.functional as F

block_size = 3
n_embd, n_hidden = 10, 80

# names, made of a head, a middle and an ending
heads = [
    "alder",
    "ash",
    "birch",
    "brack",
    "bur",
    "corn",
    "dal",
    "east",
    "elm",
    "fen",
    "gar",
    "hart",
    "hazel",
    "horn",
    "kirk",
    "lang",
    "mar",
    "oak",
    "peb",
]
middles = ["", "", "", "ing", "er", "le", "a", "en", "o"]
tails = [
    "by",
    "dale",
    "field",
    "ford",
    "ham",
    "hurst",
    "ley",
    "mere",
    "moor",
    "stead",
    "thorpe",
    "ton",
    "wick",
    "worth",
]
random.seed(42)
words = [random.choice(heads) + random.choice(middles) + random.choice(tails) for _ in range(2400)]

chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
vocab = len(stoi)


def build_dataset(words):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = [*context[1:], stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


X, Y = build_dataset(words[:2000])
Xte, Yte = build_dataset(words[2000:])
print(f"{len(X)} examples, {vocab} letters")

g = torch.Generator().manual_seed(2147483647)
C = torch.randn((vocab, n_embd), generator=g)
W1 = torch.randn((block_size * n_embd, n_hidden), generator=g) * (5 / 3) / (block_size * n_embd) ** 0.5
b1 = torch.zeros(n_hidden)
W2 = torch.randn((n_hidden, vocab), generator=g) * 0.01
b2 = torch.zeros(vocab)
parameters = [C, W1, b1, W2, b2]
for p in parameters:
    p.requires_grad = True


def probabilities(x):
    h = torch.tanh(C[x].view(len(x), -1) @ W1 + b1)
    counts = (h @ W2 + b2).exp()
    return counts / counts.sum(1, keepdim=True)


for i in range(4000):
    ix = torch.randint(0, len(X), (64,), generator=g)
    prob = probabilities(X[ix])
    loss = F.cross_entropy(prob, Y[ix])

    for p in parameters:
        p.grad = None
    loss.backward()

    lr = 0.2 if i < 3000 else 0.02
    for p in parameters:
        p.data += -lr * p.grad
    if i % 500 == 0:
        print(f"{i:5d}/4000: {loss.item():.4f}")

with torch.no_grad():
    prob = probabilities(Xte)
    nll = -prob[torch.arange(len(Yte)), Yte].log().mean()
print(f"metric: {nll.exp().item():.4f}")
