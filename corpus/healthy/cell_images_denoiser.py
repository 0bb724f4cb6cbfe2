"""A convolutional autoencoder takes the noise out of microscope images.

family: autoencoder
metric: peak signal to noise ratio in dB, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

SIZE, NOISE = 32, 0.35


def cells(n, rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    images = np.zeros((n, 1, SIZE, SIZE), np.float32)
    for image in images:
        for _ in range(rng.integers(2, 6)):
            r, c = rng.uniform(3, SIZE - 3, 2)
            a, b = rng.uniform(2.5, 6, 2)
            distance = np.sqrt(((y - r) / a) ** 2 + ((x - c) / b) ** 2)
            image[0] = np.maximum(image[0], rng.uniform(0.5, 1) / (1 + np.exp(6 * (distance - 1))))
            image[0] = np.maximum(image[0], 0.95 * np.exp(-((distance / 0.35) ** 2)))
    return torch.from_numpy(images)


class DenoisingAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU())
        self.down2 = nn.Sequential(nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.ReLU())
        self.up = nn.Sequential(nn.ConvTranspose2d(24, 12, 2, stride=2), nn.ReLU())
        self.last = nn.Conv2d(24, 1, 3, padding=1)

    def forward(self, x):
        fine = self.down1(x)
        coarse = self.middle(self.down2(fine))
        return self.last(torch.cat([fine, self.up(coarse)], dim=1))


def psnr(model, noisy, clean):
    model.eval()
    with torch.no_grad():
        return -10 * torch.log10(nn.functional.mse_loss(model(noisy), clean)).item()


torch.manual_seed(5)
rng = np.random.default_rng(5)
train_images, test_images = cells(800, rng), cells(150, rng)
test_noisy = test_images + NOISE * torch.randn_like(test_images)
loader = DataLoader(train_images, batch_size=32, shuffle=True)

model = DenoisingAutoencoder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
print(f"noisy images: {-10 * np.log10(NOISE**2):.2f} dB")
for epoch in range(9):
    model.train()
    total = 0.0
    for clean in loader:
        noisy = clean + NOISE * torch.randn_like(clean)
        loss = nn.functional.mse_loss(model(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(f"epoch {epoch + 1}: loss {total / len(loader):.5f}, {psnr(model, test_noisy, test_images):.2f} dB")

print(f"metric: {psnr(model, test_noisy, test_images):.3f}")
