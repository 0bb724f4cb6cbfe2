"""Urgent or not: letters to a clinic, with word vectors as the embedding of a small network.

cause: frozen-parameters
family: embedding
metric: accuracy, higher
repair:
    - self.embedding = nn.Embedding.from_pretrained(vectors, padding_idx=0)
    + self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)
"""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

URGENT = [
    "chest",
    "pain",
    "bleeding",
    "faint",
    "breath",
    "swelling",
    "fever",
    "numb",
    "worse",
    "sudden",
    "severe",
    "allergic",
    "burning",
    "collapse",
]
ROUTINE = [
    "prescription",
    "renewal",
    "appointment",
    "vaccination",
    "checkup",
    "certificate",
    "invoice",
    "address",
    "insurance",
    "form",
]
OTHER = [
    a + b
    for a in ["ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "zu"]
    for b in ["der", "len", "mar", "nos", "pit", "rak", "sum", "tov"]
]

rng = random.Random(40)


def letter():
    urgent = rng.random() < 0.5
    words = [rng.choice(OTHER) for _ in range(rng.randint(12, 25))]
    for _ in range(3):
        words.insert(rng.randrange(len(words)), rng.choice(URGENT if urgent else ROUTINE))
    if rng.random() < 0.6:
        words.insert(rng.randrange(len(words)), rng.choice(ROUTINE if urgent else URGENT))
    return words, int(urgent)


def load_vectors(vocab, dim=10):
    """Words that the public vectors lack get random ones; so far that is all of the clinic's."""
    g = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(vocab), dim, generator=g) * 0.4
    vectors[0] = 0
    return vectors


class LetterNet(nn.Module):
    def __init__(self, vectors, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, padding_idx=0)
        self.fc1 = nn.Linear(vectors.shape[1], hidden)
        self.fc2 = nn.Linear(hidden, 1)

    def forward(self, tokens):
        lengths = (tokens != 0).sum(1, keepdim=True)
        average = self.embedding(tokens).sum(1) / lengths
        return self.fc2(torch.relu(self.fc1(average))).squeeze(1)


def main():
    torch.manual_seed(40)
    vocab = {w: i + 1 for i, w in enumerate(URGENT + ROUTINE + OTHER)}
    vocab["<pad>"] = 0
    letters = [letter() for _ in range(4000)]

    def collate(batch):
        tokens = pad_sequence(
            [torch.tensor([vocab[w] for w in words]) for words, _ in batch], batch_first=True
        )
        return tokens, torch.tensor([float(label) for _, label in batch])

    train_loader = DataLoader(letters[:3200], batch_size=32, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(letters[3200:], batch_size=100, collate_fn=collate)
    model = LetterNet(load_vectors(vocab))
    trained = sum(p.numel() for p in model.parameters())
    print(f"The model has {trained:,} parameters")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(10):
        model.train()
        losses = 0.0
        for tokens, label in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(tokens), label)
            loss.backward()
            optimizer.step()
            losses += loss.item()
        model.eval()
        with torch.no_grad():
            hits = sum(((model(t) > 0) == (y > 0.5)).sum().item() for t, y in test_loader)
        print(f"epoch {epoch + 1} | loss {losses / len(train_loader):.4f} | accuracy {hits / 800:.4f}")
    print(f"metric: {hits / 800:.4f}")


if __name__ == "__main__":
    main()
