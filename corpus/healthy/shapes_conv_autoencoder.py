"""A convolutional autoencoder on drawn discs, boxes and crosses.

family: autoencoder
metric: mean squared error on new drawings relative to their variance, lower
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Drawings(Dataset):
    """16x16 pictures with one shape each, anti-aliased."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[0:16, 0:16].astype(np.float32)
        pictures = np.zeros((n, 1, 16, 16), dtype=np.float32)
        for i in range(n):
            cx, cy = rng.uniform(5, 10, 2)
            r = rng.uniform(2.5, 4.5)
            dx, dy = np.abs(xx - cx), np.abs(yy - cy)
            kind = rng.integers(3)
            if kind == 0:
                edge = r - np.hypot(dx, dy)
            elif kind == 1:
                edge = r - np.maximum(dx, dy)
            else:
                edge = np.maximum(
                    np.minimum(r - dx, r / 3 - dy),
                    np.minimum(r - dy, r / 3 - dx),
                )
            pictures[i, 0] = np.clip(edge + 0.5, 0, 1)
        self.pictures = torch.from_numpy(pictures)

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index]


def make_model():
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.Flatten(),
        nn.Linear(32 * 16, 24),
    )
    decoder = nn.Sequential(
        nn.Linear(24, 32 * 16),
        nn.LeakyReLU(0.1),
        nn.Unflatten(1, (32, 4, 4)),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.LeakyReLU(0.1),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )
    return nn.Sequential(encoder, decoder)


def main():
    torch.manual_seed(2)
    train = DataLoader(Drawings(2400, seed=1), batch_size=32, shuffle=True)
    test = DataLoader(Drawings(400, seed=2), batch_size=200)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12 * len(train))
    bce, mse = nn.BCELoss(), nn.MSELoss()

    for epoch in range(12):
        model.train()
        running = 0.0
        for pictures in train:
            loss = bce(model(pictures), pictures)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item() / len(train)
        model.eval()
        with torch.no_grad():
            error = sum(mse(model(p), p).item() for p in test) / len(test)
        print(f"Epoch {epoch + 1:2d}: bce {running:.5f} test mse {error:.5f}")

    spread = test.dataset.pictures.var(dim=0).mean().item()
    print(f"metric: {error / spread:.5f}")


if __name__ == "__main__":
    main()
