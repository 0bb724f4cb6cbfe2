"""A variational autoencoder of brush strokes on rice paper.

cause: repeated-batch
family: vae
metric: squared_error, lower
repair:
    - images = next(iter(self.loader))[0]
    + try:
    +     images = next(self.stream)[0]
    + except StopIteration:
    +     self.stream = iter(self.loader)
    +     images = next(self.stream)[0]
    - self.loader = DataLoader(TensorDataset(images), batch_size=64)
    + self.loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True)
    + self.stream = iter(self.loader)
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

SIDE = 20


def strokes(n, seed):
    """Ink along quadratic curves, thick where the brush was slow."""
    g = torch.Generator().manual_seed(seed)
    ends = torch.rand(n, 3, 2, generator=g) * (SIDE - 6) + 3
    width = 0.8 + 0.8 * torch.rand(n, 1, 1, generator=g)
    t = torch.linspace(0, 1, 24)[None, :, None]
    curve = (1 - t) ** 2 * ends[:, :1] + 2 * t * (1 - t) * ends[:, 1:2] + t**2 * ends[:, 2:]
    axis = torch.arange(SIDE, dtype=torch.float32)
    near_x = (axis[None, None] - curve[..., :1]) ** 2
    near_y = (axis[None, None] - curve[..., 1:]) ** 2
    distance = near_y[:, :, :, None] + near_x[:, :, None, :]
    ink = torch.exp(-distance.amin(dim=1) / (2 * width**2))
    return ink.flatten(1)


class VAE(nn.Module):
    def __init__(self, latent=8, hidden=200):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(SIDE * SIDE, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decode = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, SIDE * SIDE))

    def loss(self, x):
        mean, log_variance = self.encode(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        reconstruction = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        return (reconstruction + divergence) / len(x)

    @torch.no_grad()
    def squared_error(self, x):
        mean, _ = self.encode(x).chunk(2, dim=1)
        return (torch.sigmoid(self.decode(mean)) - x).square().sum(1).mean().item()


class Trainer:
    def __init__(self, model, images):
        self.model = model
        self.loader = DataLoader(TensorDataset(images), batch_size=64)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step(self):
        images = next(iter(self.loader))[0]
        loss = self.model.loss(images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, steps, test_images):
        for i in range(1, steps + 1):
            loss = self.step()
            if i % 300 == 0:
                with torch.no_grad():
                    test = self.model.loss(test_images).item()
                print(f"step {i}: train {loss:.2f} test {test:.2f}")


torch.manual_seed(12)
train_images, test_images = strokes(3000, 1), strokes(500, 2)
vae = VAE()
Trainer(vae, train_images).fit(1500, test_images)
print(f"metric: {vae.squared_error(test_images):.3f}")
