"""Topics of short newswire items from their word counts, a dense network with dropout.

cause: training-in-eval-mode
also: overfitting
begins: 51
family: mlp
metric: cross entropy, lower
repair:
    - self.model.train()
    - for epoch in range(epochs):
    + for epoch in range(epochs):
    +     self.model.train()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WORDS, TOPICS = 900, 10


def make_items(count, rng, topics):
    labels = rng.integers(0, TOPICS, count)
    rows = np.zeros((count, WORDS), dtype=np.float32)
    for i, topic in enumerate(labels):
        length = rng.integers(12, 40)
        other = topics[rng.integers(0, TOPICS)]
        mix = 0.35 * topics[topic] + 0.15 * other + 0.5 * topics.mean(0)
        rows[i] = rng.multinomial(length, mix / mix.sum())
    return torch.from_numpy(np.log1p(rows)), torch.from_numpy(labels)


class Trainer:
    def __init__(self, model, train_loader, valid_loader):
        self.model = model
        self.train_loader = train_loader
        self.valid_loader = valid_loader
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
        self.criterion = nn.CrossEntropyLoss()

    def validate(self):
        self.model.eval()
        loss, correct, seen = 0.0, 0, 0
        with torch.no_grad():
            for x, y in self.valid_loader:
                out = self.model(x)
                loss += self.criterion(out, y).item() * len(y)
                correct += (out.argmax(1) == y).sum().item()
                seen += len(y)
        return loss / seen, correct / seen

    def fit(self, epochs):
        self.model.train()
        for epoch in range(epochs):
            running = 0.0
            for x, y in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(y)
            loss, accuracy = self.validate()
            train = running / len(self.train_loader.dataset)
            print(f"epoch {epoch + 1:2d}  train {train:.4f}  valid {loss:.4f}  accuracy {accuracy:.3f}")
        return loss


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(WORDS, 0.06), TOPICS)
    train = TensorDataset(*make_items(2400, rng, topics))
    valid = TensorDataset(*make_items(1000, rng, topics))
    model = nn.Sequential(
        nn.Dropout(0.3),
        nn.Linear(WORDS, 400),
        nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(400, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, TOPICS),
    )
    trainer = Trainer(model, DataLoader(train, 48, shuffle=True), DataLoader(valid, 250))
    loss = trainer.fit(30)
    print(f"metric: {loss:.4f}")


if __name__ == "__main__":
    main()
