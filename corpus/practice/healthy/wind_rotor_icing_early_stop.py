"""Ice on the blades of a wind turbine from ten minutes of its operating data, with early stopping.

family: mlp
metric: accuracy on the test turbines, higher
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EarlyStopping:
    def __init__(self, patience=10, min_delta=1e-4):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.wait, self.state = float("inf"), 0, None

    def __call__(self, value, model):
        if value < self.best - self.min_delta:
            self.best, self.wait, self.state = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.wait += 1
        return self.wait >= self.patience


def turbine_data(n, rng):
    wind = rng.weibull(2, n) * 8 + 1
    temp = rng.normal(-2, 5, n)
    moist = rng.beta(5, 2, n)
    iced = rng.random(n) < 1 / (1 + np.exp(0.9 * (temp + 1.5) - 7 * (moist - 0.75)))
    power = np.clip((wind / 12) ** 3, 0, 1) * np.where(iced, rng.uniform(0.55, 0.95, n), 1.0)
    power += rng.normal(0, 0.05, n)
    shake = rng.gamma(4, 0.25, n) * np.where(iced, 1.3, 1.0)
    pitch = np.clip(wind - 11, 0, None) + rng.normal(0, 0.6, n)
    yaw = rng.normal(0, 4, (n, 3))
    gear = rng.normal(55, 6, (n, 4)) + 8 * power[:, None]
    x = np.column_stack([wind, temp, moist, power, shake, pitch, yaw, gear])
    return x.astype(np.float32), iced.astype(np.int64)


def main():
    torch.manual_seed(88)
    rng = np.random.default_rng(88)
    (xt, yt), (xv, yv), (xe, ye) = (turbine_data(n, rng) for n in (2400, 1000, 1500))
    mean, std = xt.mean(0), xt.std(0)
    xt, xv, xe = (torch.from_numpy((x - mean) / std) for x in (xt, xv, xe))
    yt, yv, ye = map(torch.from_numpy, (yt, yv, ye))
    model = nn.Sequential(
        nn.Linear(13, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    criterion = nn.CrossEntropyLoss()
    stopper = EarlyStopping()
    loader = DataLoader(TensorDataset(xt, yt), batch_size=64, shuffle=True)
    for epoch in range(200):
        model.train()
        train_loss = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() / len(loader)
        model.eval()
        with torch.no_grad():
            val_loss = criterion(model(xv), yv).item()
        print(f"epoch {epoch:3d} train {train_loss:.4f} val {val_loss:.4f}")
        if stopper(val_loss, model):
            print(f"stopped, best validation loss {stopper.best:.4f}")
            break
    model.load_state_dict(stopper.state)
    with torch.no_grad():
        accuracy = (model(xe).argmax(1) == ye).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
