"""Finding the same pebble again: embeddings trained on pairs of photos, judged by the nearest neighbour.

cause: evaluating-in-train-mode
begins: 601
family: siamese
metric: recall at 1, higher
repair:
    - gallery, queries = embed(net, album, 0), embed(net, album, 1)
    + net.eval()
    + gallery, queries = embed(net, album, 0), embed(net, album, 1)
"""

import torch
import torch.nn.functional as F
from torch import nn

STEPS = 600
PAIRS = 48


class Album:
    """Photos of 16x16: every pebble has its own veins; a photo shifts, shades and blurs them."""

    def __init__(self, pebbles, photos, generator):
        self.gen = generator
        coarse = torch.randn(pebbles, 1, 7, 7, generator=generator)
        self.veins = F.interpolate(coarse, size=18, mode="bicubic", align_corners=True)
        self.photos = torch.stack([self.shoot() for _ in range(photos)], 1)

    def shoot(self):
        n = len(self.veins)
        dx, dy = torch.randint(0, 3, (2,), generator=self.gen).tolist()
        view = self.veins[:, :, dx : dx + 16, dy : dy + 16]
        gain = 0.7 + 0.6 * torch.rand(n, 1, 1, 1, generator=self.gen)
        shade = torch.linspace(-1, 1, 16) * torch.randn(n, 1, 1, 1, generator=self.gen) * 0.3
        return gain * view + shade + 0.25 * torch.randn(view.shape, generator=self.gen)


def make_net(dim=32):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 16, dim),
    )


@torch.no_grad()
def embed(net, album, view):
    return F.normalize(net(album.photos[:, view]), dim=1)


def recall(gallery, queries):
    nearest = torch.cdist(queries, gallery).argmin(1)
    return (nearest == torch.arange(len(queries))).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(77)
    gen = torch.Generator().manual_seed(77)
    train = Album(500, 6, gen)
    album = Album(200, 2, gen)
    net = make_net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    net.train()
    for step in range(STEPS):
        who = torch.randperm(500)[:PAIRS]
        first = torch.randint(0, 6, (PAIRS,))
        second = (first + torch.randint(1, 6, (PAIRS,))) % 6
        photos = torch.cat([train.photos[who, first], train.photos[who, second]])
        anchor, positive = F.normalize(net(photos), dim=1).chunk(2)
        loss = F.cross_entropy(anchor @ positive.T / 0.1, torch.arange(PAIRS))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.4f}")
    gallery, queries = embed(net, album, 0), embed(net, album, 1)
    print(f"metric: {recall(gallery, queries):.4f}")
