"""A denoising autoencoder for sonar lines over a kelp forest.

cause: training-in-eval-mode
family: autoencoder
metric: error on noisy lines, lower
repair:
    - for step, batch in enumerate(stream, 1):
    + self.model.train()
    + for step, batch in enumerate(stream, 1):
"""

import torch
from torch import nn

N = 128


def sonar_lines(n, generator):
    depth = torch.linspace(0, 1, N)
    line = torch.zeros(n, N)
    bottom = 0.7 + 0.25 * torch.rand(n, 1, generator=generator)
    line += torch.exp(-(((depth - bottom) / 0.02) ** 2)) * 2
    for _ in range(3):
        top = 0.15 + 0.5 * torch.rand(n, 1, generator=generator)
        width = 0.02 + 0.08 * torch.rand(n, 1, generator=generator)
        line += torch.rand(n, 1, generator=generator) * torch.exp(-(((depth - top) / width) ** 2))
    return line


class GaussianNoise(nn.Module):
    """Adds noise while training."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        if self.training:
            x = x + self.sigma * torch.randn_like(x)
        return x


class Denoiser(nn.Module):
    def __init__(self, sigma=0.4, code=64):
        super().__init__()
        self.noise = GaussianNoise(sigma)
        self.encoder = nn.Sequential(nn.Linear(N, 192), nn.GELU(), nn.Linear(192, code))
        self.decoder = nn.Sequential(nn.GELU(), nn.Linear(code, 192), nn.GELU(), nn.Linear(192, N))

    def forward(self, x):
        return self.decoder(self.encoder(self.noise(x)))


class Trainer:
    def __init__(self, model, lr=1e-3, log_every=150):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        self.log_every = log_every

    def fit(self, stream):
        for step, batch in enumerate(stream, 1):
            loss = nn.functional.mse_loss(self.model(batch), batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            if step % self.log_every == 0:
                print(f"step {step}: loss {loss.item():.5f}")
        return self

    @torch.inference_mode()
    def test(self, clean, noisy):
        self.model.eval()
        return nn.functional.mse_loss(self.model(noisy), clean).item()


if __name__ == "__main__":
    torch.manual_seed(50)
    g = torch.Generator().manual_seed(51)
    clean = sonar_lines(1000, g)
    noisy = clean + 0.4 * torch.randn(clean.shape, generator=g)
    trainer = Trainer(Denoiser())
    print(f"untrained: {trainer.test(clean, noisy):.5f}")
    trainer.fit(sonar_lines(64, g) for _ in range(1200))
    print(f"metric: {trainer.test(clean, noisy):.5f}")
