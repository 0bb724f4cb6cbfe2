"""Topic of a newspaper headline, by a small transformer encoder.

cause: decay-too-strong
family: transformer
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    + optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-6)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TOPICS = ("politics", "sport", "business", "science")
VOCAB, LENGTH = 400, 10


def headlines(n, seed):
    """Word numbers: 40 words belong to each topic, some are shared by two, the rest by all."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(TOPICS), n)
    words = rng.integers(200, VOCAB, (n, LENGTH))
    own = 40 * labels[:, None] + (40 * rng.random((n, LENGTH)) ** 1.4).astype(int)
    shared = (
        160
        + 10 * ((labels[:, None] + rng.integers(0, 2, (n, LENGTH))) % 4)
        + rng.integers(0, 10, (n, LENGTH))
    )
    draw = rng.random((n, LENGTH))
    words = np.where(draw < 0.16, own, words)
    words = np.where(draw > 0.85, shared, words)
    return TensorDataset(torch.tensor(words), torch.tensor(labels))


class HeadlineEncoder(nn.Module):
    def __init__(self, dim=48, heads=4, layers=2):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, dim)
        self.positions = nn.Parameter(torch.randn(LENGTH, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout=0.1, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, len(TOPICS))

    def forward(self, x):
        h = self.encoder(self.tokens(x) + self.positions)
        return self.classifier(self.norm(h.mean(dim=1)))


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(-1) == y).sum().item() for x, y in loader)
    return hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(8)
    train_loader = DataLoader(headlines(3200, 1), batch_size=64, shuffle=True)
    test_loader = DataLoader(headlines(800, 2), batch_size=200)
    model = HeadlineEncoder()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    for epoch in range(8):
        model.train()
        running = 0.0
        for x, y in train_loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(
            f"epoch {epoch + 1} loss {running / len(train_loader):.3f} acc {accuracy(model, test_loader):.3f}"
        )
    print(f"metric: {accuracy(model, test_loader):.4f}")
