"""Which department do a doctor's notes come from? A GRU over sentences of very different length.

family: rnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

DEPARTMENTS, WORDS = 6, 2500


class Notes(Dataset):
    """Words by Zipf's law; each department has some of its own, and turns of phrase: pairs in one order."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        frequency = 1 / (np.arange(WORDS) + 5)
        frequency /= frequency.sum()
        self.items = []
        for _ in range(n):
            label = int(rng.integers(DEPARTMENTS))
            length = int(np.clip(rng.lognormal(2.4, 0.6), 4, 50))
            words = rng.choice(WORDS, length, p=frequency)
            own = rng.random(length) < 0.12
            words[own] = 100 + 40 * (label // 2) + rng.integers(0, 40, own.sum())
            place = int(rng.integers(length - 1))
            pair = [20 + label // 2, 30 + label // 2]
            words[place : place + 2] = pair if label % 2 else pair[::-1]
            self.items.append((torch.from_numpy(words + 1), label))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def collate(batch):
    words, labels = zip(*batch, strict=True)
    lengths = torch.tensor([len(w) for w in words])
    return pad_sequence(words, batch_first=True), lengths, torch.tensor(labels)


class NoteReader(nn.Module):
    def __init__(self, dim=32, hidden=48):
        super().__init__()
        self.embedding = nn.Embedding(WORDS + 1, dim, padding_idx=0)
        self.gru = nn.GRU(dim, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.classify = nn.Linear(2 * hidden, DEPARTMENTS)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(
            self.dropout(self.embedding(words)), lengths, batch_first=True, enforce_sorted=False
        )
        _, h = self.gru(packed)
        return self.classify(self.dropout(torch.cat([h[0], h[1]], dim=1)))


def main():
    torch.manual_seed(70)
    train_loader = DataLoader(Notes(4000, 1), batch_size=64, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(Notes(800, 2), batch_size=200, collate_fn=collate)
    model = NoteReader()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(5):
        model.train()
        total = 0.0
        for words, lengths, labels in train_loader:
            loss = nn.functional.cross_entropy(model(words, lengths), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        right = 0
        with torch.no_grad():
            for words, lengths, labels in test_loader:
                right += (model(words, lengths).argmax(1) == labels).sum().item()
        print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f}, accuracy {right / 800:.4f}")
    print(f"metric: {right / 800:.4f}")


if __name__ == "__main__":
    main()
