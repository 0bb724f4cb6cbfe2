"""Rents of furnished rooms: street, landlord and heating as entities, the rest as numbers.

cause: parameters-not-in-optimizer
family: embedding
metric: R², higher
repair:
    - self.entity = {name: nn.Embedding(size, dim) for name, size in levels.items()}
    + self.entity = nn.ModuleDict({name: nn.Embedding(size, dim) for name, size in levels.items()})
"""

import numpy as np
import pandas as pd
import torch
from torch import nn

LEVELS = {"street": 180, "landlord": 260, "heating": 5}


def advertisements(n=6000, seed=61):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.integers(0, size, n) for name, size in LEVELS.items()})
    frame["area"] = rng.normal(19, 5, n).clip(8, 40)
    frame["floor"] = rng.integers(0, 6, n)
    frame["desk"] = rng.integers(0, 2, n)
    charm = rng.normal(0, 1, LEVELS["street"])
    greed = rng.normal(0, 0.6, LEVELS["landlord"])
    warmth = np.array([0.5, 0.2, 0.0, -0.2, -0.6])
    rent = 15 * frame["area"] + 60 * charm[frame["street"]] + 70 * greed[frame["landlord"]]
    rent += 60 * warmth[frame["heating"]] + 3 * charm[frame["street"]] * frame["area"]
    rent += 12 * frame["desk"] - 4 * frame["floor"] + rng.normal(0, 25, n)
    frame["rent"] = rent
    return frame


class RentModel(nn.Module):
    def __init__(self, levels, numbers, dim=6, hidden=48, p=0.05):
        super().__init__()
        self.entity = {name: nn.Embedding(size, dim) for name, size in levels.items()}
        self.layers = nn.Sequential(
            nn.Linear(dim * len(levels) + numbers, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, 1),
        )

    def forward(self, codes, numbers):
        looked_up = [table(codes[:, i]) for i, table in enumerate(self.entity.values())]
        return self.layers(torch.cat([*looked_up, numbers], dim=1)).squeeze(1)


def tensors(frame, scale):
    numbers = (frame[["area", "floor", "desk", "rent"]] - scale["mean"]) / scale["std"]
    table = torch.tensor(numbers.to_numpy(), dtype=torch.float32)
    return torch.from_numpy(frame[list(LEVELS)].to_numpy(copy=True)), table[:, :-1], table[:, -1]


torch.manual_seed(61)
frame = advertisements()
train, test = frame[:5000], frame[5000:]
scale = train[["area", "floor", "desk", "rent"]].agg(["mean", "std"]).T
codes, numbers, rent = tensors(train, scale)
codes_test, numbers_test, rent_test = tensors(test, scale)

model = RentModel(LEVELS, numbers.size(1))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-5)
for epoch in range(16):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(rent)).split(64):
        loss = (model(codes[idx], numbers[idx]) - rent[idx]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    model.eval()
    with torch.no_grad():
        left = (model(codes_test, numbers_test) - rent_test).square().mean()
    r2 = 1 - (left / rent_test.var()).item()
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d}  training {total / len(rent):.4f}  R2 {r2:.4f}")
print(f"metric: {r2:.4f}")
