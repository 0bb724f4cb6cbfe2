"""Stars that guests give to hotels: embeddings of both, with a small network over their product.

cause: momentum-too-high
family: recommender
metric: r2, higher
repair:
    - optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.999, nesterov=True)
    + optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

GUESTS, HOTELS = 500, 120


def stars(n=16000, seed=19):
    rng = np.random.default_rng(seed)
    wishes = rng.normal(0, 1, (GUESTS, 3))
    offers = rng.normal(0, 1, (HOTELS, 3))
    strict, good = rng.normal(0, 0.5, GUESTS), rng.normal(0, 0.7, HOTELS)
    guest, hotel = rng.integers(0, GUESTS, n), rng.integers(0, HOTELS, n)
    liking = 3.4 + strict[guest] + good[hotel] + 0.4 * (wishes[guest] * offers[hotel]).sum(1)
    rating = np.clip(np.round(liking + rng.normal(0, 0.4, n)), 1, 5)
    return TensorDataset(torch.tensor(guest), torch.tensor(hotel), torch.tensor(rating, dtype=torch.float32))


class HotelRater(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.guest = nn.Embedding(GUESTS, dim)
        self.hotel = nn.Embedding(HOTELS, dim)
        self.guest_bias = nn.Embedding(GUESTS, 1)
        self.hotel_bias = nn.Embedding(HOTELS, 1)
        self.mix = nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 1))
        for table in (self.guest, self.hotel):
            nn.init.normal_(table.weight, std=0.3)
        for table in (self.guest_bias, self.hotel_bias):
            nn.init.zeros_(table.weight)

    def forward(self, guest, hotel):
        mixed = self.mix(self.guest(guest) * self.hotel(hotel))
        return 3.4 + (mixed + self.guest_bias(guest) + self.hotel_bias(hotel)).squeeze(1)


def explained(model, loader):
    model.eval()
    with torch.no_grad():
        errors, ratings = zip(*((model(g, h) - rating, rating) for g, h, rating in loader), strict=True)
    return 1 - (torch.cat(errors).square().mean() / torch.cat(ratings).var()).item()


torch.manual_seed(19)
train_set, test_set = random_split(stars(), [13000, 3000])
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1000)
model = HotelRater()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.999, nesterov=True)
loss_fn = nn.MSELoss()

for epoch in range(5):
    model.train()
    total = 0.0
    for guest, hotel, rating in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(guest, hotel), rating)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"{epoch + 1:2d} train {total / len(train_loader):.3f} test r2 {explained(model, test_loader):.3f}")
print(f"metric: {explained(model, test_loader):.4f}")
