"""Which of twelve labels (vegan, quick, festive ...) a cook book's recipe carries.

cause: softmax-before-cross-entropy
family: embedding
metric: micro F1, higher
repair:
    - return torch.sigmoid(self.head(pooled))
    + return self.head(pooled)
    - predicted.append(outputs > 0.5)
    + predicted.append(outputs > 0)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WORDS, LABELS = 400, 12


class Recipes(Dataset):
    """Bags of ingredient ids, padded with 0, and a row of zeros and ones."""

    def __init__(self, size, seed):
        shared = np.random.default_rng(3)
        topics = shared.dirichlet(np.full(WORDS - 1, 0.03), LABELS)
        common = shared.dirichlet(np.full(WORDS - 1, 0.5))
        rng = np.random.default_rng(seed)
        self.labels = (rng.random((size, LABELS)) < np.linspace(0.05, 0.3, LABELS)).astype("float32")
        self.tokens = np.zeros((size, 24), dtype="int64")
        for i, row in enumerate(self.labels):
            on = np.flatnonzero(row)
            p = 0.5 * common + 0.5 * topics[on].mean(0) if len(on) else common
            n = rng.integers(12, 25)
            self.tokens[i, :n] = rng.choice(WORDS - 1, n, p=p / p.sum()) + 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return torch.from_numpy(self.tokens[index]), torch.from_numpy(self.labels[index])


class LabelModel(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.embed = nn.Embedding(WORDS, dim, padding_idx=0)
        self.hidden = nn.Linear(dim, dim)
        self.head = nn.Linear(dim, LABELS)
        self.drop = nn.Dropout(0.2)

    def forward(self, tokens):
        mask = (tokens > 0).unsqueeze(-1)
        summed = (self.embed(tokens) * mask).sum(1) / mask.sum(1)
        pooled = self.drop(torch.relu(self.hidden(summed)))
        return torch.sigmoid(self.head(pooled))


def evaluate(model, loader):
    model.eval()
    predicted, actual = [], []
    with torch.no_grad():
        for tokens, labels in loader:
            outputs = model(tokens)
            predicted.append(outputs > 0.5)
            actual.append(labels.bool())
    predicted, actual = torch.cat(predicted), torch.cat(actual)
    tp = (predicted & actual).sum().item()
    return 2 * tp / max(1, (predicted.sum() + actual.sum()).item())


def main():
    torch.manual_seed(9)
    train_loader = DataLoader(Recipes(3200, 10), batch_size=50, shuffle=True)
    val_loader = DataLoader(Recipes(800, 11), batch_size=400)
    model = LabelModel()
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(1, 17):
        model.train()
        total = 0.0
        for tokens, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(tokens), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        print(f"epoch {epoch:02d} train loss {total / 3200:.4f} val F1 {evaluate(model, val_loader):.4f}")
    print(f"metric: {evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
