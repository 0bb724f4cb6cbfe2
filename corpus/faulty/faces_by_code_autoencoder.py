"""An autoencoder on faces drawn by code, a regularised convolutional one.

cause: underfitting
family: autoencoder
metric: mean squared error, lower
repair:
    - def __init__(self, code=2, drop=0.6):
    + def __init__(self, code=16, drop=0.0):
"""

import numpy as np
import torch
from torch import nn


def face(rng, size=16):
    yy, xx = np.mgrid[:size, :size].astype(float)
    cy, cx = 7.5 + rng.uniform(-1, 1, 2)
    image = np.exp(-((((yy - cy) / 6.5) ** 2 + ((xx - cx) / rng.uniform(4.5, 6.5)) ** 2) ** 4)) * rng.uniform(
        0.5, 0.9
    )
    apart, up, eye = rng.uniform(1.8, 3.2), rng.uniform(1, 2.5), rng.uniform(0.6, 1.3)
    for side in (-1, 1):
        image -= 0.6 * np.exp(-((yy - cy + up) ** 2 + (xx - cx - side * apart) ** 2) / eye)
    curve = cy + 3.2 + rng.uniform(-0.25, 0.25) * (xx - cx) ** 2
    image -= 0.5 * np.exp(-((yy - curve) ** 2) / 0.5) * (abs(xx - cx) < rng.uniform(1.5, 3.5))
    return image.clip(0, 1)


class FaceCoder(nn.Module):
    def __init__(self, code=2, drop=0.6):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.SiLU(), nn.Conv2d(16, 24, 4, 2, 1), nn.SiLU(), nn.Flatten()
        )
        self.drop = nn.Dropout(drop)
        self.to_code, self.from_code = nn.Linear(24 * 16, code), nn.Linear(code, 24 * 16)
        self.decode = nn.Sequential(
            nn.Unflatten(1, (24, 4, 4)),
            nn.ConvTranspose2d(24, 16, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )

    def forward(self, x):
        code = self.to_code(self.drop(self.encode(x)))
        return self.decode(self.drop(self.from_code(code)))


def main():
    torch.manual_seed(52)
    rng = np.random.default_rng(52)
    faces = torch.tensor(np.stack([face(rng) for _ in range(1400)])[:, None], dtype=torch.float32)
    train, test = faces[:1100], faces[1100:]
    model = FaceCoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(14):
        model.train()
        for batch in train[torch.randperm(len(train))].split(50):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(batch), batch)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(test), test).item()
        print(f"epoch {epoch + 1}/14 train {loss.item():.5f} test {error:.5f}")
    print(f"metric: {error:.6f}")


if __name__ == "__main__":
    main()
