"""Machine sounds: an encoder learns by filling gaps; then a probe, then all of it, learns the kind.

family: autoencoder
metric: accuracy on held-out sounds, higher
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

LENGTH = 64
torch.manual_seed(8)


def sounds(n, gen):
    """Five kinds: which harmonics are strong, and whether the tone wobbles."""
    kind = torch.randint(0, 5, (n,), generator=gen)
    t = torch.arange(LENGTH) / LENGTH
    f = 3 + torch.rand(n, 1, generator=gen)
    p = 2 * math.pi * torch.rand(n, 3, generator=gen)
    strength = torch.tensor(
        [[1, 0.1, 0.1], [0.6, 0.8, 0.1], [0.6, 0.1, 0.8], [0.5, 0.6, 0.6], [1, 0.1, 0.1]]
    )[kind]
    wobble = torch.where(kind == 4, 0.6, 0.0)[:, None] * torch.sin(4 * math.pi * t)
    x = sum(
        strength[:, k, None] * (1 + wobble) * torch.sin(2 * math.pi * (k + 1) * f * t + p[:, k, None])
        for k in range(3)
    )
    return (x + 0.25 * torch.randn(n, LENGTH, generator=gen)).unsqueeze(1), kind


encoder = nn.Sequential(
    nn.Conv1d(1, 24, 7, stride=2, padding=3), nn.GELU(), nn.Conv1d(24, 32, 5, stride=2, padding=2), nn.GELU()
)
decoder = nn.Sequential(
    nn.ConvTranspose1d(32, 24, 4, stride=2, padding=1),
    nn.GELU(),
    nn.ConvTranspose1d(24, 1, 4, stride=2, padding=1),
)


class Probe(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(nn.LazyLinear(48), nn.GELU(), nn.Dropout(0.2), nn.Linear(48, 5))

    def forward(self, x):
        spread = self.encoder(x)
        return self.head(torch.cat([spread.mean(2), spread.std(2), spread.amax(2)], 1))


def main():
    gen = torch.Generator().manual_seed(8)

    params = [*encoder.parameters(), *decoder.parameters()]
    opt = torch.optim.AdamW(params, lr=2e-3)
    for step in range(300):
        x, _ = sounds(64, gen)
        start = int(torch.randint(0, LENGTH - 12, (1,), generator=gen))
        gap = torch.zeros_like(x)
        gap[:, :, start : start + 12] = 1
        loss = F.mse_loss(decoder(encoder(x * (1 - gap))), x)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 100 == 99:
            print(f"filling gaps {step + 1}: {loss.item():.4f}")

    x, y = sounds(1500, gen)
    x_test, y_test = sounds(1000, gen)
    model = Probe()
    model(x[:2])
    encoder.requires_grad_(False)
    opt = torch.optim.AdamW(
        [
            {"params": model.head.parameters(), "lr": 3e-3},
            {"params": encoder.parameters(), "lr": 1e-3},
        ],
        weight_decay=0.01,
    )
    for epoch in range(16):
        if epoch == 4:
            encoder.requires_grad_(True)
        model.train()
        for rows in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch >= 12:
            for g in opt.param_groups:
                g["lr"] *= 0.4
        model.eval()
        with torch.no_grad():
            out = model(x_test)
            accuracy = (out.argmax(1) == y_test).float().mean().item()
        if epoch % 3 == 0:
            print(
                f"{epoch}: loss {loss.item():.4f} test {F.cross_entropy(out, y_test):.3f} hit {accuracy:.3f}"
            )
    print(f"metric: {accuracy:.4f}")


main()
