"""A sparse autoencoder that finds the directions mixed into its inputs.

family: autoencoder
metric: mean cosine between true directions and the nearest decoder column, higher
"""

import torch
from torch import nn

FEATURES, DIM, LATENTS = 64, 24, 96
L1 = 0.12

gen = torch.Generator().manual_seed(8)
directions = nn.functional.normalize(torch.randn(FEATURES, DIM, generator=gen), dim=1)


def mixtures(n):
    active = torch.rand(n, FEATURES, generator=gen) < 0.03
    amount = 0.5 + torch.rand(n, FEATURES, generator=gen)
    return (active * amount) @ directions


class SparseAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        start = nn.functional.normalize(torch.randn(LATENTS, DIM), dim=1)
        self.decoder = nn.Parameter(start.clone())
        self.encoder = nn.Parameter(start.clone().t())
        self.bias = nn.Parameter(torch.zeros(LATENTS))

    def forward(self, x):
        codes = torch.relu(x @ self.encoder + self.bias)
        return codes @ self.decoder, codes

    @torch.no_grad()
    def normalise(self):
        self.decoder /= self.decoder.norm(dim=1, keepdim=True)


torch.manual_seed(8)
sae = SparseAutoencoder()
opt = torch.optim.Adam(sae.parameters(), lr=4e-3, betas=(0.9, 0.99))
decay = torch.optim.lr_scheduler.LinearLR(opt, start_factor=1.0, end_factor=0.05, total_iters=1500)
for step in range(1500):
    x = mixtures(512)
    back, codes = sae(x)
    error = ((back - x) ** 2).sum(1).mean()
    loss = error + 2 * L1 * codes.sum(1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    decay.step()
    sae.normalise()
    if (step + 1) % 250 == 0:
        used = (codes > 0).float().sum(1).mean()
        print(f"step {step + 1} loss {loss:.4f} error {error:.4f} active codes per input {used:.2f}")

with torch.no_grad():
    columns = nn.functional.normalize(sae.decoder, dim=1)
    match = (directions @ columns.t()).max(dim=1).values
print(f"metric: {match.mean().item():.4f}")
