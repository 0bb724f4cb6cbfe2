"""An encoder and a decoder rewrite dates: "7 march 1984" becomes "1984-03-07".

cause: frozen-parameters
family: seq2seq
metric: characters right, higher
repair:
    - state = state.detach()
"""

import random

import torch
import torch.nn.functional as F
from torch import nn

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
LETTERS = "^ -0123456789abcdefghijklmnopqrstuvwxyz"
CODE = {letter: i for i, letter in enumerate(LETTERS)}
LONGEST = 17


def example(rng):
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2029)
    return f"{day} {MONTHS[month - 1]} {year}".rjust(LONGEST), f"{year}-{month:02d}-{day:02d}"


def encode(texts):
    return torch.tensor([[CODE[letter] for letter in text] for text in texts])


def batch(rng, n):
    spoken, written = zip(*(example(rng) for _ in range(n)), strict=True)
    return encode(spoken), encode(written)


class Encoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), 24)
        self.gru = nn.GRU(24, hidden, batch_first=True)

    def forward(self, text):
        _, state = self.gru(self.embed(text))
        return state


class Decoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), 24)
        self.gru = nn.GRU(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(LETTERS))

    def forward(self, previous, state):
        state = state.detach()
        h, state = self.gru(self.embed(previous), state)
        return self.out(h), state


def rewrite(encoder, decoder, spoken, length=10):
    with torch.no_grad():
        state = encoder(spoken)
        letter = torch.zeros(len(spoken), 1, dtype=torch.long)
        out = []
        for _ in range(length):
            logits, state = decoder(letter, state)
            letter = logits.argmax(-1)
            out.append(letter)
    return torch.cat(out, 1)


def main(hidden=80, steps=500):
    torch.manual_seed(9)
    rng = random.Random(9)
    encoder, decoder = Encoder(hidden), Decoder(hidden)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=5e-3)
    for step in range(steps):
        spoken, written = batch(rng, 48)
        start = torch.zeros(len(written), 1, dtype=torch.long)
        logits, _ = decoder(torch.cat([start, written[:, :-1]], 1), encoder(spoken))
        loss = F.cross_entropy(logits.flatten(0, 1), written.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 100 == 99:
            print(f"{step + 1:4d} {loss.item():.4f}")
    spoken, written = batch(rng, 400)
    right = (rewrite(encoder, decoder, spoken) == written).float().mean().item()
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
