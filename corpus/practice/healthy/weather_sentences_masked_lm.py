"""Masked words of weather reports guessed by a small encoder; most masked words are a matter of chance.

family: transformer
metric: cross-entropy (nats per masked word), lower
"""

import random

import torch
from torch import nn

random.seed(71)
torch.manual_seed(71)

REGIONS = {
    "north": ["snow", "frost", "sleet"],
    "south": ["sun", "haze", "drizzle"],
    "west": ["rain", "gales", "fog"],
}
TIMES = ["morning", "noon", "evening", "night"]
FORCE = {"snow": "heavy", "frost": "sharp", "sleet": "heavy", "sun": "long", "haze": "thin"}
FORCE |= {"drizzle": "light", "rain": "heavy", "gales": "sharp", "fog": "thin"}


def sentence():
    region = random.choice(list(REGIONS))
    weather = random.choice(REGIONS[region])
    first = random.randrange(3)
    words = f"in the {region} expect {FORCE[weather]} {weather} from {TIMES[first]}"
    later = random.choice(TIMES[first + 1 :])
    return [*words.split(), "until", later, "with", random.choice(["low", "mid", "high"]), "winds"]


vocabulary = ["<mask>", *sorted({w for _ in range(2000) for w in sentence()})]
index = {w: i for i, w in enumerate(vocabulary)}


def corpus(n):
    return torch.tensor([[index[w] for w in sentence()] for _ in range(n)])


def mask(ids, g):
    chosen = torch.rand(ids.shape, generator=g) < 0.2
    chosen[torch.arange(len(ids)), torch.randint(ids.size(1), (len(ids),), generator=g)] = True
    kept = torch.rand(ids.shape, generator=g) < 0.1
    return torch.where(chosen & ~kept, 0, ids), torch.where(chosen, ids, -100)


class Encoder(nn.Module):
    def __init__(self, length, width=32):
        super().__init__()
        self.words = nn.Embedding(len(vocabulary), width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        nn.init.normal_(self.words.weight, std=0.1)
        self.bias = nn.Parameter(torch.zeros(len(vocabulary)))

    def forward(self, ids):
        h = self.layers(self.words(ids) + self.places)
        return h @ self.words.weight.T + self.bias


def loss_of(model, ids, g):
    masked, target = mask(ids, g)
    return nn.functional.cross_entropy(model(masked).flatten(0, 1), target.flatten(), ignore_index=-100)


train, test = corpus(3000), corpus(600)
model = Encoder(train.size(1))
optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 50, 1 - s / 376))
g = torch.Generator().manual_seed(1)
for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(len(train)).split(64):
        loss = loss_of(model, train[rows], g)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        held_out = loss_of(model, test, torch.Generator().manual_seed(2)).item()
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, held-out {held_out:.4f}")

print(f"metric: {held_out:.4f}")
