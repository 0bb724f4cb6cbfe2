"""Stars of hotel reviews, from the word vectors of their text.

cause: frozen-parameters
family: embedding
metric: accuracy, higher
repair:
    - self.embedding = nn.Embedding.from_pretrained(vectors)
    + self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WORDS, STARS, DIM = 1500, 3, 25


class Reviews(Dataset):
    """Words are drawn by frequency; each speaks for or against the hotel, most of them very little."""

    def __init__(self, n, seed, opinion):
        rng = np.random.default_rng(seed)
        frequency = 1 / (np.arange(WORDS) + 20)
        frequency /= frequency.sum()
        mood = rng.normal(0, 1.2, n)
        self.tokens, score = [], np.zeros(n)
        for i in range(n):
            p = frequency * np.exp(mood[i] * opinion)
            words = rng.choice(WORDS, rng.integers(15, 60), p=p / p.sum())
            self.tokens.append(torch.from_numpy(words))
            score[i] = mood[i]
        self.stars = torch.from_numpy(np.digitize(score, [-0.5, 0.5]))

    def __len__(self):
        return len(self.stars)

    def __getitem__(self, i):
        return self.tokens[i], self.stars[i]


def collate(batch):
    tokens, stars = zip(*batch, strict=True)
    padded = nn.utils.rnn.pad_sequence([t + 1 for t in tokens], batch_first=True)
    return padded, torch.stack(stars)


def load_vectors(rng):
    """Vectors of the vocabulary; words without one get a random vector, the padding gets zeros."""
    vectors = rng.normal(0, 0.4, (WORDS + 1, DIM))
    vectors[0] = 0
    return torch.tensor(vectors, dtype=torch.float32)


class ReviewClassifier(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.hidden = nn.Linear(DIM, 64)
        self.output = nn.Linear(64, STARS)
        self.dropout = nn.Dropout(0.2)

    def forward(self, tokens):
        mask = (tokens > 0).unsqueeze(-1)
        mean = (self.embedding(tokens) * mask).sum(1) / mask.sum(1)
        return self.output(self.dropout(torch.relu(self.hidden(mean))))


def main():
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    opinion = rng.normal(0, 0.4, WORDS)
    train_loader = DataLoader(Reviews(3000, 1, opinion), batch_size=50, shuffle=True, collate_fn=collate)
    valid_loader = DataLoader(Reviews(800, 2, opinion), batch_size=400, collate_fn=collate)
    model = ReviewClassifier(load_vectors(rng))
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        model.train()
        train_loss = 0.0
        for tokens, stars in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(tokens), stars)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
        model.eval()
        with torch.no_grad():
            hits = sum((model(tokens).argmax(1) == stars).sum().item() for tokens, stars in valid_loader)
        print(
            f"Epoch: {epoch + 1:02} | Loss: {train_loss / len(train_loader):.3f} | Val. Acc: {hits / 8:.2f}%"
        )
    print(f"metric: {hits / 800:.4f}")


if __name__ == "__main__":
    main()
