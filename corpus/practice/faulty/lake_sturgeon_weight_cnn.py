"""Weight of sturgeons in grams from the camera over a fish ladder, by a convolutional regressor.

cause: targets-not-scaled
family: cnn
metric: mean absolute error in kilograms, lower
repair:
    - images, grams = catch(1800, seed=3)
    + images, grams = catch(1800, seed=3)
    + mean, std = grams.mean(), grams.std()
    + grams = (grams - mean) / std
    - estimate = torch.cat([model(chunk) for chunk in test_images.split(100)])
    + estimate = torch.cat([model(chunk) for chunk in test_images.split(100)]) * std + mean
"""

import numpy as np
import torch
import torch.nn as nn


def catch(number, seed):
    """Pictures of 28 x 28 and the weights; a fish is a body and a pair of fins."""
    rng = np.random.default_rng(seed)
    yy, xx = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    pictures, weights = [], []
    for _ in range(number):
        length = rng.uniform(8, 16)
        width = length * rng.uniform(0.26, 0.36)
        fins = rng.uniform(0.7, 1.3)
        angle = rng.uniform(-0.5, 0.5)
        cy, cx = 14 + rng.uniform(-1.5, 1.5, 2)
        u = (xx - cx) * np.cos(angle) + (yy - cy) * np.sin(angle)
        v = -(xx - cx) * np.sin(angle) + (yy - cy) * np.cos(angle)
        body = (u / width) ** 2 + (v / (length / 1.6)) ** 2 < 1
        for side in (-1, 1):
            reach = (u - side * width * 1.5) ** 2 + (v + length * 0.62) ** 2
            body = body | (reach < (fins * length * 0.15) ** 2)
        picture = 0.15 + 0.55 * body + rng.normal(0, 0.06, body.shape)
        pictures.append(picture)
        weights.append(26_000 * (length / 12) ** 2 * (width / length / 0.31) * (0.75 + 0.25 * fins))
    weights = np.array(weights) * (1 + 0.03 * rng.standard_normal(number))
    x = torch.tensor(np.array(pictures), dtype=torch.float32)[:, None]
    return (x - 0.3) / 0.25, torch.tensor(weights, dtype=torch.float32)[:, None]


def conv_block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class WeightNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_block(1, 8), conv_block(8, 16), conv_block(16, 32))
        self.regressor = nn.Sequential(nn.Flatten(), nn.Linear(32 * 9, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.regressor(self.features(x))


def main():
    torch.manual_seed(3)
    images, grams = catch(1800, seed=3)
    test_images, test_grams = catch(400, seed=4)
    model = WeightNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.5)
    for epoch in range(14):
        model.train()
        total = 0.0
        for index in torch.randperm(len(images)).split(36):
            optimizer.zero_grad()
            prediction = model(images[index])
            loss = nn.functional.mse_loss(prediction, grams[index])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        scheduler.step()
        print(f"epoch {epoch + 1:2d}  training error {total / len(images):.5g}")
    model.eval()
    with torch.no_grad():
        estimate = torch.cat([model(chunk) for chunk in test_images.split(100)])
    error = (estimate - test_grams).abs().mean().item() / 1000
    print(f"typical fish {test_grams.median().item() / 1000:.1f} kg")
    print(f"metric: {error:.3f}")


if __name__ == "__main__":
    main()
