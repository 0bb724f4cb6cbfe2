"""Dilated causal convolutions that predict the next mu-law sample of a street's hum.

family: cnn
metric: nll, lower
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

LEVELS = 32


def mu_law(x, levels=LEVELS):
    mu = levels - 1
    y = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((y + 1) / 2 * mu + 0.5).long().clamp(0, mu)


def hum(clips, seed, length=320, rate=1000):
    """Clips from different street corners: mains hum and a motor, with the air's noise."""
    g = torch.Generator().manual_seed(seed)
    t = torch.arange(length) / rate
    wave = torch.zeros(clips, length)
    motor = 30 + 12 * torch.rand(clips, 1, generator=g)
    for f, a in [(50, 0.3), (100, 0.15), (motor, 0.25), (2 * motor, 0.1)]:
        phase = 2 * math.pi * torch.rand(clips, 1, generator=g)
        wave += a * (0.5 + torch.rand(clips, 1, generator=g)) * torch.sin(2 * math.pi * f * t + phase)
    wave += 0.02 * torch.randn(clips, length, generator=g)
    return wave.clamp(-1, 1)


class GatedLayer(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.pad = dilation
        self.conv = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.residual = nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        a, b = self.conv(F.pad(x, (self.pad, 0))).chunk(2, dim=1)
        h = torch.tanh(a) * torch.sigmoid(b)
        return x + self.residual(h), self.skip(h)


class WaveNet(nn.Module):
    def __init__(self, channels=24, dilations=(1, 2, 4, 8, 16, 32)):
        super().__init__()
        self.embed = nn.Embedding(LEVELS, channels)
        self.layers = nn.ModuleList(GatedLayer(channels, d) for d in dilations)
        self.post = nn.Sequential(nn.ReLU(), nn.Conv1d(channels, 48, 1), nn.ReLU(), nn.Conv1d(48, LEVELS, 1))

    def forward(self, codes):
        x = self.embed(codes).transpose(1, 2)
        total = 0
        for layer in self.layers:
            x, s = layer(x)
            total = total + s
        return self.post(total)


torch.manual_seed(9)
train, test = mu_law(hum(1500, 1)), mu_law(hum(150, 2))
receptive = 64
model = WaveNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.995)


def loss_on(clips):
    logits = model(clips[:, :-1])
    return F.cross_entropy(logits[:, :, receptive:], clips[:, 1 + receptive :])


for step in range(1, 401):
    loss = loss_on(train[torch.randint(0, len(train), (8,))])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    nll = loss_on(test).item()
print(f"metric: {nll:.4f}")
