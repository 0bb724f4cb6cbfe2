"""Sections of a newspaper from the text of its articles: word vectors, one tanh layer, logits.

cause: saturated-units
family: embedding
metric: accuracy, higher
repair:
    - pooled = (vectors * mask).sum(dim=1)
    + pooled = (vectors * mask).sum(dim=1) / mask.sum(dim=1)
"""

import numpy as np
import torch
from torch import nn

SECTIONS = 10
VOCAB = 1500
MAX_LEN = 120


def articles(n, seed):
    rng = np.random.default_rng(seed)
    language = np.random.default_rng(11)
    background = language.dirichlet(np.full(VOCAB - 1, 0.2))
    section = language.dirichlet(np.full(VOCAB - 1, 0.02), size=SECTIONS)
    labels = rng.integers(SECTIONS, size=n)
    tokens = np.zeros((n, MAX_LEN), dtype=np.int64)
    for i, label in enumerate(labels):
        length = rng.integers(40, MAX_LEN + 1)
        p = 0.92 * background + 0.08 * section[label]
        tokens[i, :length] = 1 + rng.choice(VOCAB - 1, size=length, p=p)
    return torch.from_numpy(tokens), torch.from_numpy(labels)


class SectionClassifier(nn.Module):
    def __init__(self, dim=100, hidden=64):
        super().__init__()
        self.word_vectors = nn.Embedding(VOCAB, dim, padding_idx=0)
        self.hidden = nn.Linear(dim, hidden)
        self.logits = nn.Linear(hidden, SECTIONS)

    def forward(self, tokens):
        vectors = self.word_vectors(tokens)
        mask = (tokens != 0).float().unsqueeze(-1)
        pooled = (vectors * mask).sum(dim=1)
        return self.logits(torch.tanh(self.hidden(pooled)))


torch.manual_seed(20)
train_x, train_y = articles(3000, 1)
test_x, test_y = articles(1000, 2)
model = SectionClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(14):
    model.train()
    permutation = torch.randperm(len(train_x))
    running = 0.0
    for start in range(0, len(train_x), 64):
        batch = permutation[start : start + 64]
        optimizer.zero_grad()
        loss = criterion(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(batch)
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1}: train loss {running / len(train_x):.4f}, test accuracy {accuracy:.4f}")

print(f"metric: {accuracy:.4f}")
