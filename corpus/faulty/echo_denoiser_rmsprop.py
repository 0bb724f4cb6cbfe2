"""A one-dimensional convolutional network that removes noise from echo traces.

cause: momentum-too-high
family: cnn
metric: mean squared error, lower
repair:
    - return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.99, momentum=0.997)
    + return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.99, momentum=0.5)
"""

import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, channels, 7, padding=3),
            nn.GELU(),
            nn.Conv1d(channels, channels, 7, padding=3),
            nn.GELU(),
            nn.Conv1d(channels, 1, 7, padding=3),
        )

    def forward(self, noisy):
        return self.layers(noisy)


def traces(n, length=64):
    time = torch.arange(length).float()
    clean = torch.zeros(n, length)
    for _ in range(3):
        arrival = torch.rand(n, 1) * length
        strength = torch.rand(n, 1) * 1.5 + 0.5
        delay = time - arrival
        clean += strength * torch.exp(-(delay**2) / 18) * torch.cos(delay * 0.8)
    noisy = clean + 0.6 * torch.randn(n, length)
    return noisy.unsqueeze(1), clean.unsqueeze(1)


def make_optimizer(parameters):
    return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.99, momentum=0.997)


def main(steps=500, batch=24):
    torch.manual_seed(64)
    model = Denoiser()
    optimizer = make_optimizer(model.parameters())
    average = None
    for step in range(1, steps + 1):
        noisy, clean = traces(batch)
        loss = (model(noisy) - clean).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if step % 50 == 0:
            print(f"step {step}: {average:.4f}")
    with torch.no_grad():
        noisy, clean = traces(500)
        error = (model(noisy) - clean).pow(2).mean().item()
    print(f"metric: {error:.5f}")


if __name__ == "__main__":
    main()
