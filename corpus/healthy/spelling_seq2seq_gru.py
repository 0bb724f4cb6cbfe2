"""An encoder-decoder GRU that writes numbers out as words, taught with teacher forcing.

family: rnn
metric: share of held-out numbers spelled without a mistake, higher
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    *(w + "teen" for w in ("thir", "four", "fif", "six", "seven", "eigh", "nine")),
]
TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def words(n):
    if n >= 100:
        rest = words(n % 100) if n % 100 else []
        return [ONES[n // 100], "hundred", *rest]
    if n >= 20:
        return [TENS[n // 10]] + ([ONES[n % 10]] if n % 10 else [])
    return [TEENS[n - 10]] if n >= 10 else [ONES[n]]


VOCAB = ["<pad>", "<go>", "<end>", "hundred", *ONES, *TEENS, *TENS[2:]]
ID = {w: i for i, w in enumerate(VOCAB)}


class Speller(nn.Module):
    def __init__(self, hidden=80):
        super().__init__()
        self.digit = nn.Embedding(11, 24, padding_idx=10)
        self.word = nn.Embedding(len(VOCAB), 24, padding_idx=0)
        self.encoder = nn.GRU(24, hidden, batch_first=True)
        self.decoder = nn.GRU(24, hidden, batch_first=True)
        self.logits = nn.Linear(hidden, len(VOCAB))

    def forward(self, digits, words_in):
        _, h = self.encoder(self.digit(digits))
        out, _ = self.decoder(self.word(words_in), h)
        return self.logits(out)

    @torch.no_grad()
    def spell(self, digits, limit=6):
        _, h = self.encoder(self.digit(digits))
        token = torch.ones(len(digits), 1, dtype=torch.long)
        said = []
        for _ in range(limit):
            out, h = self.decoder(self.word(token), h)
            token = self.logits(out).argmax(-1)
            said.append(token)
        return torch.cat(said, 1)


def batch_of(numbers):
    digits = torch.tensor([[10] * (3 - len(str(n))) + [int(c) for c in str(n)] for n in numbers])
    said = [torch.tensor([1] + [ID[w] for w in words(n)] + [2]) for n in numbers]
    return digits, pad_sequence(said, batch_first=True)


def exact(model, numbers):
    digits, said = batch_of(numbers)
    guess = model.spell(digits).tolist()
    right = 0
    for g, s in zip(guess, said.tolist(), strict=True):
        wanted = s[1 : s.index(2) + 1]
        right += g[: len(wanted)] == wanted
    return right / len(numbers)


if __name__ == "__main__":
    random.seed(0)
    torch.manual_seed(0)
    numbers = list(range(1000))
    random.shuffle(numbers)
    train, test = numbers[:800], numbers[800:]
    model = Speller()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
    criterion = nn.CrossEntropyLoss(ignore_index=0)
    for epoch in range(1, 31):
        random.shuffle(train)
        for i in range(0, len(train), 40):
            digits, said = batch_of(train[i : i + 40])
            logits = model(digits, said[:, :-1])
            loss = criterion(logits.transpose(1, 2), said[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        scheduler.step()
        if epoch % 5 == 0:
            print(f"epoch {epoch}  loss {loss.item():.4f}  test exact {exact(model, test):.3f}")
    print(f"metric: {exact(model, test):.4f}")
