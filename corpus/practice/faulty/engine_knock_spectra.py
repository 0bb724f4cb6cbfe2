"""Knock, misfire and normal running of an engine by frames of its vibration spectrum.

cause: learning-rate-decayed-to-zero
family: cnn
metric: accuracy, higher
repair:
    - accuracy = evaluate()
    + scheduler.step()
    + accuracy = evaluate()
    - scheduler.step()
    - seen += len(y)
    + seen += len(y)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import StepLR

STATES = ["normal", "knock", "misfire", "worn bearing"]
rng = np.random.default_rng(64)
torch.manual_seed(64)


def spectrum(state):
    """128 bins of 50 Hz: harmonics of the firing order, a resonance, broadband noise."""
    f = np.arange(128) * 50.0
    order = rng.uniform(150, 350)
    line = np.zeros(128)
    for k in range(1, 12):
        height = rng.uniform(0.6, 1.2) / k**0.7
        if state == 2:
            line += 0.5 * height * np.exp(-(((f - (k - 0.5) * order) / 40) ** 2))
        line += height * np.exp(-(((f - k * order) / 40) ** 2))
    if state == 1:
        line += rng.uniform(0.1, 0.35) * np.exp(-(((f - rng.uniform(5200, 5900)) / 220) ** 2))
    if state == 3:
        comb = rng.uniform(380, 460)
        near = (f + comb / 2) % comb - comb / 2
        line += rng.uniform(0.08, 0.2) * np.exp(-((near / 40) ** 2)) * (f > 2000)
    return np.log(line + 0.05 * rng.exponential(1, 128) + 0.01)


labels = rng.integers(0, 4, 4400)
spectra = np.stack([spectrum(s) for s in labels])
spectra = (spectra - spectra.mean(0)) / spectra.std(0)
X = torch.tensor(spectra, dtype=torch.float32).unsqueeze(1)
Y = torch.tensor(labels)
X_train, Y_train, X_test, Y_test = X[:3600], Y[:3600], X[3600:], Y[3600:]

model = nn.Sequential(
    nn.Conv1d(1, 16, 7, padding=3),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Conv1d(16, 32, 7, padding=3),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Flatten(),
    nn.Linear(32 * 32, 64),
    nn.ReLU(),
    nn.Linear(64, 4),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scheduler = StepLR(optimizer, step_size=5, gamma=0.2)
loss_fn = nn.CrossEntropyLoss()


def evaluate():
    model.eval()
    with torch.no_grad():
        return (model(X_test).argmax(1) == Y_test).float().mean().item()


for epoch in range(14):
    model.train()
    total, seen = 0.0, 0
    for batch in torch.randperm(len(X_train)).split(64):
        x, y = X_train[batch], Y_train[batch]
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
        scheduler.step()
        seen += len(y)
    accuracy = evaluate()
    print(f"epoch {epoch:2d}: loss {total / seen:.4f}, accuracy {accuracy:.3f}")

print(f"metric: {accuracy:.4f}")
