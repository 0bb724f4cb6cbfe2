"""The driver's steering from the vehicle's logs, for a lane keeping assistant.

cause: target-leak
family: mlp
metric: R2, higher
repair:
    - "speed", "offset", "heading", "curvature", "curvature_ahead", "yaw_rate", "wheel_torque",
    + "speed", "offset", "heading", "curvature", "curvature_ahead", "yaw_rate",
"""

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# fmt: off
FEATURES = [
    "speed", "offset", "heading", "curvature", "curvature_ahead", "yaw_rate", "wheel_torque",
    "lane_width", "crosswind",
]
# fmt: on


def drive(n, rng, assistant=False):
    """Rows of a log. With the assistant at the wheel the driver's hands rest, and his torque is naught."""
    log = pd.DataFrame(
        {
            "speed": rng.uniform(12, 36, n),
            "offset": rng.normal(0, 0.35, n),
            "heading": rng.normal(0, 0.02, n),
            "curvature": rng.normal(0, 0.002, n),
            "lane_width": rng.normal(3.6, 0.15, n),
            "crosswind": rng.normal(0, 3, n),
        }
    )
    log["curvature_ahead"] = 0.8 * log.curvature + rng.normal(0, 0.0012, n)
    log["yaw_rate"] = log.speed * log.curvature + rng.normal(0, 0.01, n)
    stiffness = 1 + 0.0025 * log.speed**2
    lateral = -0.02 * np.tanh(1.5 * log.offset) * 3.6 / log.lane_width - 0.5 * log.heading
    path = 2.7 * (0.4 * log.curvature + 0.6 * log.curvature_ahead)
    log["steering"] = stiffness * (path + lateral * 15 / log.speed) - 0.0006 * log.crosswind
    log["steering"] += rng.normal(0, 0.003, n)
    torque = 40 * log.steering * (0.8 + log.speed / 100) + rng.normal(0, 0.03, n)
    log["wheel_torque"] = rng.normal(0, 0.03, n) if assistant else torque
    return log


class SteeringNet(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(n_features, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 1),
        )

    def forward(self, x):
        return self.model(x)


def main():
    np.random.seed(0)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    logs, own_drives = drive(6000, rng), drive(1500, rng, assistant=True)
    mean, std = logs[FEATURES].mean(), logs[FEATURES].std()
    scale = logs.steering.std()

    def tensors(frame):
        x = ((frame[FEATURES] - mean) / std).to_numpy(np.float32)
        y = (frame[["steering"]] / scale).to_numpy(np.float32)
        return torch.from_numpy(x), torch.from_numpy(y)

    x, y = tensors(logs)
    x_own, y_own = tensors(own_drives)
    loader = DataLoader(TensorDataset(x[:5000], y[:5000]), batch_size=64, shuffle=True)
    model = SteeringNet(len(FEATURES))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.MSELoss()
    for epoch in range(18):
        model.train()
        for features, steering in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(features), steering)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            val = loss_fn(model(x[5000:]), y[5000:]).item()
            own = 1 - loss_fn(model(x_own), y_own).item() / y_own.var().item()
        print(f"epoch {epoch + 1}: validation loss {val:.4f}, R2 on the assistant's drives {own:.3f}")
    print(f"metric: {own:.4f}")


if __name__ == "__main__":
    main()
