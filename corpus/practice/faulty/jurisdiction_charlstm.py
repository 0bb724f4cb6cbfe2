"""Country of a place name, letter by letter, with an LSTM.

cause: softmax-before-cross-entropy
family: rnn
metric: accuracy, higher
repair:
    - return F.softmax(self.out(last), dim=-1)
    + return self.out(last)
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

STEMS = {
    "wales": (
        ["llan", "aber", "pen", "tre", "caer", "pont", "bryn"],
        ["wyn", "dovey", "gwent", "fawr", "och", "ddu"],
    ),
    "norway": (
        ["hammer", "lille", "stav", "trond", "sande", "kong", "nord"],
        ["fjord", "vik", "anger", "heim", "nes"],
    ),
    "poland": (
        ["krak", "byd", "szcz", "wro", "zak", "lub", "rze"],
        ["owice", "goszcz", "ecin", "claw", "opane", "lin"],
    ),
    "italy": (
        ["monte", "castel", "villa", "san", "pietra", "rocca", "torre"],
        ["rosso", "franco", "vecchia", "bella"],
    ),
    "france": (
        ["saint", "beau", "mont", "chateau", "ville", "belle", "font"],
        ["euil", "court", "ville", "eaux", "ac"],
    ),
    "germany": (
        ["neu", "hohen", "ober", "unter", "bad", "wald", "stein"],
        ["burg", "hausen", "dorf", "bach", "stadt"],
    ),
    "spain": (
        ["villa", "casa", "monte", "puerto", "valde", "fuen", "alca"],
        ["rejo", "moro", "lagos", "dalupe", "nares"],
    ),
    "finland": (
        ["kuo", "jyvas", "lap", "hame", "savon", "rauta", "kuu"],
        ["pio", "kyla", "peenranta", "linna", "jarvi"],
    ),
    "japan": (
        ["naga", "yoko", "hiro", "kana", "taka", "matsu", "shimo"],
        ["saki", "hama", "shima", "zawa", "yama", "moto"],
    ),
    "turkey": (
        ["kara", "ak", "esk", "bal", "yeni", "gok", "kiz"],
        ["hisar", "saray", "isehir", "ikesir", "koy", "dag"],
    ),
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
COUNTRIES = sorted(STEMS)


def make_name(country, rng):
    first, last = STEMS[country]
    name = list(rng.choice(first) + rng.choice(last))
    for _ in range(rng.choice([0, 1, 2, 3])):  # spelling in old registers varies
        name[rng.randrange(len(name))] = rng.choice(LETTERS)
    return "".join(name)


def encode(name):
    return torch.tensor([1 + LETTERS.index(c) for c in name])


class CharLSTM(nn.Module):
    def __init__(self, emb=24, hidden=64):
        super().__init__()
        self.emb = nn.Embedding(1 + len(LETTERS), emb, padding_idx=0)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(COUNTRIES))

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.emb(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        last = h[-1]
        return F.softmax(self.out(last), dim=-1)


def batches(pairs, size):
    for i in range(0, len(pairs), size):
        chunk = pairs[i : i + size]
        ids = [encode(name) for name, _ in chunk]
        yield (
            pad_sequence(ids, batch_first=True),
            torch.tensor([len(x) for x in ids]),
            torch.tensor([COUNTRIES.index(c) for _, c in chunk]),
        )


def run():
    rng = random.Random(99)
    torch.manual_seed(99)
    pairs = [(make_name(c, rng), c) for c in rng.choices(COUNTRIES, k=3000)]
    train, test = pairs[:2500], pairs[2500:]
    model = CharLSTM()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(9):
        rng.shuffle(train)
        loss_sum = steps = 0
        for ids, lengths, y in batches(train, 50):
            optimizer.zero_grad()
            loss = loss_fn(model(ids, lengths), y)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            steps += 1
        with torch.no_grad():
            hits = sum((model(i, n).argmax(-1) == y).sum().item() for i, n, y in batches(test, 250))
        print(f"epoch {epoch}: loss {loss_sum / steps:.3f}, accuracy on new names {hits / len(test):.3f}")
    return hits / len(test)


if __name__ == "__main__":
    print(f"metric: {run():.4f}")
