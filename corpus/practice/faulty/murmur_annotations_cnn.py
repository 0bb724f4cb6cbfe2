"""Heart murmurs by envelopes of heart sounds; the training labels come from the referral letters.

cause: label-noise
family: cnn
metric: accuracy, higher
repair:
    - train_set = TensorDataset(x_train, referral)
    + train_set = TensorDataset(x_train, finding)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

KINDS = ["none", "systolic", "diastolic"]
LENGTH = 128


def envelope(kind, rng):
    t = np.arange(LENGTH) / 64
    rate = rng.uniform(0.8, 1.3)
    phase = (t * rate + rng.uniform(0, 1)) % 1
    ratio = rng.uniform(0.3, 0.38)
    wave = np.exp(-((phase / 0.035) ** 2)) + np.exp(-(((1 - phase) / 0.035) ** 2))
    wave += rng.uniform(0.5, 0.9) * np.exp(-(((phase - ratio) / 0.03) ** 2))
    if kind == 1:
        wave += rng.uniform(0.2, 0.5) * np.exp(-(((phase - ratio / 2) / 0.07) ** 2))
    if kind == 2:
        wave += rng.uniform(0.2, 0.5) * np.exp(-(((phase - ratio - 0.25) / 0.12) ** 2))
    return wave * rng.uniform(0.7, 1.4) + rng.normal(0, 0.08, LENGTH)


def patients(n, rng):
    finding = rng.integers(0, 3, n)
    x = np.stack([envelope(k, rng) for k in finding])
    other = (finding + rng.integers(1, 3, n)) % 3
    referral = np.where(rng.random(n) < 0.45, other, finding)
    x = torch.tensor((x - 0.3) / 0.35, dtype=torch.float32).unsqueeze(1)
    return x, torch.tensor(finding), torch.tensor(referral)


class MurmurNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for c_in, c_out in ((1, 24), (24, 48), (48, 64)):
            layers += [
                nn.Conv1d(c_in, c_out, 7, padding=3),
                nn.BatchNorm1d(c_out),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, x):
        return self.classifier(self.features(x))


def accuracy_of(model, x, y):
    model.eval()
    with torch.inference_mode():
        return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    x_train, finding, referral = patients(1000, rng)
    x_test, y_test, _ = patients(500, rng)
    train_set = TensorDataset(x_train, referral)
    model = MurmurNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(18):
        model.train()
        correct = 0
        for x, y in DataLoader(train_set, batch_size=32, shuffle=True):
            out = model(x)
            loss = nn.functional.cross_entropy(out, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            correct += (out.argmax(1) == y).sum().item()
        test_accuracy = accuracy_of(model, x_test, y_test)
        print(f"epoch {epoch:2d}  train acc {correct / len(train_set):.3f}  test acc {test_accuracy:.3f}")
    print(f"metric: {test_accuracy:.4f}")
