"""Which of five phases an alloy takes, from its composition and heat treatment.

cause: underfitting
family: linear
metric: accuracy, higher
repair:
    - model = nn.Linear(train_x.shape[1], PHASES)
    + model = nn.Sequential(nn.Linear(train_x.shape[1], 96), nn.ReLU(), nn.Linear(96, PHASES))
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PHASES = 5


def alloys(count, rng):
    parts = rng.dirichlet(np.ones(4), count)
    heat, cooling, pressure = rng.uniform(-1, 1, (3, count))
    ring = np.hypot(parts[:, 0] * 3 - 0.8, heat)
    score = np.column_stack(
        [
            1.6 - 2.2 * ring,
            1.2 * np.sin(4 * heat) * cooling * 2,
            3.0 * parts[:, 1] * parts[:, 2] * 4 - 1 + pressure * cooling,
            1.5 * np.abs(cooling) - 1.0 + heat * parts[:, 3],
            0.3 + 2.0 * (parts[:, 3] - 0.25) * pressure * 2,
        ]
    )
    x = np.column_stack([parts, heat, cooling, pressure])
    return x, (score + rng.gumbel(0, 0.08, score.shape)).argmax(1)


def main():
    torch.manual_seed(52)
    rng = np.random.default_rng(52)
    x, y = alloys(7000, rng)
    x = (x - x.mean(0)) / x.std(0)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    train_x, train_y, test_x, test_y = x[:5600], y[:5600], x[5600:], y[5600:]
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
    model = nn.Linear(train_x.shape[1], PHASES)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(1, 19):
        total, right = 0.0, 0
        for xb, yb in loader:
            out = model(xb)
            loss = criterion(out, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(yb)
            right += (out.argmax(1) == yb).sum().item()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        if epoch % 3 == 0:
            print(
                f"epoch {epoch}: loss {total / len(train_x):.4f}, accuracy {right / len(train_x):.3f}, "
                f"test {accuracy:.3f}"
            )
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
