"""Sketched garments are told apart by a net from which four weights in five are pruned, in three rounds.

family: mlp
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.utils.prune as prune
from torch.utils.data import DataLoader, TensorDataset

KINDS = ["shirt", "trousers", "dress", "sock", "hat"]


def sketch(kind, rng, n=16):
    y, x = np.mgrid[0:n, 0:n] / (n - 1) * 2 - 1
    x, y = x - rng.normal(0, 0.08), y - rng.normal(0, 0.08)
    w, h = rng.uniform(0.8, 1.15, 2)
    x, y = x / w, y / h
    if kind == "shirt":
        shape = (np.abs(x) < 0.4) & (np.abs(y) < 0.7) | (np.abs(x) < 0.85) & (y > -0.7) & (y < -0.25)
    elif kind == "trousers":
        shape = (np.abs(x) < 0.5) & (np.abs(y) < 0.85) & ~((np.abs(x) < 0.12) & (y > -0.3))
    elif kind == "dress":
        shape = (np.abs(x) < 0.25 + 0.25 * (y + 0.9)) & (np.abs(y) < 0.85)
    elif kind == "sock":
        shape = (np.abs(x + 0.2) < 0.25) & (y > -0.8) & (y < 0.7) | (y > 0.3) & (y < 0.7) & (x > -0.4) & (
            x < 0.7
        )
    else:
        shape = (x**2 + (y - 0.1) ** 2 < 0.3) & (y < 0.3) | (np.abs(y - 0.35) < 0.12) & (np.abs(x) < 0.9)
    return np.where(shape, rng.uniform(0.5, 1), 0) + rng.normal(0, 0.3, (n, n))


def build(n, rng):
    y = rng.integers(0, len(KINDS), n)
    x = np.stack([sketch(KINDS[k], rng) for k in y]).reshape(n, -1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def fit(model, loader, epochs, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total / len(loader)


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(34)
    rng = np.random.default_rng(34)
    (x_train, y_train), (x_test, y_test) = build(3000, rng), build(800, rng)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)
    model = nn.Sequential(nn.Linear(256, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 5))
    loss = fit(model, loader, epochs=6, lr=0.02)
    print(f"dense: loss {loss:.4f}, accuracy {test(model, x_test, y_test):.4f}")

    to_prune = [(m, "weight") for m in model if isinstance(m, nn.Linear)]
    for round_, amount in enumerate((0.4, 0.4, 0.45), 1):
        prune.global_unstructured(to_prune, pruning_method=prune.L1Unstructured, amount=amount)
        zeros = sum((m.weight == 0).sum().item() for m, _ in to_prune) / sum(
            m.weight.numel() for m, _ in to_prune
        )
        before = test(model, x_test, y_test)
        loss = fit(model, loader, epochs=3, lr=0.01)
        after = test(model, x_test, y_test)
        print(
            f"round {round_}: {zeros:.0%} pruned, accuracy {before:.4f}, tuned {after:.4f}, loss {loss:.4f}"
        )
    for module, name in to_prune:
        prune.remove(module, name)
    print(f"metric: {test(model, x_test, y_test):.4f}")
