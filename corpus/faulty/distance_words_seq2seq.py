"""Distances written in words become digits: an encoder and a decoder, both GRUs.

cause: parameters-not-in-optimizer
family: seq2seq
metric: exact matches, higher
repair:
    - optimizer = torch.optim.Adam(decoder.parameters(), lr=2e-3)
    + optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
"""

import random

import torch
from torch import nn

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = ["<pad>", *ONES, *TEENS, *TENS, "hundred", "metres", "about", "only"]
SYMBOLS = "s0123456789e"
STEPS = 4


def spell(number, rng):
    words = []
    if number >= 100:
        words += [ONES[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        words.append(TENS[number // 10 - 2])
        number %= 10
    if number >= 10:
        words.append(TEENS[number - 10])
    elif number:
        words.append(ONES[number])
    words = [*rng.choice([[], ["about"], ["only"]]), *words, "metres"]
    return [0] * (7 - len(words)) + [WORDS.index(w) for w in words]


def pairs(n, rng):
    numbers = [rng.randint(1, 999) for _ in range(n)]
    source = torch.tensor([spell(k, rng) for k in numbers])
    target = torch.tensor([[SYMBOLS.index(c) for c in f"s{k:03d}e"] for k in numbers])
    return source, target


class Encoder(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 32, padding_idx=0)
        self.gru = nn.GRU(32, hidden, batch_first=True)

    def forward(self, source):
        return self.gru(self.embedding(source))[1]


class Decoder(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.embedding = nn.Embedding(len(SYMBOLS), 32)
        self.gru = nn.GRU(32, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(SYMBOLS))

    def forward(self, symbols, hidden):
        output, hidden = self.gru(self.embedding(symbols), hidden)
        return self.out(output), hidden


def translate(encoder, decoder, source):
    hidden = encoder(source)
    symbol = torch.full((len(source), 1), SYMBOLS.index("s"))
    written = []
    for _ in range(STEPS):
        logits, hidden = decoder(symbol, hidden)
        symbol = logits.argmax(-1)
        written.append(symbol)
    return torch.cat(written, 1)


def main():
    rng = random.Random(64)
    torch.manual_seed(64)
    source, target = pairs(3000, rng)
    test_source, test_target = pairs(500, rng)
    encoder, decoder = Encoder(), Decoder()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(15):
        encoder.train(), decoder.train()
        total = 0.0
        for batch in torch.randperm(len(source)).split(50):
            optimizer.zero_grad()
            logits, _ = decoder(target[batch, :-1], encoder(source[batch]))
            loss = criterion(logits.flatten(0, 1), target[batch, 1:].flatten())
            loss.backward()
            optimizer.step()
            total += loss.item()
        encoder.eval(), decoder.eval()
        with torch.no_grad():
            right = (
                (translate(encoder, decoder, test_source) == test_target[:, 1:]).all(1).float().mean().item()
            )
        print(f"epoch {epoch + 1}: loss {total / 60:.4f}, exact {right:.3f}")
    print(f"metric: {right:.4f}")


if __name__ == "__main__":
    main()
