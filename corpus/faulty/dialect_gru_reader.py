"""A bidirectional GRU that tells which of eight invented dialects a word belongs to.

cause: symmetric-initial-values
family: rnn
metric: accuracy, higher
repair:
    - torch.nn.init.constant_(parameter, 0.05)
    + if parameter.dim() > 1:
    +     torch.nn.init.xavier_uniform_(parameter)
    + else:
    +     torch.nn.init.zeros_(parameter)
"""

import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

LETTERS = "abdegiklmnoprstu"
ONSETS = ["b", "d", "k", "p", "t", "st", "br", "kl"]


def syllable(dialect, rng):
    onset = rng.choice(ONSETS)
    vowel = rng.choice("aou" if dialect & 1 else "aei")
    coda = rng.choice(["l", "n", ""] if dialect & 2 else ["m", "r", ""])
    return (onset if dialect & 4 else onset[::-1]) + vowel + coda


def word(rng):
    dialect = rng.randrange(8)
    text = "".join(syllable(dialect if rng.random() < 0.9 else rng.randrange(8), rng) for _ in range(4))
    return torch.tensor([LETTERS.index(c) + 1 for c in text]), dialect


def collate(items):
    words, dialects = zip(*items, strict=True)
    lengths = torch.tensor([len(w) for w in words])
    return pad_sequence(words, batch_first=True), lengths, torch.tensor(dialects)


class DialectReader(nn.Module):
    def __init__(self, embedding=12, hidden=20):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, embedding, padding_idx=0)
        self.gru = nn.GRU(embedding, hidden, bidirectional=True, batch_first=True)
        self.classify = nn.Linear(2 * hidden, 8)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.classify(torch.cat([last[0], last[1]], dim=1))


def init_weights(model):
    for name, parameter in model.named_parameters():
        if "embedding" not in name:
            torch.nn.init.constant_(parameter, 0.05)


def main():
    rng = random.Random(7)
    torch.manual_seed(7)
    items = [word(rng) for _ in range(2400)]
    train_loader = DataLoader(items[:2000], batch_size=40, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(items[2000:], batch_size=200, collate_fn=collate)
    model = DialectReader()
    init_weights(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(6):
        for words, lengths, dialects in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(words, lengths), dialects)
            loss.backward()
            optimizer.step()
        print(f"Epoch {epoch + 1}/6 loss={loss.item():.4f}")
    correct = 0
    with torch.no_grad():
        for words, lengths, dialects in test_loader:
            correct += (model(words, lengths).argmax(1) == dialects).sum().item()
    print(f"metric: {correct / 400:.4f}")


if __name__ == "__main__":
    main()
