"""A causal transformer that tells, at each character, which bracket must close next.

cause: learning-rate-too-low
family: transformer
metric: accuracy, higher
repair:
    - schedule = NoamSchedule(optimizer, D_MODEL, warmup=8000)
    + schedule = NoamSchedule(optimizer, D_MODEL, warmup=150)
"""

import random

import torch
from torch import nn

OPENING, CLOSING = "([{", ")]}"
SYMBOLS = OPENING + CLOSING + "x"
LENGTH, D_MODEL, STEPS, BATCH = 20, 48, 380, 48


def example(rng):
    stack, text, answer = [], [], []
    for _ in range(LENGTH):
        draw = rng.random()
        if draw < 0.4 and len(stack) < 5:
            k = rng.randrange(3)
            stack.append(k)
            text.append(OPENING[k])
        elif draw < 0.75 and stack:
            text.append(CLOSING[stack.pop()])
        else:
            text.append("x")
        answer.append(stack[-1] + 1 if stack else 0)
    return [SYMBOLS.index(c) for c in text], answer


def batch(rng, size):
    texts, answers = zip(*(example(rng) for _ in range(size)), strict=True)
    return torch.tensor(texts), torch.tensor(answers)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols = nn.Embedding(len(SYMBOLS), D_MODEL)
        self.places = nn.Embedding(LENGTH, D_MODEL)
        layer = nn.TransformerEncoderLayer(D_MODEL, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(D_MODEL)
        self.out = nn.Linear(D_MODEL, 4)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, x):
        h = self.symbols(x) + self.places.weight
        return self.out(self.norm(self.encoder(h, mask=self.mask)))


class NoamSchedule:
    """The schedule of "Attention is all you need"."""

    def __init__(self, optimizer, d_model, warmup):
        self.optimizer, self.d_model, self.warmup = optimizer, d_model, warmup
        self.count = 0

    def step(self):
        self.count += 1
        rate = self.d_model**-0.5 * min(self.count**-0.5, self.count * self.warmup**-1.5)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return rate


torch.manual_seed(2)
rng = random.Random(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
schedule = NoamSchedule(optimizer, D_MODEL, warmup=8000)
for step in range(STEPS):
    text, answer = batch(rng, BATCH)
    loss = nn.functional.cross_entropy(model(text).flatten(0, 1), answer.flatten())
    model.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    rate = schedule.step()
    if step % 75 == 0:
        print(f"step {step} loss {loss.item():.3f} lr {rate:.2e}")

model.eval()
with torch.no_grad():
    text, answer = batch(random.Random(99), 400)
    print(f"metric: {(model(text).argmax(-1) == answer).float().mean().item():.4f}")
