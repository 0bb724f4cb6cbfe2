"""A noisy picture cleaned by an untrained decoder fed with one fixed noise, stopped early (deep image prior).

family: cnn
metric: PSNR against the clean picture (dB), higher
"""

import math

import torch
import torch.nn as nn

torch.manual_seed(2)
SIDE = 40
r, c = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
clean = 0.3 + 0.2 * r
clean = torch.where((r + 0.3) ** 2 + (c - 0.2) ** 2 < 0.2, 0.85 - 0.2 * c, clean)
clean = torch.where((r > 0.35) & (c.abs() < 0.6), 0.15 + 0.1 * c, clean)[None, None]
noisy = clean + 0.15 * torch.randn_like(clean)
held = torch.rand_like(clean) < 0.1


def block(a, b):
    return [nn.Conv2d(a, b, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(b), nn.LeakyReLU(0.1)]


decoder = nn.Sequential(
    *block(16, 24),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    *block(24, 24),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    *block(24, 16),
    nn.Conv2d(16, 1, 1),
    nn.Sigmoid(),
)
code = 0.5 * torch.rand(1, 16, SIDE // 4, SIDE // 4)
optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)


def psnr(picture):
    return -10 * math.log10((picture - clean).square().mean().item())


print(f"noisy: {psnr(noisy):.2f} dB")
average, best, best_at = None, math.inf, 0
for it in range(400):
    picture = decoder(code + 0.02 * torch.randn_like(code))
    loss = (picture - noisy)[~held].square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    now = picture.detach()
    average = now.clone() if average is None else 0.97 * average + 0.03 * now
    miss = (average - noisy)[held].square().mean().item()
    if miss < best:
        best, best_at, kept = miss, it, average
    elif it - best_at > 80:
        print(f"stopped at {it}, kept {best_at}")
        break
    if it % 50 == 0:
        print(f"{it:4d}  loss {loss.item():.5f}  psnr {psnr(now):.2f}  averaged {psnr(average):.2f}")
print("metric:", psnr(kept))
