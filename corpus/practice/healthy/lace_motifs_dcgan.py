"""Little lace motifs of 16 x 16 from a convolutional generator and discriminator.

family: gan
metric: sliced wasserstein distance to held-out motifs, lower
"""

import numpy as np
import torch
import torch.nn as nn

nz, ngf, ndf = 24, 24, 16
batch_size, num_epochs = 32, 9
lr, beta1 = 1e-3, 0.5
device = torch.device("cpu")


def motif(rng):
    yy, xx = (np.mgrid[0:16, 0:16] - 7.5) / 7.5
    r, a = np.hypot(xx, yy), np.arctan2(yy, xx)
    petals = rng.choice([4, 6, 8])
    turn, size = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.9)
    edge = size * (0.75 + 0.25 * np.cos(petals * a + turn))
    ring = np.exp(-(((r - edge) / 0.14) ** 2))
    hole = np.exp(-(((r - rng.uniform(0.1, 0.3)) / 0.12) ** 2))
    return 2 * np.clip(ring + 0.8 * hole, 0, 1) - 1


def motifs(n, seed):
    rng = np.random.default_rng(seed)
    return torch.tensor(np.stack([motif(rng) for _ in range(n)]), dtype=torch.float32).unsqueeze(1)


def weights_init(m):
    name = m.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif name.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
        )

    def forward(self, x):
        return self.main(x).view(-1)


def sliced_wasserstein(a, b, directions=200):
    g = torch.Generator().manual_seed(0)
    w = torch.randn(a[0].numel(), directions, generator=g)
    w = w / w.norm(dim=0)
    return ((a.flatten(1) @ w).sort(0).values - (b.flatten(1) @ w).sort(0).values).abs().mean().item()


torch.manual_seed(999)
data = motifs(2048, 999).to(device)
held_out = motifs(600, 1000).to(device)

netG, netD = Generator().to(device), Discriminator().to(device)
netG.apply(weights_init)
netD.apply(weights_init)
criterion = nn.BCEWithLogitsLoss()
real_label, fake_label = 0.9, 0.0
optimizerD = torch.optim.Adam(netD.parameters(), lr=lr, betas=(beta1, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=lr, betas=(beta1, 0.999))

for epoch in range(num_epochs):
    for batch in torch.randperm(len(data)).split(batch_size):
        # (1) update D: maximise log(D(x)) + log(1 - D(G(z)))
        netD.zero_grad()
        real = data[batch]
        label = torch.full((len(real),), real_label)
        errD_real = criterion(netD(real), label)
        errD_real.backward()
        noise = torch.randn(len(real), nz, 1, 1)
        fake = netG(noise)
        label.fill_(fake_label)
        output = netD(fake.detach())
        errD_fake = criterion(output, label)
        errD_fake.backward()
        optimizerD.step()
        # (2) update G: maximise log(D(G(z)))
        netG.zero_grad()
        label.fill_(1.0)
        errG = criterion(netD(fake), label)
        errG.backward()
        optimizerG.step()
    if epoch % 2 == 1:
        print(
            f"[{epoch + 1}/{num_epochs}] Loss_D: {(errD_real + errD_fake).item():.4f} "
            f"Loss_G: {errG.item():.4f} D(G(z)): {output.sigmoid().mean().item():.3f}"
        )

netG.eval()
with torch.no_grad():
    samples = netG(torch.randn(600, nz, 1, 1))
print(f"between two real sets: {sliced_wasserstein(motifs(600, 1001), held_out):.4f}")
print(f"metric: {sliced_wasserstein(samples, held_out):.4f}")
