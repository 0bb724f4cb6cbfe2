"""A convolutional filter takes the hiss out of short voiced sounds.

cause: wrong-loss-sign
family: cnn
metric: signal to distortion ratio in dB, higher
repair:
    - loss = si_sdr(estimate, clean).mean()
    + loss = -si_sdr(estimate, clean).mean()
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class NoisyVoices(Dataset):
    """Vowels: harmonics of a gliding pitch, louder about two formants; the noise is 0 to 10 dB below."""

    def __init__(self, n, seed, length=256, rate=4000):
        g = torch.Generator().manual_seed(seed)
        t = torch.arange(length) / rate
        pitch = 100 + 120 * torch.rand(n, 1, generator=g)
        glide = 200 * (torch.rand(n, 1, generator=g) - 0.5)
        formants = torch.tensor([300.0, 900.0]) + torch.tensor([500.0, 700.0]) * torch.rand(n, 2, generator=g)
        phase = 2 * math.pi * (pitch * t + glide * t**2 / 2)
        voice = torch.zeros(n, length)
        for k in range(1, 9):
            gain = torch.exp(-(((k * pitch - formants) / 150) ** 2)).sum(1, keepdim=True) + 0.05
            voice += gain * torch.sin(k * phase + 6.28 * torch.rand(n, 1, generator=g))
        self.clean = voice / voice.std(1, keepdim=True)
        level = 10 ** (-torch.rand(n, 1, generator=g) / 2)
        self.noisy = self.clean + level * torch.randn(n, length, generator=g)

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, i):
        return self.noisy[i], self.clean[i]


def si_sdr(estimate, target, eps=1e-8):
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.pow(2).sum(-1, keepdim=True) + eps)
    projection = scale * target
    noise = estimate - projection
    return 10 * torch.log10(projection.pow(2).sum(-1) / (noise.pow(2).sum(-1) + eps) + eps)


class Denoiser(nn.Module):
    def __init__(self, channels=24, layers=4):
        super().__init__()
        self.encode = nn.Conv1d(1, channels, 9, padding=4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv1d(channels, channels, 5, padding=2 * 2**i, dilation=2**i), nn.PReLU())
            for i in range(layers)
        )
        self.decode = nn.Conv1d(channels, 1, 9, padding=4)

    def forward(self, noisy):
        x = self.encode(noisy[:, None])
        for block in self.blocks:
            x = x + block(x)
        return self.decode(x)[:, 0]


def main():
    torch.manual_seed(44)
    train_loader = DataLoader(NoisyVoices(1280, 1), batch_size=32, shuffle=True)
    val_loader = DataLoader(NoisyVoices(300, 2), batch_size=100)
    model = Denoiser()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(6):
        model.train()
        total = 0.0
        for noisy, clean in train_loader:
            estimate = model(noisy)
            loss = si_sdr(estimate, clean).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            val = torch.cat([si_sdr(model(noisy), clean) for noisy, clean in val_loader]).mean().item()
        print(f"epoch {epoch + 1}: loss {total / len(train_loader):.3f}, validation SI-SDR {val:.2f} dB")
    print(f"metric: {val:.3f}")


if __name__ == "__main__":
    main()
