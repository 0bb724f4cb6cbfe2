"""Adapters in a frozen transformer: first masked words, then the intent of short queries.

family: transformer
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WORDS, LENGTH, INTENTS, MASK = 60, 14, 6, 0


def queries(count, rng, topics, follows):
    """Words follow one another as in any text, but for those that belong to the intent."""
    intents = rng.integers(0, INTENTS, count)
    ids = np.zeros((count, LENGTH), dtype=np.int64)
    for i, intent in enumerate(intents):
        word = rng.integers(1, WORDS)
        for t in range(LENGTH):
            ids[i, t] = word
            word = rng.choice(topics[intent] if rng.random() < 0.4 else follows[word])
    return torch.from_numpy(ids), torch.from_numpy(intents)


class Adapter(nn.Module):
    def __init__(self, width, rank=8):
        super().__init__()
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        self.gate = nn.Parameter(torch.tensor(0.1))
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.gate * self.up(F.gelu(self.down(x)))


class Encoder(nn.Module):
    def __init__(self, width=48, layers=2):
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        nn.init.normal_(self.words.weight, std=0.15)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 96, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.adapters = nn.ModuleList(nn.Identity() for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.words(ids) + self.places
        for layer, adapter in zip(self.layers, self.adapters, strict=True):
            x = adapter(layer(x))
        return self.norm(x)


def pretrain(encoder, ids, steps=400):
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=2e-3, weight_decay=0.01)
    for step in range(steps):
        batch = ids[torch.randint(0, len(ids), (64,))]
        hidden = torch.rand(batch.shape) < 0.2
        h = encoder(batch.masked_fill(hidden, MASK))[hidden]
        loss = F.cross_entropy(h @ encoder.words.weight.T, batch[hidden])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 90 == 0:
            print(f"masked words, step {step}: {loss.item():.4f}")


def main():
    torch.manual_seed(83)
    rng = np.random.default_rng(83)
    topics, follows = rng.integers(1, WORDS, (INTENTS, 10)), rng.integers(1, WORDS, (WORDS, 2))
    ids, intents = queries(4000, rng, topics, follows)
    test_ids, test_intents = queries(800, rng, topics, follows)
    encoder = Encoder()
    pretrain(encoder, ids)

    encoder.requires_grad_(False)
    encoder.adapters = nn.ModuleList(Adapter(48) for _ in encoder.layers)
    head = nn.Linear(48, INTENTS)
    trained = [
        *encoder.adapters.parameters(),
        *encoder.norm.requires_grad_(True).parameters(),
        *head.parameters(),
    ]
    optimizer = torch.optim.AdamW(trained, lr=5e-3, weight_decay=0.01)
    for epoch in range(7):
        total = 0.0
        for rows in torch.randperm(len(ids)).split(64):
            loss = F.cross_entropy(head(encoder(ids[rows]).mean(1)), intents[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / len(ids)
        with torch.no_grad():
            accuracy = (head(encoder(test_ids).mean(1)).argmax(1) == test_intents).float().mean().item()
        print(f"intents, epoch {epoch}: loss {total:.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
