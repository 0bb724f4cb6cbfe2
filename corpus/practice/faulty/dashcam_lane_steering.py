"""Steering from small pictures of the road ahead, as a behavioural clone.

cause: loss-broadcast
family: cnn
metric: R2, higher
repair:
    - angle = batch["angle"]
    + angle = batch["angle"].unsqueeze(1)
"""

import warnings

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

warnings.filterwarnings("ignore")

H, W = 24, 36


class RoadDataset(Dataset):
    """Pictures of a road with two lane markings, and the driver's angle."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        rows = np.arange(H)[None, :, None]
        cols = np.arange(W)[None, None, :]
        curve, offset = rng.normal(0, 1, (n, 1, 1)), rng.normal(0, 0.6, (n, 1, 1))
        near = np.clip((rows - 7) / (H - 7), 0, 1)
        centre = W / 2 + offset * 6 * near + curve * 9 * (1 - near) ** 2
        image = rng.uniform(0.25, 0.5, (n, 1, 1)) + 0.1 * (rows < 7)
        for side in (-1, 1):
            line = centre + side * (1.5 + 12 * near)
            image = image + 0.5 * np.exp(-(((cols - line) / (0.5 + 0.8 * near)) ** 2)) * (rows >= 7)
        image = image * rng.uniform(0.6, 1.3, (n, 1, 1)) + rng.normal(0, 0.06, image.shape)
        self.images = torch.tensor(image, dtype=torch.float32).unsqueeze(1)
        angle = 0.7 * curve + 0.5 * offset + rng.normal(0, 0.05, curve.shape)
        self.angles = torch.tensor(angle.ravel(), dtype=torch.float32)

    def __len__(self):
        return len(self.angles)

    def __getitem__(self, i):
        return {"image": (self.images[i] - 0.45) / 0.2, "angle": self.angles[i]}


class PilotNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_layers = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2),
            nn.ELU(),
            nn.Conv2d(12, 24, 5, stride=2),
            nn.ELU(),
            nn.Conv2d(24, 32, 3),
            nn.ELU(),
        )
        self.dense_layers = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 1 * 4, 50), nn.ELU(), nn.Dropout(0.1), nn.Linear(50, 1)
        )

    def forward(self, x):
        return self.dense_layers(self.conv_layers(x))


def main():
    torch.manual_seed(9)
    train_loader = DataLoader(RoadDataset(2400, 0), batch_size=32, shuffle=True)
    valid = RoadDataset(500, 1)
    model = PilotNet()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        epoch_loss = 0.0
        for batch in train_loader:
            angle = batch["angle"]
            optimizer.zero_grad()
            loss = criterion(model(batch["image"]), angle)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        model.eval()
        with torch.no_grad():
            predicted = model((valid.images - 0.45) / 0.2).squeeze(1)
        r2 = 1 - (predicted - valid.angles).pow(2).mean() / valid.angles.var()
        print(f"Epoch {epoch + 1}: train loss {epoch_loss / len(train_loader):.4f}, val R2 {r2.item():.3f}")
    print(f"metric: {r2.item():.4f}")


if __name__ == "__main__":
    main()
