"""Shoe sole prints: an embedding by additive angular margin, tested on soles that were never seen.

family: metric learning
metric: nearest neighbour is the same sole, on unseen soles, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SOLES, UNSEEN, LATENT, INPUTS = 120, 60, 12, 64


def world(generator):
    lift = torch.randn(LATENT, 48, generator=generator) / LATENT**0.5
    out = torch.randn(48, INPUTS, generator=generator) / 48**0.5
    return lambda z: torch.tanh(2 * z @ lift) @ out


def prints(centres, each, render, generator):
    """Descriptors of partial prints: wear moves the latent code, dirt adds noise."""
    z = centres.repeat_interleave(each, 0)
    z = z + 0.35 * torch.randn(z.shape, generator=generator)
    x = render(z) + 0.25 * torch.randn(len(z), INPUTS, generator=generator)
    return x, torch.arange(len(centres)).repeat_interleave(each)


class Embedder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(INPUTS, 128),
            nn.BatchNorm1d(128),
            nn.PReLU(),
            nn.Linear(128, 128),
            nn.BatchNorm1d(128),
            nn.PReLU(),
            nn.Linear(128, dim),
        )

    def forward(self, x):
        return F.normalize(self.net(x))


class ArcFace(nn.Module):
    def __init__(self, dim, classes, scale=16.0, margin=0.25):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))
        self.scale, self.margin = scale, margin

    def forward(self, emb, label):
        cos = emb @ F.normalize(self.weight).t()
        own = cos.gather(1, label[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        shifted = torch.cos((torch.acos(own) + self.margin).clamp(max=math.pi))
        logits = cos.scatter(1, label[:, None], shifted)
        return F.cross_entropy(self.scale * logits, label)


@torch.no_grad()
def recall_at_1(embedder, x, label):
    embedder.eval()
    e = embedder(x)
    similarity = e @ e.t()
    similarity.fill_diagonal_(-2)
    return (label[similarity.argmax(1)] == label).float().mean().item()


def main():
    g = torch.Generator().manual_seed(85)
    torch.manual_seed(85)
    render = world(g)
    x, label = prints(torch.randn(SOLES, LATENT, generator=g), 50, render, g)
    x_new, label_new = prints(torch.randn(UNSEEN, LATENT, generator=g), 12, render, g)
    mean, std = x.mean(0), x.std(0)
    x, x_new = (x - mean) / std, (x_new - mean) / std
    raw = F.normalize(x_new)
    sim = (raw @ raw.t()).fill_diagonal_(-2)
    print(f"raw descriptors: {(label_new[sim.argmax(1)] == label_new).float().mean():.3f}")

    embedder, arc = Embedder(), ArcFace(24, SOLES)
    optimizer = torch.optim.SGD(
        [*embedder.parameters(), *arc.parameters()], lr=0.1, momentum=0.9, weight_decay=5e-4
    )
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [7, 10], gamma=0.1)
    for epoch in range(12):
        embedder.train()
        total, seen = 0.0, 0
        for rows in torch.randperm(len(x)).split(64):
            if len(rows) < 64:
                continue
            loss = arc(embedder(x[rows]), label[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, seen = total + loss.item(), seen + 1
        scheduler.step()
        print(f"epoch {epoch + 1} loss {total / seen:.4f} R@1 {recall_at_1(embedder, x_new, label_new):.4f}")
    print(f"metric: {recall_at_1(embedder, x_new, label_new):.4f}")


if __name__ == "__main__":
    main()
