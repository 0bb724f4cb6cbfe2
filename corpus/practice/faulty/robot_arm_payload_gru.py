"""The weight in a robot's gripper from the motor currents of one lift.

cause: data-not-shuffled
family: rnn
metric: rmse, lower
repair:
    - for start in range(0, len(x), BATCH):
    -     rows = torch.arange(start, min(start + BATCH, len(x)))
    + for rows in torch.randperm(len(x)).split(BATCH):
"""

import numpy as np
import torch
from torch import nn

BATCH = 40
STEPS = 25


def lifts(weights, rng):
    """Currents of three motors and the arm's speed during one lift of each weight."""
    n = len(weights)
    t = np.linspace(0, 1, STEPS)
    speed = rng.uniform(0.6, 1.4, (n, 1))
    friction = rng.normal(0, 0.12, (n, 1))
    profile = np.sin(np.pi * np.clip(t * speed, 0, 1))
    motors = [
        (a * weights[:, None] + b) * profile * speed**c + friction + 0.15 * rng.normal(size=(n, STEPS))
        for a, b, c in ((0.30, 0.8, 1), (0.22, 0.5, 2), (0.12, 1.0, 0))
    ]
    return np.stack([*motors, speed * profile], axis=2).astype(np.float32)


class PayloadGRU(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out.mean(dim=1)).squeeze(1)


def main():
    torch.manual_seed(23)
    rng = np.random.default_rng(23)

    # the test bench went through the weights one after the other, 100 lifts of each
    kilograms = np.repeat(np.arange(0.5, 10.5, 0.5), 100)
    x = torch.from_numpy(lifts(kilograms, rng))
    y = torch.tensor(kilograms, dtype=torch.float32)
    customer = rng.uniform(0.5, 10, 500)
    x_test, y_test = torch.from_numpy(lifts(customer, rng)), torch.tensor(customer, dtype=torch.float32)
    centre, spread = x.mean((0, 1)), x.std((0, 1))
    x, x_test = (x - centre) / spread, (x_test - centre) / spread
    y_mid, y_spread = y.mean(), y.std()

    model = PayloadGRU(4, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(14):
        model.train()
        losses = []
        for start in range(0, len(x), BATCH):
            rows = torch.arange(start, min(start + BATCH, len(x)))
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), (y[rows] - y_mid) / y_spread)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            rmse = (model(x_test) * y_spread + y_mid - y_test).square().mean().sqrt().item()
        print(f"epoch {epoch + 1:2d}: train loss {np.mean(losses):.4f}, test rmse {rmse:.3f} kg")
    print(f"metric: {rmse:.4f}")


if __name__ == "__main__":
    main()
