"""Urgency of a helpdesk ticket (low, normal, high) from its words.

cause: label-noise
family: embedding
metric: accuracy, higher
repair:
    - train_bags, train_labels = tickets["words"][:N_TRAIN], tickets["ticked"][:N_TRAIN]
    + train_bags, train_labels = tickets["words"][:N_TRAIN], tickets["reviewed"][:N_TRAIN]
"""

import numpy as np
import torch
from torch import nn

N_TRAIN, N_TEST = 1600, 600
WORDS = 900


def collect(seed=14):
    """Tickets, the box that the customer ticked, and the urgency that the support team gave afterwards."""
    rng = np.random.default_rng(seed)
    n = N_TRAIN + N_TEST
    reviewed = rng.choice(3, n, p=[0.35, 0.4, 0.25])
    tone = rng.dirichlet(np.full(WORDS, 0.25), 3)
    common = rng.dirichlet(np.full(WORDS, 0.5))
    words = []
    for level in reviewed:
        length = rng.integers(10, 35)
        words.append(torch.tensor(rng.choice(WORDS, length, p=0.22 * tone[level] + 0.78 * common)))
    ticked = reviewed.copy()
    # a ticket of one's own is always more urgent
    impatient = rng.random(n)
    ticked = np.where((reviewed == 0) & (impatient < 0.40), rng.integers(1, 3, n), ticked)
    ticked = np.where((reviewed == 1) & (impatient < 0.48), 2, ticked)
    ticked = np.where((reviewed == 2) & (impatient < 0.15), 1, ticked)
    return {"words": words, "ticked": torch.tensor(ticked), "reviewed": torch.tensor(reviewed)}


class UrgencyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 48, mode="mean")
        self.out = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 3))

    def forward(self, words, offsets):
        return self.out(self.bag(words, offsets))


def pack(bags):
    offsets = torch.tensor([0] + [len(bag) for bag in bags[:-1]]).cumsum(0)
    return torch.cat(bags), offsets


def accuracy(model, bags, labels):
    model.eval()
    with torch.no_grad():
        return (model(*pack(bags)).argmax(1) == labels).float().mean().item()


torch.manual_seed(2)
tickets = collect()
train_bags, train_labels = tickets["words"][:N_TRAIN], tickets["ticked"][:N_TRAIN]
test_bags, test_labels = tickets["words"][N_TRAIN:], tickets["reviewed"][N_TRAIN:]

model = UrgencyModel()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5)
for epoch in range(24):
    model.train()
    losses = []
    for chunk in torch.randperm(N_TRAIN).split(32):
        logits = model(*pack([train_bags[i] for i in chunk]))
        loss = nn.functional.cross_entropy(logits, train_labels[chunk])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 4 == 3:
        print(f"{epoch + 1}: loss {np.mean(losses):.3f}, test {accuracy(model, test_bags, test_labels):.3f}")
print(f"metric: {accuracy(model, test_bags, test_labels):.4f}")
