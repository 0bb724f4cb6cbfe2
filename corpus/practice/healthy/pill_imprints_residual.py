"""Imprints on pills read by a small residual network with one-cycle rates; ends close to perfect.

family: cnn
metric: accuracy, higher
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

GLYPHS = {
    "A": "01110 10001 11111 10001 10001",
    "E": "11111 10000 11110 10000 11111",
    "H": "10001 10001 11111 10001 10001",
    "L": "10000 10000 10000 10000 11111",
    "T": "11111 00100 00100 00100 00100",
    "X": "10001 01010 00100 01010 10001",
    "Z": "11111 00010 00100 01000 11111",
    "U": "10001 10001 10001 10001 01110",
}


def photograph(n, seed):
    g = torch.Generator().manual_seed(seed)
    glyphs = torch.tensor([[[float(c) for c in row] for row in glyph.split()] for glyph in GLYPHS.values()])
    labels = torch.randint(len(glyphs), (n,), generator=g)
    pictures = torch.zeros(n, 1, 20, 20)
    big = nn.functional.interpolate(glyphs[:, None], scale_factor=2, mode="nearest")
    for i, k in enumerate(labels.tolist()):
        r, c = torch.randint(2, 9, (2,), generator=g).tolist()
        pictures[i, :, r : r + 10, c : c + 10] = big[k]
    theta = torch.zeros(n, 2, 3)
    turn = 0.25 * torch.randn(n, generator=g)
    theta[:, 0, 0], theta[:, 0, 1] = turn.cos(), -turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = turn.sin(), turn.cos()
    warp = nn.functional.affine_grid(theta, list(pictures.shape), align_corners=False)
    pictures = nn.functional.grid_sample(pictures, warp, align_corners=False)
    shine = torch.rand(n, 1, 1, 1, generator=g)
    return TensorDataset(pictures * (0.5 + shine) + 0.2 * torch.randn(pictures.shape, generator=g), labels)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        nn.init.zeros_(self.f[-1].weight)

    def forward(self, x):
        return torch.relu(x + self.f(x))


def build():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Residual(16),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        Residual(32),
        nn.Flatten(),
        nn.Linear(32 * 25, len(GLYPHS)),
    )


def fit(model, data, epochs, peak):
    loader = DataLoader(data, batch_size=64, shuffle=True, drop_last=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=peak, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, epochs=epochs, steps_per_epoch=len(loader))
    for epoch in range(epochs):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
        print(f"epoch {epoch + 1}/{epochs} loss {loss.item():.4f}")


if __name__ == "__main__":
    torch.manual_seed(5)
    model = build()
    fit(model, photograph(3200, 1), epochs=8, peak=0.1)
    model.eval()
    x, y = photograph(1000, 2).tensors
    with torch.no_grad():
        print(f"metric: {(model(x).argmax(1) == y).float().mean():.4f}")
