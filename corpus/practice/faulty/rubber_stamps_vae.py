"""A variational autoencoder of digits as an office's rubber stamps print them.

cause: training-in-eval-mode
begins: 31
family: vae
metric: negative lower bound, lower
repair:
    - def step(self, batch):
    + def step(self, batch):
    +     self.vae.train()
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class StampVAE(nn.Module):
    def __init__(self, code=6, hidden=96):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.SiLU(), nn.Linear(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.SiLU(), nn.Linear(hidden, 64))

    def encode(self, x):
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        return mean, log_var.clamp(-8, 4)

    def sample(self, mean, log_var):
        return mean + torch.randn_like(mean) * (0.5 * log_var).exp()

    def forward(self, x):
        mean, log_var = self.encode(x)
        z = self.sample(mean, log_var) if self.training else mean
        return self.decoder(z), mean, log_var


def divergence(mean, log_var):
    return 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)


def misfit(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


class Workshop:
    def __init__(self, vae, lr=3e-3):
        self.vae = vae
        self.optimizer = torch.optim.Adam(vae.parameters(), lr=lr)

    def step(self, batch):
        logits, mean, log_var = self.vae(batch)
        loss = (misfit(logits, batch) + divergence(mean, log_var)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def reprint(self, stamps):
        """How many dots of the stamps come out wrong when they are printed from their codes."""
        self.vae.eval()
        logits, _, _ = self.vae(stamps)
        return ((logits > 0) != (stamps > 0.5)).float().mean().item()

    @torch.no_grad()
    def negative_bound(self, stamps, draws=20):
        mean, log_var = self.vae.encode(stamps)
        misfits = [misfit(self.vae.decoder(self.vae.sample(mean, log_var)), stamps) for _ in range(draws)]
        return (torch.stack(misfits).mean(0) + divergence(mean, log_var)).mean().item()


def main():
    torch.manual_seed(26)
    stamps = torch.tensor(load_digits().data > 7, dtype=torch.float32)
    stamps = stamps[torch.randperm(len(stamps))]
    train, test = stamps[:1500], stamps[1500:]
    workshop = Workshop(StampVAE())
    for epoch in range(1, 36):
        losses = [workshop.step(batch) for batch in train[torch.randperm(1500)].split(50)]
        wrong = workshop.reprint(test)
        if epoch % 7 == 0:
            print(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}, dots wrong {wrong:.4f}")
    print(f"metric: {workshop.negative_bound(test):.4f}")


if __name__ == "__main__":
    main()
