"""Bird calls told apart from short spectrograms, trained on mixed examples (mixup).

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.distributions import Beta

BANDS, FRAMES, SPECIES = 16, 24, 6


def calls(count, rng):
    """Each species has a contour of pitch: rising, falling, warbling, two notes, ..."""
    t = np.linspace(0, 1, FRAMES)
    contours = np.stack(
        [
            3 + 9 * t,
            12 - 9 * t,
            7.5 + 4 * np.sin(12 * t),
            np.where(t < 0.5, 4, 11),
            7.5 + 6 * np.abs(2 * t - 1) - 3,
            7.5 - 6 * np.abs(2 * t - 1) + 3,
        ]
    )
    species = rng.integers(0, SPECIES, count)
    pitch = contours[species] + rng.normal(0, 1.0, (count, 1)) + rng.normal(0, 0.4, (count, FRAMES))
    bands = np.arange(BANDS)[None, :, None]
    loud = rng.uniform(0.6, 1.4, (count, 1, 1))
    power = loud * np.exp(-((bands - pitch[:, None, :]) ** 2) / 1.5)
    power += np.abs(rng.normal(0, 0.35, power.shape))
    x = np.log(power + 0.05)
    return torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32).unsqueeze(1), torch.tensor(species)


class CallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(
            self.stage(1, 16), self.stage(16, 32), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten()
        )
        self.classify = nn.Linear(32 * 6, SPECIES)

    @staticmethod
    def stage(n_in, n_out):
        return nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)
        )

    def forward(self, x):
        return self.classify(self.stages(x))


def mix(x, y, alpha=0.4):
    lam = Beta(alpha, alpha).sample().item()
    other = torch.randperm(len(x))
    return lam * x + (1 - lam) * x[other], y, y[other], lam


def main():
    rng = np.random.default_rng(3)
    torch.manual_seed(3)
    x, y = calls(1200, rng)
    x_test, y_test = calls(600, rng)
    model = CallNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for epoch in range(10):
        model.train()
        running = []
        for pick in torch.randperm(len(x)).split(40):
            mixed, a, b, lam = mix(x[pick], y[pick])
            out = model(mixed)
            loss = lam * criterion(out, a) + (1 - lam) * criterion(out, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running.append(loss.item())
        scheduler.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch} mixed loss {np.mean(running):.3f} test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
