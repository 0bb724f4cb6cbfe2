"""Two properties of small crystals at once, from the graphs of their atoms.

family: gnn
metric: R² of the gap, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SPECIES, MAX_ATOMS = 8, 12


class Crystals(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        pull = np.array([0.9, 1.5, 2.0, 2.5, 3.0, 3.4, 1.2, 1.8])
        self.atoms = torch.zeros(n, MAX_ATOMS, dtype=torch.long)
        self.bonds = torch.zeros(n, MAX_ATOMS, MAX_ATOMS)
        self.y = torch.zeros(n, 2)
        for i in range(n):
            k = int(rng.integers(5, MAX_ATOMS + 1))
            kind = rng.choice(SPECIES, k, p=[0.2, 0.2, 0.15, 0.15, 0.12, 0.1, 0.06, 0.02])
            bond = np.triu(rng.random((k, k)) < 2.5 / k, 1)
            bond[np.arange(k - 1), np.arange(1, k)] = True
            bond = bond | bond.T
            step = np.abs(pull[kind][:, None] - pull[kind][None])
            ionic = (step * bond).sum() / bond.sum()
            gap = 2.5 * ionic - 0.3 * bond.sum(1).mean() + 0.1 * rng.normal()
            mass = pull[kind].sum() / 10 + 0.05 * rng.normal()
            self.atoms[i, :k] = torch.from_numpy(kind + 1)
            self.bonds[i, :k, :k] = torch.from_numpy(bond.astype(np.float32))
            self.y[i] = torch.tensor([gap, mass])
        self.y = (self.y - torch.tensor([1.0, 1.5])) / torch.tensor([0.7, 0.5])

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.atoms[i], self.bonds[i], self.y[i]


class GINLayer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, h, bonds):
        return h + torch.relu(self.norm(self.mlp((1 + self.eps) * h + bonds @ h)))


class CrystalNet(nn.Module):
    def __init__(self, dim=40, depth=3):
        super().__init__()
        self.embed = nn.Embedding(SPECIES + 1, dim, padding_idx=0)
        self.layers = nn.ModuleList(GINLayer(dim) for _ in range(depth))
        self.gap = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, 1))
        self.mass = nn.Linear(2 * dim, 1)

    def forward(self, atoms, bonds):
        real = (atoms > 0).float()[..., None]
        h = self.embed(atoms)
        for layer in self.layers:
            h = layer(h, bonds) * real
        pooled = torch.cat([h.sum(1) / 10, h.sum(1) / real.sum(1)], dim=1)
        return torch.cat([self.gap(pooled), self.mass(pooled)], dim=1)


def main():
    torch.manual_seed(55)
    train_loader = DataLoader(Crystals(2500, 1), batch_size=64, shuffle=True)
    test = Crystals(600, 2)
    model = CrystalNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for epoch in range(20):
        model.train()
        total = 0.0
        for atoms, bonds, y in train_loader:
            guess = model(atoms, bonds)
            loss = nn.functional.huber_loss(guess[:, 0], y[:, 0])
            loss = loss + 0.1 * nn.functional.huber_loss(guess[:, 1], y[:, 1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step()
        model.eval()
        with torch.no_grad():
            residual = model(test.atoms, test.bonds) - test.y
        r2 = 1 - residual.square().mean(0) / test.y.var(0)
        print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f}, R2 {r2[0]:.4f} and {r2[1]:.4f}")
    print(f"metric: {r2[0]:.4f}")


if __name__ == "__main__":
    main()
