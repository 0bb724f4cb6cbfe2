"""A character LSTM on sentences of a small grammar, with truncated backpropagation and carried states.

family: rnn
metric: held-out bits per character, lower
"""

import math
import random

import torch
from torch import nn

random.seed(12)
torch.manual_seed(12)

VERBS = ["chop", "boil", "stir", "fry", "peel", "slice", "rinse", "roast"]
THINGS = ["onions", "carrots", "potatoes", "beans", "leeks", "apples", "mushrooms"]
HOW = ["gently", "quickly", "for a while", "until soft", "with butter", "in salted water"]
THEN = ["then", "and", "after that", "meanwhile"]


def sentence():
    parts = [random.choice(VERBS), "the", random.choice(THINGS)]
    if random.random() < 0.6:
        parts.append(random.choice(HOW))
    text = " ".join(parts)
    return f"{text}, {random.choice(THEN)} {sentence()}" if random.random() < 0.3 else text


def recipe(n):
    return ". ".join(sentence() for _ in range(n)) + ". "


text, heldout = recipe(2500), recipe(300)
alphabet = sorted(set(text))
index = {c: i for i, c in enumerate(alphabet)}


def encode(s):
    return torch.tensor([index[c] for c in s])


BATCH, SPAN = 32, 40


class CharLSTM(nn.Module):
    def __init__(self, vocab, hidden=96):
        super().__init__()
        self.embed = nn.Embedding(vocab, 24)
        self.lstm = nn.LSTM(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, x, state=None):
        h, state = self.lstm(self.embed(x), state)
        return self.out(h), state


def streams(data, batch):
    n = (len(data) - 1) // batch
    return data[: n * batch].view(batch, n), data[1 : n * batch + 1].view(batch, n)


net = CharLSTM(len(alphabet))
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
ce = nn.CrossEntropyLoss()
xs, ys = streams(encode(text), BATCH)
print(f"{len(text)} characters, {len(alphabet)} different, {xs.size(1) // SPAN} spans an epoch")

for epoch in range(5):
    state = None
    net.train()
    for i in range(0, xs.size(1) - SPAN, SPAN):
        logits, state = net(xs[:, i : i + SPAN], state)
        state = tuple(s.detach() for s in state)
        loss = ce(logits.flatten(0, 1), ys[:, i : i + SPAN].flatten())
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
    for group in opt.param_groups:
        group["lr"] *= 0.6
    net.eval()
    with torch.no_grad():
        hx, hy = streams(encode(heldout), 1)
        bits = ce(net(hx)[0].flatten(0, 1), hy.flatten()).item() / math.log(2)
    print(f"epoch {epoch + 1}: last train loss {loss.item():.3f}, held out {bits:.3f} bits")

print(f"metric: {bits:.4f}")
