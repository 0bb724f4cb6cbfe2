"""Will a guest take up an offer? Embeddings of guest and offer under a dense tower.

cause: missing-zero-grad
begins: 4
family: recommender
metric: accuracy, higher
repair:
    - self.embedding_optimizer.zero_grad()
    + self.embedding_optimizer.zero_grad()
    + self.tower_optimizer.zero_grad()
"""

import numpy as np
import torch
from torch import nn


class OfferData:
    def __init__(self, n=30000, guests=150, offers=50, seed=21):
        rng = np.random.default_rng(seed)
        self.guests, self.offers = guests, offers
        g, o = rng.integers(guests, size=n), rng.integers(offers, size=n)
        likes, has = rng.normal(size=(guests, 3)), rng.normal(size=(offers, 3))
        context = rng.normal(size=(n, 4))
        score = (
            1.1 * (likes[g] * has[o]).sum(1)
            + 0.8 * context[:, 0] * np.sign(context[:, 1])
            + 0.3 * context[:, 2]
        )
        taken = score + 0.25 * rng.logistic(size=n) > 0
        self.guest, self.offer = torch.from_numpy(g), torch.from_numpy(o)
        self.context = torch.tensor(context, dtype=torch.float32)
        self.taken = torch.tensor(taken, dtype=torch.float32)
        self.n_train = int(0.85 * n)

    def batches(self, size):
        for index in torch.randperm(self.n_train).split(size):
            yield self.guest[index], self.offer[index], self.context[index], self.taken[index]

    def test(self):
        s = slice(self.n_train, None)
        return self.guest[s], self.offer[s], self.context[s], self.taken[s]


class Embeddings(nn.Module):
    def __init__(self, guests, offers, dim):
        super().__init__()
        self.guest = nn.Embedding(guests, dim)
        self.offer = nn.Embedding(offers, dim)

    def forward(self, guest, offer):
        g, o = self.guest(guest), self.offer(offer)
        return torch.cat([g, o, g * o], dim=1)


class OfferModel(nn.Module):
    def __init__(self, data, dim=6):
        super().__init__()
        self.embeddings = Embeddings(data.guests, data.offers, dim)
        self.tower = nn.Sequential(
            nn.Linear(3 * dim + 4, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, guest, offer, context):
        return self.tower(torch.cat([self.embeddings(guest, offer), context], dim=1)).squeeze(1)


class Trainer:
    def __init__(self, model, data):
        self.model, self.data = model, data
        self.embedding_optimizer = torch.optim.Adam(model.embeddings.parameters(), lr=5e-3)
        self.tower_optimizer = torch.optim.Adam(model.tower.parameters(), lr=2e-3)
        self.criterion = nn.BCEWithLogitsLoss()

    def train_step(self, guest, offer, context, taken):
        loss = self.criterion(self.model(guest, offer, context), taken)
        self.embedding_optimizer.zero_grad()
        loss.backward()
        self.embedding_optimizer.step()
        self.tower_optimizer.step()
        return loss.item()

    @torch.no_grad()
    def accuracy(self):
        guest, offer, context, taken = self.data.test()
        self.model.eval()
        return ((self.model(guest, offer, context) > 0) == (taken > 0.5)).float().mean().item()

    def fit(self, epochs, batch_size):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.train_step(*batch) for batch in self.data.batches(batch_size)]
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, accuracy {self.accuracy():.4f}")


if __name__ == "__main__":
    torch.manual_seed(21)
    data = OfferData()
    trainer = Trainer(OfferModel(data), data)
    trainer.fit(epochs=6, batch_size=100)
    print(f"metric: {trainer.accuracy():.4f}")
