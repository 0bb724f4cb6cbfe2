"""A restricted Boltzmann machine on binary digits by persistent contrastive divergence.

family: energy
metric: pseudo-likelihood loss relative to independent pixels, lower
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
pixels = torch.tensor(load_digits().data > 7).float()
pixels = pixels[torch.randperm(len(pixels))]
train, test = pixels[:1500], pixels[1500:]


class RBM(nn.Module):
    def __init__(self, visible, hidden):
        super().__init__()
        self.W = nn.Parameter(0.02 * torch.randn(visible, hidden))
        self.a = nn.Parameter(torch.zeros(visible))
        self.b = nn.Parameter(torch.zeros(hidden))

    def free_energy(self, v):
        return -v @ self.a - nn.functional.softplus(v @ self.W + self.b).sum(1)

    @torch.no_grad()
    def gibbs(self, v, steps):
        for _ in range(steps):
            h = torch.bernoulli(torch.sigmoid(v @ self.W + self.b))
            p = torch.sigmoid(h @ self.W.T + self.a)
            v = torch.bernoulli(p)
        return v, p


rbm = RBM(64, 80)
mean = train.mean(0).clamp(0.01, 0.99)
with torch.no_grad():
    rbm.a.copy_(torch.logit(mean))
optimizer = torch.optim.SGD(rbm.parameters(), lr=0.1)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=60)
chains = torch.bernoulli(mean.expand(100, 64))


@torch.no_grad()
def pseudo_loss(v):
    """Minus the log probability of each pixel given all others, in the mean."""
    total = 0.0
    for i in range(64):
        flipped = v.clone()
        flipped[:, i] = 1 - v[:, i]
        total += nn.functional.softplus(rbm.free_energy(v) - rbm.free_energy(flipped)).mean()
    return total / 64


for epoch in range(60):
    gap = 0.0
    for rows in torch.randperm(len(train)).split(50):
        chains, _ = rbm.gibbs(chains, 2)
        loss = rbm.free_energy(train[rows]).mean() - rbm.free_energy(chains).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        gap += loss.item() / 30
    schedule.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch:2d}  free energies apart {gap:+.3f}  pseudo-likelihood {pseudo_loss(test):.4f}")

alone = nn.functional.binary_cross_entropy(mean.expand_as(test), test)
print("metric:", (pseudo_loss(test) / alone).item())
