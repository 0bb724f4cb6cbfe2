"""The next chord of a song, by a recurrent network.

cause: underfitting
family: rnn
metric: accuracy, higher
repair:
    - parser.add_argument("--hidden", type=int, default=3)
    + parser.add_argument("--hidden", type=int, default=64)
"""

import argparse
import random

import torch
from torch import nn

CHORDS = ["C", "Dm", "Em", "F", "G", "Am", "Bb", "E7", "A7", "D7", "G7", "C7"]
PATTERNS = [
    "C Am F G C Am F G7",
    "C G Am F C G Am F",
    "Dm G7 C A7 Dm G7 C C7",
    "Am F C G Am F C E7",
    "C C7 F Bb C G F C",
    "Em A7 Dm G Em A7 D7 G7",
]
BARS = 16


def song(rng):
    chords, pattern = [], rng.choice(PATTERNS).split()
    while len(chords) <= BARS:
        chords += pattern if rng.random() < 0.8 else rng.choice(PATTERNS).split()
    return [CHORDS.index(c if rng.random() > 0.04 else rng.choice(CHORDS)) for c in chords[: BARS + 1]]


def songbook(n, seed):
    rng = random.Random(seed)
    return torch.tensor([song(rng) for _ in range(n)])


class ChordModel(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(len(CHORDS), 16)
        self.rnn = nn.GRU(16, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, len(CHORDS))

    def forward(self, chords):
        out, _ = self.rnn(self.embedding(chords))
        return self.decoder(out)


def evaluate(model, songs):
    model.eval()
    with torch.no_grad():
        guess = model(songs[:, :-1]).argmax(-1)
    return (guess == songs[:, 1:]).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description="Chord model")
    parser.add_argument("--hidden", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=5e-3)
    args = parser.parse_args()
    torch.manual_seed(10)
    train, test = songbook(1500, 1), songbook(300, 2)
    model = ChordModel(args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(train)).split(32):
            songs = train[batch]
            logits = model(songs[:, :-1])
            loss = nn.functional.cross_entropy(logits.reshape(-1, len(CHORDS)), songs[:, 1:].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch:2d}: loss {total / len(train):.3f}, right {evaluate(model, test):.3f}")
    print(f"metric: {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
