"""A one-dimensional U-Net that removes a drone's rotor noise from recorded speech.

family: autoencoder
metric: si-sdr improvement, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

LENGTH = 512
RATE = 4000


def speech(n, g):
    """Syllables: harmonics of a gliding pitch under bursts."""
    t = torch.arange(LENGTH) / RATE
    pitch = 110 + 130 * torch.rand(n, 1, generator=g)
    glide = 80 * torch.randn(n, 1, generator=g)
    phase = 2 * math.pi * (pitch * t + 0.5 * glide * t**2)
    wave = torch.zeros(n, LENGTH)
    for k in range(1, 6):
        start = 6.28 * torch.rand(n, 1, generator=g)
        wave += torch.rand(n, 1, generator=g) / k * torch.sin(k * phase + start)
    centre = 0.128 * torch.rand(n, 2, 1, generator=g)
    burst = torch.exp(-(((t - centre) / 0.025) ** 2)).sum(1)
    wave = wave * burst
    return wave / wave.std(1, keepdim=True).clamp(min=1e-3)


def rotor(n, g):
    t = torch.arange(LENGTH) / RATE
    f = 380 + 60 * torch.rand(n, 1, generator=g)
    noise = torch.zeros(n, LENGTH)
    for k, a in ((1, 1.0), (2, 0.7), (3, 0.5)):
        noise += a * torch.sin(2 * math.pi * k * f * t + 6.28 * torch.rand(n, 1, generator=g))
    noise += 0.4 * torch.randn(n, LENGTH, generator=g)
    return noise / noise.std(1, keepdim=True)


def batch(n, g):
    clean = speech(n, g)
    snr = -3 + 9 * torch.rand(n, 1, generator=g)
    noisy = clean + rotor(n, g) * 10 ** (-snr / 20)
    scale = noisy.std(1, keepdim=True)
    return (noisy / scale).unsqueeze(1), (clean / scale).unsqueeze(1)


def block(n_in, n_out, k=9, stride=1):
    return nn.Sequential(nn.Conv1d(n_in, n_out, k, stride=stride, padding=k // 2), nn.PReLU())


class UNet(nn.Module):
    def __init__(self, w=12):
        super().__init__()
        self.d1 = block(1, w, 15)
        self.d2 = block(w, 2 * w, stride=2)
        self.d3 = block(2 * w, 3 * w, stride=2)
        self.mid = block(3 * w, 3 * w)
        self.u2 = block(5 * w, 2 * w)
        self.u1 = block(3 * w, w)
        self.out = nn.Conv1d(w, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(a)
        c = self.mid(self.d3(b))
        b = self.u2(torch.cat([F.interpolate(c, scale_factor=2), b], 1))
        a = self.u1(torch.cat([F.interpolate(b, scale_factor=2), a], 1))
        return self.out(a)


def si_sdr(estimate, clean):
    estimate, clean = estimate.squeeze(1), clean.squeeze(1)
    scale = (estimate * clean).sum(1, keepdim=True) / clean.pow(2).sum(1, keepdim=True)
    target = scale * clean
    return 10 * torch.log10(target.pow(2).sum(1) / (estimate - target).pow(2).sum(1))


def main():
    g = torch.Generator().manual_seed(26)
    torch.manual_seed(26)
    noisy_test, clean_test = batch(200, g)
    net = UNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    steps = 300
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-4)
    for step in range(1, steps + 1):
        noisy, clean = batch(16, g)
        loss = F.l1_loss(net(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            with torch.no_grad():
                gain = (si_sdr(net(noisy_test), clean_test) - si_sdr(noisy_test, clean_test)).mean().item()
            print(f"step {step}: L1 {loss.item():.4f}, improvement {gain:.2f} dB")
    print(f"metric: {gain:.4f}")


if __name__ == "__main__":
    main()
