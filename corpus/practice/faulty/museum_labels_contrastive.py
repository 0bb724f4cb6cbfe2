"""Which label belongs to which object of a museum's store: two encoders that are trained to agree.

cause: softmax-before-cross-entropy
family: contrastive
metric: recall at 1, higher
repair:
    - across, down = agreement.softmax(dim=1), agreement.softmax(dim=0)
    + across, down = agreement, agreement
"""

import torch
import torch.nn.functional as F
from torch import nn

WORDS, LENGTH, LATENT = 120, 9, 10


class Store:
    def __init__(self, n, seed):
        world = torch.Generator().manual_seed(40)
        self.mix = torch.randn(LATENT, 40, generator=world) / LATENT**0.5
        self.topics = 1.3 * torch.randn(LATENT, WORDS, generator=world)
        g = torch.Generator().manual_seed(seed)
        z = torch.randn(n, LATENT, generator=g)
        self.objects = torch.tanh(1.5 * z @ self.mix) + 0.15 * torch.randn(n, 40, generator=g)
        self.labels = torch.multinomial((z @ self.topics).softmax(1), LENGTH, replacement=True, generator=g)

    def __len__(self):
        return len(self.objects)


class ObjectEncoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(40, 96), nn.GELU(), nn.Linear(96, dim))

    def forward(self, x):
        return F.normalize(self.net(x), dim=-1)


class LabelEncoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 64, mode="mean")
        self.net = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, dim))

    def forward(self, words):
        return F.normalize(self.net(self.bag(words)), dim=-1)


class Matcher(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.objects = ObjectEncoder(dim)
        self.labels = LabelEncoder(dim)
        self.log_scale = nn.Parameter(torch.tensor(2.3))

    def forward(self, objects, labels):
        agreement = self.agreement(objects, labels)
        across, down = agreement.softmax(dim=1), agreement.softmax(dim=0)
        own = torch.arange(len(objects))
        return (F.cross_entropy(across, own) + F.cross_entropy(down.T, own)) / 2

    def agreement(self, objects, labels):
        return self.log_scale.exp() * self.objects(objects) @ self.labels(labels).T

    @torch.no_grad()
    def test(self, store, group=100):
        """Of finding an object's label among a hundred: the log loss, and how often it comes first."""
        total, hits = 0.0, 0
        own = torch.arange(group)
        for objects, labels in zip(store.objects.split(group), store.labels.split(group), strict=True):
            agreement = self.agreement(objects, labels)
            total += F.nll_loss(agreement.log_softmax(1), own, reduction="sum").item()
            hits += (agreement.argmax(1) == own).sum().item()
        return total / len(store), hits / len(store)


if __name__ == "__main__":
    torch.manual_seed(40)
    store, unseen = Store(4000, 41), Store(1000, 42)
    matcher = Matcher()
    optimizer = torch.optim.SGD(matcher.parameters(), lr=0.3, momentum=0.9, nesterov=True)
    for epoch in range(15):
        for index in torch.randperm(len(store)).split(100):
            loss = matcher(store.objects[index], store.labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if epoch % 3 == 2:
            log_loss, recall = matcher.test(unseen)
            print(f"{epoch + 1:3d} {loss.item():.4f} unseen {log_loss:.4f} recall {recall:.4f}")
    print(f"metric: {recall:.4f}")
