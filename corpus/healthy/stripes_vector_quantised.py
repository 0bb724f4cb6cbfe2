"""Woven patterns squeezed through a book of thirty-two codes that follows its members' mean (VQ-VAE).

family: vae
metric: mean squared error relative to the variance, lower
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)


def patterns(n):
    """Pictures of 16 by 16: every quarter has one of six textures."""
    axis = torch.arange(8.0)
    r, c = torch.meshgrid(axis, axis, indexing="ij")
    waves = [r, c, r + c, r - c, 2 * r, 2 * c]
    tiles = torch.stack([torch.sin(w * math.pi / 4) for w in waves])
    chosen = tiles[torch.randint(0, 6, (n, 2, 2))]
    return chosen.permute(0, 1, 3, 2, 4).reshape(n, 1, 16, 16) + 0.1 * torch.randn(n, 1, 16, 16)


class Codebook(nn.Module):
    def __init__(self, codes, size, decay=0.95):
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", 0.5 * torch.randn(codes, size))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.codes.clone())

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        index = torch.cdist(flat, self.codes).argmin(1)
        if self.training:
            with torch.no_grad():
                member = F.one_hot(index, len(self.codes)).float()
                self.counts.lerp_(member.sum(0), 1 - self.decay)
                self.sums.lerp_(member.T @ flat, 1 - self.decay)
                lost = self.counts < 0.05
                if lost.any():
                    self.sums[lost] = flat[torch.randint(0, len(flat), (int(lost.sum()),))]
                    self.counts[lost] = 1.0
                self.codes.copy_(self.sums / self.counts[:, None])
        n, _, h, w = z.shape
        q = self.codes[index].view(n, h, w, -1).permute(0, 3, 1, 2)
        return z + (q - z).detach(), F.mse_loss(z, q.detach()), index


class Model(nn.Module):
    def __init__(self, size=12):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 32, 1), nn.ReLU(), nn.Conv2d(32, size, 1)
        )
        self.book = Codebook(32, size)
        self.decode = nn.Sequential(nn.Conv2d(size, 48, 1), nn.ReLU(), nn.ConvTranspose2d(48, 1, 4, 4))

    def forward(self, x):
        q, commitment, index = self.book(self.encode(x))
        return self.decode(q), commitment, index


model = Model()
data, test = patterns(2000), patterns(300)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(16):
    model.train()
    for x in data[torch.randperm(len(data))].split(50):
        out, commitment, index = model(x)
        loss = F.mse_loss(out, x) + 0.25 * commitment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f} codes in use {len(index.unique())}")

model.eval()
with torch.no_grad():
    print("metric:", (F.mse_loss(model(test)[0], test) / test.var()).item())
