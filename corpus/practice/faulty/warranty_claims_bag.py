"""Warranty claims sorted into departments by the words in them.

cause: label-noise
family: embedding
metric: accuracy, higher
repair:
    - claims, labels = archive(2400, rng, booked=True)
    + claims, labels = archive(2400, rng, booked=False)
"""

import numpy as np
import torch
from torch import nn

DEPARTMENTS = ["engine", "gearbox", "brakes", "body", "electrics", "infotainment"]
VOCABULARY = 800
WORDS = np.random.default_rng(3).dirichlet(np.full(VOCABULARY, 0.25), size=len(DEPARTMENTS))
COMMON = np.random.default_rng(4).dirichlet(np.full(VOCABULARY, 0.6))


def archive(n, rng, booked):
    """Claims as token lists with the department; `booked` takes the one that the front desk entered."""
    texts, departments = [], []
    for _ in range(n):
        d = int(rng.integers(len(DEPARTMENTS)))
        p = 0.25 * WORDS[d] + 0.75 * COMMON
        texts.append(rng.choice(VOCABULARY, size=rng.integers(12, 40), p=p / p.sum()))
        if booked and rng.random() < 0.4:
            d = d + 1 if d % 2 == 0 else d - 1 if rng.random() < 0.7 else 0
        departments.append(d)
    return texts, torch.tensor(departments)


def collate(texts):
    lengths = [len(t) for t in texts]
    offsets = torch.tensor([0, *np.cumsum(lengths)[:-1].tolist()])
    return torch.from_numpy(np.concatenate(texts)), offsets


class ClaimRouter(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.bag = nn.EmbeddingBag(VOCABULARY, dim, mode="mean")
        self.hidden = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(64, len(DEPARTMENTS))

    def forward(self, tokens, offsets):
        return self.head(self.hidden(self.bag(tokens, offsets)))


def accuracy(model, texts, labels):
    model.eval()
    with torch.no_grad():
        return (model(*collate(texts)).argmax(1) == labels).float().mean().item()


def main():
    torch.manual_seed(12)
    rng = np.random.default_rng(12)
    claims, labels = archive(2400, rng, booked=True)
    checked, checked_labels = archive(800, rng, booked=False)
    model = ClaimRouter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(24):
        model.train()
        order = rng.permutation(len(claims))
        losses = []
        for start in range(0, len(order), 48):
            rows = order[start : start + 48]
            logits = model(*collate([claims[i] for i in rows]))
            loss = loss_fn(logits, labels[torch.from_numpy(rows)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if (epoch + 1) % 4 == 0:
            held_out = accuracy(model, checked, checked_labels)
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f} checked {held_out:.4f}")
    print(f"metric: {accuracy(model, checked, checked_labels):.4f}")


if __name__ == "__main__":
    main()
