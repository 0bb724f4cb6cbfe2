"""A message-passing network for the energies of generated molecules.

cause: targets-not-scaled
family: gnn
metric: r2, higher
repair:
    - energies.append(energy)
    + energies.append((energy + 1150) / 330)
"""

import numpy as np
import torch
from torch import nn

import descend

ATOMS = 12
ELEMENTS = {"H": -13.6, "C": -1029.0, "N": -1485.0, "O": -2042.0}
MIX = np.array([0.55, 0.25, 0.1, 0.1])


def molecules(n, rng):
    kinds, bonds, energies = [], [], []
    table = np.array(list(ELEMENTS.values())) / 8
    for _ in range(n):
        kind = rng.choice(4, ATOMS, p=MIX)
        bond = np.zeros((ATOMS, ATOMS))
        for j in range(1, ATOMS):
            i = rng.integers(max(0, j - 4), j)
            bond[i, j] = bond[j, i] = 1.0
        pair = (kind[:, None] + 1) * (kind[None, :] + 1)
        energy = table[kind].sum() + (bond * np.sqrt(pair)).sum() * -12.0 + rng.normal(0, 4)
        kinds.append(kind)
        bonds.append(bond)
        energies.append(energy)
    arrays = (np.stack(kinds), np.stack(bonds), np.array(energies))
    return torch.tensor(arrays[0]), torch.tensor(arrays[1]).float(), torch.tensor(arrays[2]).float()


class MessagePassing(nn.Module):
    def __init__(self, width=32, rounds=2):
        super().__init__()
        self.embed = nn.Embedding(4, width)
        self.message = nn.ModuleList(nn.Linear(width, width) for _ in range(rounds))
        self.update = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(rounds))
        self.readout = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, kind, bond):
        h = self.embed(kind)
        for message, update in zip(self.message, self.update, strict=True):
            gathered = bond @ torch.nn.functional.silu(message(h))
            h = h + torch.nn.functional.silu(update(torch.cat([h, gathered], -1)))
        return self.readout(h).mean(1).squeeze(-1)


def main():
    torch.manual_seed(66)
    rng = np.random.default_rng(66)
    kind, bond, energy = molecules(1200, rng)
    kind_test, bond_test, energy_test = molecules(300, rng)
    net = MessagePassing()
    opt = descend.AdamW(net.parameters(), lr=2e-3)
    for epoch in range(20):
        total = 0.0
        for rows in torch.randperm(len(kind)).split(40):
            loss = (net(kind[rows], bond[rows]) - energy[rows]).abs().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1} mean absolute error {total / len(kind):.4f}")
    with torch.no_grad():
        residual = (net(kind_test, bond_test) - energy_test).square().sum()
        print(f"metric: {1 - (residual / (energy_test - energy_test.mean()).square().sum()).item():.4f}")


if __name__ == "__main__":
    main()
