"""An autoencoder learns a loom's healthy vibration; worn looms stand out by their reconstruction error.

family: autoencoder
metric: detection AUC, higher
"""

import math

import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(36)
N, BINS = 4000, 64
t = torch.arange(128) / 128


def vibration(n, worn=False):
    speed = 6 + 2 * torch.rand(n, 1)
    load = 0.5 + torch.rand(n, 1)
    wave = 0
    for k in range(1, 5):
        wave = wave + load / k * torch.sin(2 * math.pi * (k * speed * t + torch.rand(n, 1)))
    if worn:
        wave = wave + 0.4 * torch.sin(2 * math.pi * (4.6 * speed * t + torch.rand(n, 1)))
    wave = wave + 0.3 * torch.randn(n, 128)
    spectrum = torch.fft.rfft(wave * torch.hann_window(128)).abs()[:, 1:]
    return torch.log(spectrum + 0.5)


train = vibration(N)
mean, std = train.mean(0), train.std(0)
train = (train - mean) / std
sound, worn = (vibration(500) - mean) / std, (vibration(500, worn=True) - mean) / std

model = nn.Sequential(
    nn.Linear(BINS, 64), nn.ReLU(), nn.Linear(64, 8), nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, BINS)
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(train), batch_size=64, shuffle=True)
for epoch in range(16):
    total = 0.0
    for (x,) in loader:
        loss = nn.functional.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        errors = [(model(x) - x).square().mean(1) for x in (sound, worn)]
    auc = roc_auc_score([0] * 500 + [1] * 500, torch.cat(errors).numpy())
    print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, worn {errors[1].mean():.4f}, AUC {auc:.4f}")

print(f"metric: {auc:.4f}")
