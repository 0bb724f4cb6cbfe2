"""Ground vibration at the nearest house from the plan of a quarry's blast.

cause: learning-rate-too-low
family: mlp
metric: r2, higher
repair:
    - LEARNING_RATE = 1e-5
    + LEARNING_RATE = 1e-3
"""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

LEARNING_RATE = 1e-5
EPOCHS = 45
BATCH_SIZE = 64


def blasts(n, seed):
    rng = np.random.default_rng(seed)
    charge = rng.uniform(20, 220, n)
    distance = rng.uniform(80, 900, n)
    holes = rng.integers(4, 40, n)
    delay = rng.uniform(8, 45, n)
    burden = rng.normal(3.2, 0.5, n)
    spacing = burden * rng.uniform(1.0, 1.5, n)
    rock = rng.normal(0, 1, n)
    scaled = np.log(distance / np.sqrt(charge))
    velocity = 4.5 - 1.4 * scaled + 0.2 * np.cos(delay / 6) + 0.15 * rock * (burden - 3.2) + 0.004 * holes
    features = np.column_stack([charge, distance, holes, delay, burden, spacing, rock])
    return features, velocity + 0.12 * rng.normal(size=n)


class VibrationModel(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1)
        )

    def forward(self, x):
        return self.body(x).squeeze(1)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.history = []

    def fit(self, x, y, epochs, batch_size):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for rows in torch.randperm(len(x)).split(batch_size):
                self.optimizer.zero_grad()
                loss = nn.functional.smooth_l1_loss(self.model(x[rows]), y[rows])
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(rows)
            self.history.append(total / len(x))
            if epoch % 5 == 4:
                print(f"epoch {epoch + 1}/{epochs}: loss {self.history[-1]:.4f}")
        return self

    @torch.no_grad()
    def score(self, x, y):
        self.model.eval()
        return 1 - ((self.model(x) - y).square().mean() / y.var(unbiased=False)).item()


def main():
    torch.manual_seed(2)
    x, y = blasts(2500, 1)
    x_test, y_test = blasts(600, 2)
    x_scale, y_scale = StandardScaler(), StandardScaler()
    x = torch.tensor(x_scale.fit_transform(x), dtype=torch.float32)
    x_test = torch.tensor(x_scale.transform(x_test), dtype=torch.float32)
    y = torch.tensor(y_scale.fit_transform(y[:, None])[:, 0], dtype=torch.float32)
    y_test = torch.tensor(y_scale.transform(y_test[:, None])[:, 0], dtype=torch.float32)
    trainer = Trainer(VibrationModel(x.shape[1]), LEARNING_RATE).fit(x, y, EPOCHS, BATCH_SIZE)
    print(f"metric: {trainer.score(x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
