"""A masked autoencoder fills in the hidden half of the patches of printed letters.

family: transformer
metric: mean squared error on hidden patches, lower
"""

import numpy as np
import torch
from torch import nn

PATCH, GRID = 4, 4
N_PATCHES, PATCH_DIM = GRID * GRID, PATCH * PATCH
STROKES = {
    "A": [(0, 4, 2, 0), (2, 0, 4, 4), (1, 2.5, 3, 2.5)],
    "E": [(0, 0, 0, 4), (0, 0, 4, 0), (0, 2, 3, 2), (0, 4, 4, 4)],
    "H": [(0, 0, 0, 4), (4, 0, 4, 4), (0, 2, 4, 2)],
    "K": [(0, 0, 0, 4), (0, 2, 4, 0), (0, 2, 4, 4)],
    "L": [(0, 0, 0, 4), (0, 4, 4, 4)],
    "M": [(0, 4, 0, 0), (0, 0, 2, 2), (2, 2, 4, 0), (4, 0, 4, 4)],
    "T": [(0, 0, 4, 0), (2, 0, 2, 4)],
    "X": [(0, 0, 4, 4), (4, 0, 0, 4)],
    "Z": [(0, 0, 4, 0), (4, 0, 0, 4), (0, 4, 4, 4)],
}


def write_letters(n, rng):
    yy, xx = np.mgrid[0:16, 0:16].astype(np.float32)
    out = np.zeros((n, 16, 16), np.float32)
    keys = list(STROKES)
    for image in out:
        scale, ox, oy = rng.uniform(2.6, 3.1), rng.uniform(0.5, 2.5), rng.uniform(0.5, 2.5)
        width = rng.uniform(0.7, 1.1)
        for x0, y0, x1, y1 in STROKES[keys[rng.integers(len(keys))]]:
            a, b = np.array([x0, y0]) * scale + (ox, oy), np.array([x1, y1]) * scale + (ox, oy)
            d = b - a
            t = np.clip(((xx - a[0]) * d[0] + (yy - a[1]) * d[1]) / (d @ d), 0, 1)
            dist = np.hypot(xx - a[0] - t * d[0], yy - a[1] - t * d[1])
            np.maximum(image, np.clip(1.5 - dist / width, 0, 1), out=image)
    return torch.from_numpy(out)


def patchify(images):
    n = len(images)
    x = images.view(n, GRID, PATCH, GRID, PATCH).permute(0, 1, 3, 2, 4)
    return x.reshape(n, N_PATCHES, PATCH_DIM)


class MaskedAutoencoder(nn.Module):
    def __init__(self, dim=40, heads=4, keep=8):
        super().__init__()
        self.keep = keep
        self.embed = nn.Linear(PATCH_DIM, dim)
        self.position = nn.Parameter(torch.randn(1, N_PATCHES, dim) * 0.02)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(dim, heads, 2 * dim, 0.0, "gelu", batch_first=True, norm_first=True),
            2,
            enable_nested_tensor=False,
        )
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_position = nn.Parameter(torch.randn(1, N_PATCHES, dim) * 0.02)
        self.decoder = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, PATCH_DIM)

    def forward(self, patches):
        n, _, _ = patches.shape
        order = torch.rand(n, N_PATCHES).argsort(1)
        back = order.argsort(1)
        kept = order[:, : self.keep, None]
        tokens = self.embed(patches) + self.position
        seen = self.encoder(tokens.gather(1, kept.expand(-1, -1, tokens.shape[2])))
        blanks = self.mask_token.expand(n, N_PATCHES - self.keep, -1)
        full = torch.cat([seen, blanks], 1).gather(1, back[:, :, None].expand(-1, -1, seen.shape[2]))
        pred = self.out(self.norm(self.decoder(full + self.decoder_position)))
        hidden = (back >= self.keep).float()
        error = ((pred - patches) ** 2).mean(2)
        return (error * hidden).sum() / hidden.sum()


if __name__ == "__main__":
    torch.manual_seed(26)
    rng = np.random.default_rng(26)
    train, test = patchify(write_letters(2000, rng)), patchify(write_letters(400, rng))
    blank = ((test - train.mean((0,))) ** 2).mean().item()
    model = MaskedAutoencoder()
    base_lr, warmup, total = 4e-3, 60, 600
    optimizer = torch.optim.AdamW(model.parameters(), lr=base_lr, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (
            (s + 1) / warmup if s < warmup else 0.5 * (1 + np.cos(np.pi * (s - warmup) / (total - warmup)))
        ),
    )
    print(f"mean picture: {blank:.4f}")
    for step in range(total):
        model.train()
        loss = model(train[torch.randint(len(train), (48,))])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            model.eval()
            with torch.no_grad():
                held_out = sum(model(test).item() for _ in range(3)) / 3
            print(f"step {step + 1}: train {loss.item():.4f}, held out {held_out:.4f}")
    print(f"metric: {held_out:.5f}")
