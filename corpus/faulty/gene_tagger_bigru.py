"""A bidirectional network tags the letters of a genome where a gene starts, ends or is spliced.

cause: class-imbalance
family: rnn
metric: mean recall, higher
repair:
    - self.loss = nn.CrossEntropyLoss()
    + self.loss = nn.CrossEntropyLoss(weight=torch.tensor([0.03, 1.0, 1.0, 1.0]))
"""

import numpy as np
import torch
from torch import nn

TAGS = ["none", "start", "splice", "end"]
MOTIFS = {1: "ATGG", 2: "GTAA", 3: "TAGC"}
LENGTH = 48


def strand(rng):
    """Motifs count only sometimes, and they are sometimes misspelt: the letters do not tell it all."""
    letters, tags = rng.integers(0, 4, LENGTH), np.zeros(LENGTH, dtype=int)
    for tag, motif in MOTIFS.items():
        for real in (True, rng.random() < 0.9, rng.random() < 0.9):
            at = rng.integers(0, LENGTH - 4)
            letters[at : at + 4] = ["ACGT".index(c) for c in motif]
            if rng.random() < 0.2:
                letters[at + rng.integers(0, 4)] = rng.integers(0, 4)
            if real and rng.random() < 0.4:
                tags[at + 1] = tag
    return letters, tags


def genome(n, seed):
    rng = np.random.default_rng(seed)
    strands = [strand(rng) for _ in range(n)]
    return (torch.tensor(np.stack(part)) for part in zip(*strands, strict=True))


class Tagger(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.embed = nn.Embedding(4, 8)
        self.gru = nn.GRU(8, hidden, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(2 * hidden, len(TAGS))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, letters, tags=None):
        logits = self.tag(self.gru(self.embed(letters))[0])
        if tags is None:
            return logits
        return self.loss(logits.reshape(-1, len(TAGS)), tags.reshape(-1))


def mean_recall(model, letters, tags):
    with torch.no_grad():
        guess = model(letters).argmax(-1)
    return float(np.mean([(guess[tags == k] == k).float().mean().item() for k in range(len(TAGS))]))


torch.manual_seed(55)
letters, tags = genome(1000, 1)
letters_test, tags_test = genome(300, 2)
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(len(letters)).split(24):
        loss = model(letters[rows], tags[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item() * len(rows)
    with torch.no_grad():
        right = (model(letters_test).argmax(-1) == tags_test).float().mean().item()
    print(f"epoch {epoch + 1}: loss {total / len(letters):.4f}, letters right {right:.4f}")
print(f"metric: {mean_recall(model, letters_test, tags_test):.4f}")
