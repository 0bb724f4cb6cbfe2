"""A recurrent network guesses from which of five invented lands a surname comes, spelt letter by letter.

cause: labels-misaligned
family: rnn
metric: accuracy, higher
repair:
    - return letters[order], lengths[order], lands
    + return letters[order], lengths[order], lands[order]
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

ROOTS = {
    "north": ("sten", "bjor", "holm", "grim", "ulf", "sen", "dal"),
    "south": ("ara", "lino", "etti", "bello", "oso", "vanna", "cito"),
    "east": ("ovi", "kova", "rasz", "nik", "czy", "wski", "dra"),
    "west": ("mac", "ford", "wick", "ton", "ley", "shaw", "burn"),
    "isles": ("kea", "hano", "moana", "tui", "lani", "aka", "wai"),
}
LANDS = list(ROOTS)


def surname(rng):
    land = rng.randrange(len(LANDS))
    parts = [rng.choice(ROOTS[LANDS[land]]) for _ in range(rng.choice((1, 2, 2, 3)))]
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(ROOTS[rng.choice(LANDS)])[:3])
    return "".join(parts), land


def spell(name):
    return torch.tensor([ord(letter) - 96 for letter in name])


def collate(pairs):
    names, lands = zip(*pairs, strict=True)
    letters = pad_sequence([spell(name) for name in names], batch_first=True)
    lengths = torch.tensor([len(name) for name in names])
    lands = torch.tensor(lands)
    order = lengths.argsort(descending=True)
    return letters[order], lengths[order], lands


class SurnameGRU(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(27, 16, padding_idx=0)
        self.gru = nn.GRU(16, hidden, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(2 * hidden, len(LANDS))

    def forward(self, letters, lengths):
        packed = pack_padded_sequence(self.embed(letters), lengths, batch_first=True)
        _, state = self.gru(packed)
        return self.classify(torch.cat([state[0], state[1]], dim=1))


def predict(model, name):
    letters = spell(name)[None]
    with torch.no_grad():
        return model(letters, torch.tensor([len(name)])).argmax().item()


def main():
    rng = random.Random(40)
    torch.manual_seed(40)
    names = [surname(rng) for _ in range(2600)]
    train, test = names[:2200], names[2200:]
    loader = DataLoader(train, batch_size=32, shuffle=True, collate_fn=collate)
    model = SurnameGRU()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for epoch in range(6):
        total = 0.0
        for letters, lengths, lands in loader:
            loss = nn.functional.cross_entropy(model(letters, lengths), lands)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}")
    right = sum(predict(model, name) == land for name, land in test)
    print(f"metric: {right / len(test):.4f}")


if __name__ == "__main__":
    main()
