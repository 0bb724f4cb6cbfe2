"""Toxicity (log of the lethal dose) of small molecules, by graph convolutions on dense adjacency matrices.

cause: data-not-shuffled
family: gnn
metric: rmse, lower
repair:
    - for start in range(0, n_train, BATCH):
    - batch = slice(start, start + BATCH)
    + for batch in torch.randperm(n_train).split(BATCH):
"""

import numpy as np
import torch
import torch.nn as nn

ATOMS = 14
BATCH = 32
KINDS = 5  # C N O S Cl


def molecule(rng):
    n = int(rng.integers(5, ATOMS + 1))
    kind = rng.choice(KINDS, n, p=[0.6, 0.14, 0.14, 0.06, 0.06])
    bonds = np.zeros((ATOMS, ATOMS))
    for i in range(1, n):
        j = int(rng.integers(max(0, i - 3), i))
        bonds[i, j] = bonds[j, i] = 1
    if n > 6 and rng.random() < 0.5:
        bonds[0, 5] = bonds[5, 0] = 1
    features = np.zeros((ATOMS, KINDS + 1))
    features[np.arange(n), kind] = 1
    features[:n, KINDS] = bonds[:n].sum(1) / 4
    degree = bonds[:n, :n].sum(1)
    hetero = (kind != 0).astype(float)
    dose = 0.5 * (kind == 4).sum() + 0.35 * ((kind == 3) * degree).sum()
    dose += 0.45 * hetero @ bonds[:n, :n] @ hetero / 2 + 0.1 * n - 0.3 * ((kind == 2) & (degree == 1)).sum()
    return features, bonds, dose + rng.normal(0, 0.12)


def read_table(n, seed):
    rng = np.random.default_rng(seed)
    features, bonds, dose = (np.array(part) for part in zip(*(molecule(rng) for _ in range(n)), strict=True))
    return features, bonds, dose


def normalise(bonds):
    with_self = bonds + np.eye(ATOMS)
    root = 1 / np.sqrt(with_self.sum(-1))
    return with_self * root[:, :, None] * root[:, None, :]


class GCN(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.w1 = nn.Linear(KINDS + 1, width)
        self.w2 = nn.Linear(width, width)
        self.w3 = nn.Linear(width, width)
        self.readout = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, h, a):
        present = (h.sum(2, keepdim=True) > 0).float()
        for layer in (self.w1, self.w2, self.w3):
            h = torch.relu(layer(a @ h))
        return self.readout((h * present).sum(1) / 5).squeeze(1)


features, bonds, dose = read_table(2400, seed=3)
test_features, test_bonds, test_dose = read_table(500, seed=4)
# the table comes ranked, the most poisonous last
ranked = np.argsort(dose)
features, bonds, dose = features[ranked], bonds[ranked], dose[ranked]
mean, std = dose.mean(), dose.std()

x = torch.tensor(features, dtype=torch.float32)
a = torch.tensor(normalise(bonds), dtype=torch.float32)
y = torch.tensor((dose - mean) / std, dtype=torch.float32)
x_test = torch.tensor(test_features, dtype=torch.float32)
a_test = torch.tensor(normalise(test_bonds), dtype=torch.float32)
y_test = torch.tensor((test_dose - mean) / std, dtype=torch.float32)
n_train = len(x)

torch.manual_seed(3)
model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(12):
    model.train()
    epoch_loss = []
    for start in range(0, n_train, BATCH):
        batch = slice(start, start + BATCH)
        loss = nn.functional.mse_loss(model(x[batch], a[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss.append(loss.item())
    model.eval()
    with torch.no_grad():
        rmse = nn.functional.mse_loss(model(x_test, a_test), y_test).sqrt().item()
    print(f"epoch {epoch + 1}: train mse {np.mean(epoch_loss):.3f}, test rmse {rmse:.3f}")
print(f"metric: {rmse:.4f}")
