"""The pitch of whistles and hums in hertz, from magnitude spectra.

cause: targets-not-scaled
family: cnn
metric: mean absolute error in semitones, lower
repair:
    - return self.head(self.conv(x)).squeeze(1)
    + return 2000 * self.head(self.conv(x)).squeeze(1)
    - loss = nn.functional.mse_loss(model(spectra), pitch)
    + loss = nn.functional.mse_loss(model(spectra) / 2000, pitch / 2000)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

RATE = 8000
FRAME = 512


def sounds(n, rng):
    pitch = np.exp(rng.uniform(np.log(300), np.log(3000), n))
    t = np.arange(FRAME) / RATE
    vibrato = 1 + 0.002 * np.sin(2 * np.pi * 6 * t[None] + rng.uniform(0, 6.28, (n, 1)))
    phase = 2 * np.pi * np.cumsum(pitch[:, None] * vibrato, axis=1) / RATE
    wave = np.sin(phase) + rng.uniform(0, 0.6, (n, 1)) * np.sin(2 * phase + rng.uniform(0, 6.28, (n, 1)))
    hiss = rng.uniform(0.05, 0.4, (n, 1)) * rng.normal(size=wave.shape)
    return wave * rng.uniform(0.5, 1.5, (n, 1)) + hiss, pitch


def features(wave):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(FRAME)))[:, :256]
    spectrum = np.log1p(spectrum)
    spectrum = (spectrum - spectrum.mean()) / spectrum.std()
    return torch.tensor(spectrum, dtype=torch.float32).unsqueeze(1)


class PitchNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 9, stride=2, padding=4),
            nn.ReLU(),
            nn.Conv1d(16, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(16 * 64, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.head(self.conv(x)).squeeze(1)


def semitones(predicted, pitch):
    return (12 * torch.log2(predicted.clamp(min=50) / pitch)).abs().mean().item()


def main():
    torch.manual_seed(30)
    rng = np.random.default_rng(30)
    wave, pitch = sounds(3000, rng)
    x, y = features(wave), torch.tensor(pitch, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x[:2500], y[:2500]), batch_size=64, shuffle=True)
    model = PitchNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    for epoch in range(25):
        model.train()
        total = 0.0
        for spectra, pitch in loader:
            loss = nn.functional.mse_loss(model(spectra), pitch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pitch)
        model.eval()
        with torch.no_grad():
            off = semitones(model(x[2500:]), y[2500:])
        if epoch % 4 == 0:
            print(f"epoch {epoch}: loss {total / 2500:.4g}, off by {off:.3f} semitones")
    print(f"metric: {off:.4f}")


if __name__ == "__main__":
    main()
