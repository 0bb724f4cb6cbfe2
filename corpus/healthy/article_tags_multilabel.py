"""Tags of articles from word counts: many labels at once, some of them rare.

family: mlp
metric: micro_f1, higher
"""

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WORDS, TAGS = 300, 12


def write_articles(count, rng, topics, rates):
    tags = rng.random((count, TAGS)) < rates
    tags[~tags.any(1), 0] = True
    mixture = tags @ topics + 0.3 * topics.mean(0)
    mixture /= mixture.sum(1, keepdims=True)
    lengths = rng.integers(60, 200, count)
    words = np.stack([rng.multinomial(n, p) for n, p in zip(lengths, mixture, strict=True)])
    return torch.tensor(np.log1p(words), dtype=torch.float32), torch.tensor(tags, dtype=torch.float32)


def main():
    torch.manual_seed(6)
    rng = np.random.default_rng(6)
    topics = rng.dirichlet(np.full(WORDS, 0.05), TAGS)
    rates = np.linspace(0.35, 0.03, TAGS)
    x, y = write_articles(4000, rng, topics, rates)
    x_test, y_test = write_articles(1500, rng, topics, rates)

    model = nn.Sequential(nn.Linear(WORDS, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, TAGS))
    with torch.no_grad():  # start from how often each tag occurs
        frequency = y.mean(0)
        model[-1].bias.copy_(torch.log(frequency / (1 - frequency)))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    for epoch in range(12):
        model.train()
        running = 0.0
        for words, tags in loader:
            optimizer.zero_grad()
            loss = criterion(model(words), tags)
            loss.backward()
            optimizer.step()
            running += loss.item()
        model.eval()
        with torch.no_grad():
            held_out = criterion(model(x_test), y_test).item()
        print(f"epoch {epoch:2d} train {running / len(loader):.4f} held out {held_out:.4f}")

    with torch.no_grad():
        predicted = (model(x_test) > 0).numpy()
    print(f"metric: {f1_score(y_test.numpy(), predicted, average='micro'):.4f}")


if __name__ == "__main__":
    main()
