"""Bending load at the root of a wind turbine's blade from its operating data.

cause: momentum-too-high
family: mlp
metric: mse, lower
repair:
    - "momentum": 0.995,
    + "momentum": 0.9,
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HPARAMS = {
    "lr": 0.02,
    "momentum": 0.995,
    "batch_size": 64,
    "epochs": 25,
    "width": 64,
}


def operating_data(n, rng):
    wind = rng.weibull(2.1, n) * 9
    turbulence = rng.uniform(0.05, 0.25, n)
    pitch = np.clip(wind - 11, 0, None) * 2 + rng.normal(0, 0.7, n)
    rotor = np.clip(wind / 11, 0.3, 1) * 14 + rng.normal(0, 0.3, n)
    yaw = rng.normal(0, 7, n)
    azimuth = rng.uniform(0, 2 * np.pi, n)
    shear = rng.normal(0.15, 0.06, n)
    load = (
        np.where(wind < 11, (wind / 11) ** 2, (11 / np.maximum(wind, 11)) ** 1.5)
        + 0.25 * shear / 0.15 * np.cos(azimuth)
        + 0.012 * np.abs(yaw)
        + turbulence * 0.8
        - 0.004 * pitch * rotor / 14
        + 0.04 * rng.normal(size=n)
    )
    x = np.column_stack([wind, turbulence, pitch, rotor, yaw, np.sin(azimuth), np.cos(azimuth), shear])
    return x, load


def tensors(x, y, stats):
    (mx, sx), (my, sy) = stats
    return torch.tensor((x - mx) / sx).float(), torch.tensor((y - my) / sy).float()


def main():
    rng = np.random.default_rng(90)
    torch.manual_seed(90)
    x, y = operating_data(2600, rng)
    stats = (x.mean(0), x.std(0)), (y.mean(), y.std())
    train = TensorDataset(*tensors(x, y, stats))
    x_val, y_val = tensors(*operating_data(700, rng), stats)
    loader = DataLoader(train, batch_size=HPARAMS["batch_size"], shuffle=True)

    width = HPARAMS["width"]
    model = nn.Sequential(
        nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=HPARAMS["lr"], momentum=HPARAMS["momentum"])
    mse = nn.MSELoss()
    for epoch in range(HPARAMS["epochs"]):
        model.train()
        losses = []
        for xb, yb in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = mse(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.inference_mode():
            val = mse(model(x_val), y_val).item()
        print(f"{epoch:02d} train={np.mean(losses):.4f} val={val:.4f}")
    print(f"metric: {val:.5f}")


if __name__ == "__main__":
    main()
