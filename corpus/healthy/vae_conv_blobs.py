"""A convolutional beta-VAE with eight latent numbers, on pictures of one moving blob.

family: vae
metric: R2 of the blob's position read linearly from the latent means, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def blobs(n, gen):
    centre = 3 + 6 * torch.rand(n, 2, generator=gen)
    grid = torch.arange(12.0)
    across = torch.exp(-((grid[None, :] - centre[:, :1]) ** 2) / 5)
    along = torch.exp(-((grid[None, :] - centre[:, 1:]) ** 2) / 5)
    return (across[:, :, None] * along[:, None, :])[:, None], centre


class Encoder(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 4, 2, 1)
        self.conv2 = nn.Conv2d(16, 16, 4, 2, 1)
        self.head = nn.Linear(16 * 9, 2 * latent)

    def forward(self, x):
        x = F.elu(self.conv1(x))
        x = F.elu(self.conv2(x))
        return self.head(x.flatten(1)).chunk(2, 1)


class Decoder(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.fc = nn.Linear(latent, 16 * 9)
        self.deconv1 = nn.ConvTranspose2d(16, 16, 4, 2, 1)
        self.deconv2 = nn.ConvTranspose2d(16, 1, 4, 2, 1)

    def forward(self, z):
        x = F.elu(self.fc(z)).view(-1, 16, 3, 3)
        return self.deconv2(F.elu(self.deconv1(x)))


if __name__ == "__main__":
    torch.manual_seed(6)
    gen = torch.Generator().manual_seed(6)
    encoder, decoder = Encoder(8), Decoder(8)
    params = list(encoder.parameters()) + list(decoder.parameters())
    opt = torch.optim.Adam(params, lr=2e-3)
    for it in range(700):
        x, _ = blobs(64, gen)
        mean, logvar = encoder(x)
        z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
        squared = ((decoder(z) - x) ** 2).flatten(1).sum(1).mean() / (2 * 0.1**2)
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
        loss = squared + 2.0 * kl.sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if it % 100 == 99:
            each = " ".join(f"{k:.2f}" for k in kl.mean(0).tolist())
            print(f"{it + 1}: squared {squared.item():.2f}  kl by latent {each}")

    def design(n):
        x, centre = blobs(n, gen)
        with torch.no_grad():
            return torch.cat([encoder(x)[0], torch.ones(n, 1)], 1), centre

    a, b = design(1000)
    weights = torch.linalg.lstsq(a, b).solution
    a, b = design(1000)
    print("metric:", 1 - ((a @ weights - b) ** 2).sum().item() / ((b - b.mean(0)) ** 2).sum().item())
