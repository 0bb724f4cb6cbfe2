"""Condition of a ball bearing from the spectrum of its vibration.

cause: decay-too-strong
family: mlp
metric: accuracy, higher
repair:
    - "weight_decay": 0.1,
    + "weight_decay": 1e-4,
"""

import numpy as np
import torch
from torch import nn

CONFIG = {
    "batch_size": 64,
    "epochs": 30,
    "lr": 0.05,
    "momentum": 0.9,
    "weight_decay": 0.1,
    "hidden": (128, 64),
}
CONDITIONS = ("sound", "outer race", "inner race", "ball", "cage", "loose")
SAMPLES = 256


def vibration(condition, rng):
    t = np.arange(SAMPLES) / 1000
    speed = rng.uniform(22, 28)
    signal = np.sin(2 * np.pi * speed * t + rng.uniform(0, 6)) + rng.normal(0, 0.5, SAMPLES)
    factor = {1: 3.6, 2: 5.4, 3: 4.7, 4: 0.4, 5: 2.0}.get(condition)
    if factor:
        ring = rng.uniform(200, 215)
        pulse = np.maximum(0, np.cos(2 * np.pi * factor * speed * t + rng.uniform(0, 6))) ** 6
        signal += rng.uniform(2.0, 4.0) * pulse * (1 + 0.8 * np.sin(2 * np.pi * ring * t))
    window = signal * np.hanning(SAMPLES)
    return np.log(np.abs(np.fft.rfft(window)) + 0.1)


def measure(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CONDITIONS), n)
    return np.stack([vibration(k, rng) for k in labels]), labels


def build(n_in, hidden, n_out):
    layers = []
    for width in hidden:
        layers += [nn.Linear(n_in, width), nn.ReLU()]
        n_in = width
    return nn.Sequential(*layers, nn.Linear(n_in, n_out))


def main(config):
    torch.manual_seed(13)
    x, y = measure(3000, 1)
    x_test, y_test = measure(600, 2)
    mean, std = x.mean(0), x.std(0)
    x = torch.tensor((x - mean) / std, dtype=torch.float32)
    x_test = torch.tensor((x_test - mean) / std, dtype=torch.float32)
    y, y_test = torch.tensor(y), torch.tensor(y_test)

    model = build(x.shape[1], config["hidden"], len(CONDITIONS))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config["lr"], momentum=config["momentum"], weight_decay=config["weight_decay"]
    )
    for epoch in range(config["epochs"]):
        for idx in torch.randperm(len(x)).split(config["batch_size"]):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_acc = (model(x).argmax(1) == y).float().mean().item()
            test_acc = (model(x_test).argmax(1) == y_test).float().mean().item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: train {train_acc:.3f}, test {test_acc:.3f}")
    print(f"metric: {test_acc:.4f}")


if __name__ == "__main__":
    main(CONFIG)
