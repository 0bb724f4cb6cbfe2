"""Every genre of a film from the words of its summary.

cause: softmax-before-cross-entropy
family: embedding
metric: micro F1, higher
repair:
    - return torch.sigmoid(self.fc2(h))
    + return self.fc2(h)
    - predicted = model(bags) > 0.5
    + predicted = torch.sigmoid(model(bags)) > 0.5
"""

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

GENRES = ["comedy", "crime", "drama", "horror", "romance", "science fiction", "war", "western"]
WORDS, LENGTH = 1200, 30


def summaries(n, rng, lean):
    """Words of a summary: some for each of its genres, the rest from the language at large."""
    chosen = rng.random((n, len(GENRES))) < np.array([0.3, 0.2, 0.35, 0.15, 0.25, 0.12, 0.1, 0.08])
    chosen[np.arange(n), rng.integers(0, len(GENRES), n)] = True
    common = 1 / np.arange(1, WORDS + 1)
    common /= common.sum()
    tokens = np.empty((n, LENGTH), int)
    for i in range(n):
        mix = 0.5 * common + 0.5 * lean[chosen[i]].mean(0)
        tokens[i] = rng.choice(WORDS, LENGTH, p=mix)
    return TensorDataset(torch.from_numpy(tokens), torch.from_numpy(chosen.astype(np.float32)))


class GenreNet(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.words = nn.EmbeddingBag(WORDS, dim, mode="mean")
        self.fc1 = nn.Linear(dim, 64)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(64, len(GENRES))

    def forward(self, bags):
        h = torch.relu(self.fc1(self.words(bags)))
        h = self.dropout(h)
        return torch.sigmoid(self.fc2(h))


def evaluate(model, loader):
    model.eval()
    answers, truth = [], []
    with torch.no_grad():
        for bags, genres in loader:
            predicted = model(bags) > 0.5
            answers.append(predicted)
            truth.append(genres)
    return f1_score(torch.cat(truth).numpy(), torch.cat(answers).numpy(), average="micro")


def main():
    torch.manual_seed(88)
    rng = np.random.default_rng(88)
    lean = rng.dirichlet(np.full(WORDS, 0.03), len(GENRES))
    train_loader = DataLoader(summaries(4000, rng, lean), batch_size=64, shuffle=True)
    val_loader = DataLoader(summaries(800, rng, lean), batch_size=400)
    model = GenreNet()
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(18):
        model.train()
        losses = []
        for bags, genres in train_loader:
            loss = loss_fn(model(bags), genres)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch:2d} loss {np.mean(losses):.4f} f1 {evaluate(model, val_loader):.4f}")
    print(f"metric: {evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
