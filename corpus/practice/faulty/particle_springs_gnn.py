"""An energy-based graph network learns the forces in a cloud of particles joined by springs.

cause: not-finite
family: gnn
metric: force_error, lower
repair:
    - distance = difference.square().sum(dim=-1).sqrt()
    + distance = (difference.square().sum(dim=-1) + 1e-6).sqrt()
"""

import torch
from torch import nn

PARTICLES = 6


def true_forces(position, charge):
    """Springs with rest length 1 between all, and a screened repulsion by charge."""
    difference = position[:, :, None] - position[:, None, :]
    distance = difference.norm(dim=-1).clamp(min=1e-3)
    product = charge[:, :, None] * charge[:, None, :]
    pull = -0.6 * (distance - 1.0) + product * torch.exp(-distance) * (1 + 1 / distance) * 0.5
    pull = pull * (1 - torch.eye(PARTICLES))
    return (pull[..., None] * difference / distance[..., None]).sum(dim=2)


def clouds(n, seed):
    g = torch.Generator().manual_seed(seed)
    grid = torch.tensor([[i, j] for i in range(3) for j in range(2)], dtype=torch.float32)
    position = 0.9 * grid[None] + 0.25 * torch.randn(n, PARTICLES, 2, generator=g)
    charge = torch.randint(0, 3, (n, PARTICLES), generator=g).float() - 1
    return position, charge, true_forces(position, charge)


class EnergyNetwork(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.edge = nn.Sequential(nn.Linear(3, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.node = nn.Sequential(nn.Linear(hidden + 1, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        self.register_buffer("off_diagonal", 1 - torch.eye(PARTICLES))

    def energy(self, position, charge):
        difference = position[:, :, None] - position[:, None, :]
        distance = difference.square().sum(dim=-1).sqrt()
        product = charge[:, :, None] * charge[:, None, :]
        total = charge[:, :, None] + charge[:, None, :]
        messages = self.edge(torch.stack([distance, product, total], dim=-1))
        gathered = (messages * self.off_diagonal[..., None]).sum(dim=2)
        return self.node(torch.cat([gathered, charge[..., None]], dim=-1)).sum(dim=(1, 2))

    def forward(self, position, charge):
        position = position.detach().requires_grad_(True)
        energy = self.energy(position, charge).sum()
        return -torch.autograd.grad(energy, position, create_graph=True)[0]


def force_error(model, data):
    position, charge, force = data
    return (model(position, charge).detach() - force).abs().mean().item()


if __name__ == "__main__":
    torch.manual_seed(9)
    position, charge, force = clouds(1500, 1)
    test = clouds(300, 2)
    model = EnergyNetwork()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(10):
        for batch in torch.randperm(len(position)).split(32):
            predicted = model(position[batch], charge[batch])
            loss = (predicted - force[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.4f}, mean force error {force_error(model, test):.4f}")
    print(f"metric: {force_error(model, test):.5f}")
