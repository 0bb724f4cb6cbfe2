"""Maker's stamps on pottery: an embedding by semi-hard triplets, judged on stamps it has never seen.

family: siamese
metric: recall at 1, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def stamps(makers, each, generator):
    """Each maker has a symmetric relief; a print is turned a little, shifted, worn and noisy."""
    half = F.interpolate(torch.randn(makers, 1, 6, 3, generator=generator), size=(18, 9), mode="bilinear")
    relief = torch.cat([half, half.flip(3)], 3)
    n = makers * each
    angle = 0.15 * torch.randn(n, generator=generator)
    shift = 0.12 * torch.randn(n, 2, 1, generator=generator)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2)
    where = F.affine_grid(torch.cat([turn, shift], 2), [n, 1, 18, 18], align_corners=False)
    prints = F.grid_sample(relief.repeat_interleave(each, 0), where, align_corners=False)
    prints = prints + 0.4 * torch.randn(prints.shape, generator=generator)
    return prints.view(makers, each, 1, 18, 18)


class Embedder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.project = nn.Linear(32 * 16, dim)

    def forward(self, x):
        return F.normalize(self.project(self.convs(x).flatten(1)), dim=1)


def semi_hard_loss(e, ids, margin=0.2):
    d = 2 - 2 * e @ e.T
    same = ids[:, None] == ids[None]
    anchor, positive = torch.nonzero(same & ~torch.eye(len(ids), dtype=torch.bool), as_tuple=True)
    d_pos = d[anchor, positive]
    d_neg = d[anchor]
    allowed = ~same[anchor] & (d_neg.detach() > d_pos.detach()[:, None])
    d_neg = torch.where(allowed, d_neg, d_neg.new_tensor(4.0)).min(1).values
    return F.relu(d_pos - d_neg + margin).mean()


def recall_at_one(net, prints):
    net.eval()
    with torch.no_grad():
        gallery, query = net(prints[:, 0]), net(prints[:, 1])
    return ((query @ gallery.T).argmax(1) == torch.arange(len(prints))).float().mean().item()


def main():
    torch.manual_seed(51)
    g = torch.Generator().manual_seed(51)
    train, valid = stamps(400, 6, g), stamps(150, 2, g)
    net = Embedder()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-5)
    for step in range(1, 601):
        net.train()
        makers = torch.randperm(len(train))[:20]
        which = torch.stack([torch.randperm(6)[:3] for _ in makers])
        x = train[makers[:, None], which].flatten(0, 1)
        loss = semi_hard_loss(net(x), makers.repeat_interleave(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"{step}: loss {loss.item():.4f} recall {recall_at_one(net, valid):.3f}")
    print(f"metric: {recall_at_one(net, valid):.4f}")


if __name__ == "__main__":
    main()
