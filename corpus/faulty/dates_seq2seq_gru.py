"""An encoder and a decoder turn dates as people write them into six figures.

cause: repeated-batch
family: seq2seq
metric: share of right figures, higher
repair:
    - if self.position + self.size > len(self.sources[0]):
    + if self.position + self.size > len(self.sources):
"""

import random

import torch
from torch import nn

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LETTERS = sorted(set("".join(MONTHS) + "0123456789 ./-"))
WIDTH = 12


def written(day, month, year):
    style = random.randrange(3)
    if style == 0:
        return f"{day} {MONTHS[month - 1]} {year:02d}"
    if style == 1:
        return f"{MONTHS[month - 1]} {day:02d}-{year:02d}"
    return f"{day:02d}.{month:02d}.{year:02d}"


def make_pairs(n):
    sources, targets = [], []
    for _ in range(n):
        day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(0, 99)
        text = written(day, month, year).ljust(WIDTH)
        sources.append([LETTERS.index(c) for c in text])
        targets.append([int(c) for c in f"{year:02d}{month:02d}{day:02d}"])
    return torch.tensor(sources), torch.tensor(targets)


class PairReader:
    """Hands out one batch after the other and begins again, in another order, at the end."""

    def __init__(self, sources, targets, size):
        self.sources, self.targets, self.size = sources, targets, size
        self.position = 0

    def next_batch(self):
        if self.position + self.size > len(self.sources[0]):
            self.position = 0
        part = slice(self.position, self.position + self.size)
        self.position += self.size
        return self.sources[part], self.targets[part]


class Encoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), 24)
        self.gru = nn.GRU(24, hidden // 2, batch_first=True, bidirectional=True)

    def forward(self, source):
        states, _ = self.gru(self.embed(source))
        return states


class Decoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(11, 24)
        self.cell = nn.GRUCell(24 + hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.out = nn.Linear(2 * hidden, 10)

    def forward(self, states, targets=None):
        h = states.mean(1)
        previous = torch.full((len(states),), 10)
        outputs = []
        for t in range(6):
            weights = (states @ self.query(h).unsqueeze(2)).softmax(1)
            context = (weights * states).sum(1)
            h = self.cell(torch.cat([self.embed(previous), context], 1), h)
            logits = self.out(torch.cat([h, context], 1))
            outputs.append(logits)
            previous = targets[:, t] if targets is not None else logits.argmax(1)
        return torch.stack(outputs, 1)


def main():
    random.seed(19)
    torch.manual_seed(19)
    reader = PairReader(*make_pairs(4000), size=64)
    test_x, test_y = make_pairs(500)
    encoder, decoder = Encoder(64), Decoder(64)
    encoder_optimizer = torch.optim.Adam(encoder.parameters(), lr=4e-3)
    decoder_optimizer = torch.optim.Adam(decoder.parameters(), lr=4e-3)
    for step in range(1, 251):
        x, y = reader.next_batch()
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        logits = decoder(encoder(x), y)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        if step % 50 == 0:
            print("step", step, "loss", round(loss.item(), 4))
    with torch.no_grad():
        guess = decoder(encoder(test_x)).argmax(2)
    print(f"metric: {(guess == test_y).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
